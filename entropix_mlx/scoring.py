"""A given text under a model: the distribution that each of its tokens met."""

from collections.abc import Callable, Iterator, Sequence

from entropix_mlx.calibration import Calibration
from entropix_mlx.decoding import Decoder
from entropix_mlx.recording import given_records
from entropix_mlx.records import TokenRecord
from entropix_mlx.settings import Settings
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel


def score(
    model: LanguageModel,
    ids: Sequence[int],
    calibration: Calibration,
    on_chunk: Callable[[int, int], object] = lambda _done, _total: None,
) -> Iterator[TokenRecord]:
    """One record a token; the first one met no distribution, so its measures are None.

    The same metrics as when the tokens are generated one by one, from chunks of bounded memory.
    `p` of the candidates is that of the raw distribution. `on_chunk(done, total)` counts tokens.
    Raises UsageError or ContextLengthError before anything is read.
    """
    if not ids:
        raise UsageError("there is nothing to score: the text has no tokens")
    if len(ids) > model.facts.context_length:
        raise ContextLengthError(
            f"the text is {len(ids)} tokens long, the context of {model.facts.name} is "
            f"{model.facts.context_length}; score a part of it"
        )

    def told(done: int, total: int) -> bool:
        on_chunk(done, total)
        return True

    decoder = Decoder(model, Settings.make("greedy"), calibration, seed=0)
    return given_records(model.tokenizer, ids, decoder.measure(ids, told), unmeasured=1)
