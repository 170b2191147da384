"""A given text under a model: the distribution that each of its tokens met."""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.make_records import Attend, given_records
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel


def score(
    model: LanguageModel,
    ids: Sequence[int],
    calibration: Calibration,
    on_chunk: Callable[[int, int], object] = lambda _done, _total: None,
    attend: Attend | None = None,
) -> Iterator[TokenRecord]:
    """One record a token; the first one met no distribution, so its measures are None.

    The same metrics as when the tokens are generated one by one, from chunks of bounded memory. A
    text that is longer than the context is read in windows. `p` of the candidates is that of the
    raw distribution. `on_chunk(done, total)` counts tokens; `attend` is told of every token's
    attention by layer and head. Raises UsageError before anything is read.
    """
    if not ids:
        raise UsageError("there is nothing to score: the text has no tokens")
    greedy = Settings.make("greedy")
    decoder = Decoder(model, greedy, calibration, seed=0, heads=attend is not None)
    return given_records(model.tokenizer, ids, measured(decoder, ids, on_chunk), 1, attend)


def measured(
    decoder: Decoder, ids: Sequence[int], on_chunk: Callable[[int, int], object]
) -> Generator[Choice]:
    """A choice for each id but the first, as it met those before it that a window holds.

    Each window but the first begins with half a context that was read before, so that no token
    sees less than that but those at the beginning of the text.
    """
    for begin, new, end in windows(len(ids), decoder.model.info.context_length):
        decoder.forget()

        def told(done: int, _total: int, begin: int = begin) -> bool:
            on_chunk(begin + done, len(ids) - 1)
            return True

        choices = decoder.measure(ids[begin:end], told)
        yield from islice(choices, max(new - begin - 1, 0), None)


def windows(total: int, context: int) -> Iterator[tuple[int, int, int]]:
    """First id, first id that is new, and end of each window on a text of `total` ids."""
    yield 0, 0, min(total, context)
    for new in range(context, total, context - context // 2):
        begin = new - context // 2
        yield begin, new, min(total, begin + context)
