"""A given text under a model: the distribution that each of its tokens met."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import mlx.core as mx

from entropix_mlx import metrics, strategies
from entropix_mlx.calibration import METRICS, Calibration
from entropix_mlx.decoding import Choice
from entropix_mlx.records import QUADRANTS, REGIONS, TokenRecord
from entropix_mlx.sampling import CANDIDATES
from entropix_mlx.session import token_record
from entropix_mlx.settings import Settings
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.utf8 import Utf8Stream


def score(
    model: LanguageModel,
    ids: Sequence[int],
    calibration: Calibration,
    on_chunk: Callable[[int, int], object] = lambda _done, _total: None,
) -> Iterator[TokenRecord]:
    """One record a token; the first one met no distribution, so its measures are None.

    The same metrics as when the tokens are generated one by one, from chunks of bounded memory.
    `p` of the candidates is that of the raw distribution. `on_chunk(done, total)` counts tokens.
    Raises ContextLengthError before anything is read.
    """
    if not ids:
        raise UsageError("there is nothing to score: the text has no tokens")
    if len(ids) > model.facts.context_length:
        raise ContextLengthError(
            f"the text is {len(ids)} tokens long, the context of {model.facts.name} is "
            f"{model.facts.context_length}; score a part of it"
        )
    return _records(model, ids, calibration, on_chunk)


def _records(
    model: LanguageModel,
    ids: Sequence[int],
    calibration: Calibration,
    on_chunk: Callable[[int, int], object],
) -> Iterator[TokenRecord]:
    tokenizer, utf8 = model.tokenizer, Utf8Stream()
    parameters = strategies.parameters(Settings.make("greedy").bind(calibration), calibration)
    first = tokenizer.token_bytes(ids[0])
    nothing: dict[str, Any] = dict.fromkeys(_MEASURES)
    yield TokenRecord(
        index=0, parent=-1, id=ids[0], text=utf8.feed(first), bytes=first.hex(), **nothing
    )
    cache, chunk = model.new_cache(), model.prefill_chunk
    for start in range(0, len(ids) - 1, chunk):
        on_chunk(start, len(ids) - 1)
        targets = ids[start + 1 : start + 1 + chunk]
        read = mx.array(list(ids[start : start + len(targets)]))
        step = model.step(read, cache, metrics.attention_statistics)
        assert step.attention is not None
        arrays = _measure(step.logits, mx.mean(step.attention, axis=0), targets, parameters)
        mx.eval(*arrays, [layer.state for layer in cache])
        columns = [cast("list[Any]", array.tolist()) for array in arrays]
        mx.clear_cache()
        for i, (target, row) in enumerate(
            zip(targets, zip(*columns, strict=True), strict=True), start + 1
        ):
            text = utf8.feed(tokenizer.token_bytes(target))
            yield token_record(tokenizer, _choice(target, row), i, text, None)
    on_chunk(len(ids) - 1, len(ids) - 1)


_MEASURES = ("logprob", "rank", *METRICS, "quadrant", "region", "strategy")


def _measure(
    logits: mx.array, attention: mx.array, targets: Sequence[int], p: strategies.Parameters
) -> tuple[mx.array, ...]:
    """Everything a record says, `[rows, ...]` each."""
    ids = mx.array(list(targets))
    moments = metrics.moments(logits)
    normaliser = moments.log_normaliser[:, None]
    listed, values = metrics.top(logits, min(CANDIDATES, logits.shape[-1]))
    own = mx.take_along_axis(logits.astype(mx.float32), ids[:, None], axis=-1) - normaliser
    corners = strategies.quadrants(moments.entropy, moments.varentropy, p)
    regions = strategies.regions(moments.entropy, moments.varentropy, p)
    return (
        moments.entropy,
        moments.varentropy,
        attention,
        corners,
        regions,
        own[:, 0],
        metrics.rank(logits, ids),
        listed,
        values - normaliser,
        mx.exp(values - normaliser),
        mx.exp(own[:, 0]),
    )


def _choice(target: int, row: tuple[Any, ...]) -> Choice:
    entropy, varentropy, attention, quadrant, region, logprob, rank, listed, logprobs, ps, p = row
    candidates = list(zip(listed, logprobs, ps, strict=True))
    if target not in listed:
        candidates.append((target, logprob, p))
    return Choice(
        id=target,
        rank=rank,
        logprob=logprob,
        entropy=entropy,
        varentropy=varentropy,
        attention=attention,
        quadrant=QUADRANTS[quadrant],
        region=REGIONS[region],
        strategy=None,
        forced=False,
        temperature=None,
        top_k=None,
        top_p=None,
        min_p=None,
        candidates=candidates,
    )
