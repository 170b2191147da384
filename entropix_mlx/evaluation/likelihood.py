"""How likely a model finds given continuations: what questions with choices are judged by."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from entropix_mlx.decoding.cache_pool import common
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel


class Continuation(NamedTuple):
    """`ids` after `context`; neither is empty."""

    context: Sequence[int]
    ids: Sequence[int]


class Likelihood(NamedTuple):
    """`logprob`: of all ids together, in nats; `is_greedy`: whether each was the most likely."""

    logprob: float
    is_greedy: bool


def likelihoods(
    model: LanguageModel, asked: Sequence[Continuation], window: int
) -> Iterator[tuple[int, Likelihood]]:
    """The place in `asked` and what was found there, in an order in which a beginning that several
    share is read once.

    No id sees more than `window` before it: the beginning of a longer context is left out. Raises
    UsageError before anything is read for a continuation that is longer.
    """
    if longest := max((len(one.ids) for one in asked if len(one.ids) > window), default=0):
        raise UsageError(
            f"a continuation has {longest} tokens, and no more than {window} can be read at a time"
        )
    seen = [(*one.context, *one.ids)[-window - 1 :] for one in asked]
    decoder = Decoder(model, Settings.make("greedy", {"capture": "false"}), PROVISIONAL, seed=0)
    held: Sequence[int] = ()
    for n in sorted(range(len(asked)), key=seen.__getitem__):
        ids, last = seen[n], len(seen[n]) - len(asked[n].ids) - 1
        decoder.rewind(min(common(held, ids), last))
        decoder.prefill(ids[decoder.length : last])
        choices = list(decoder.measure(ids[last:]))
        held = ids[:-1]
        logprob = sum(choice.logprob for choice in choices)
        yield n, Likelihood(logprob, all(choice.rank == 0 for choice in choices))
