"""One token and its distribution as host values: what a record says, but for text and place."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from entropix_mlx.records.record import QUADRANTS, REGIONS, Forced, Quadrant, Region, Strategy
from entropix_mlx.sampling import metrics, strategies
from entropix_mlx.sampling.sampler import CANDIDATES, Decision
from entropix_mlx.sampling.state import FORCED
from entropix_mlx.sampling.strategies import STRATEGIES

AttentionMetrics = tuple[float, float, float, float]


class Choice(NamedTuple):
    """A drawn, forced or given token.

    `candidates`: `(id, log-probability, final probability)`, most likely first, the chosen one
    last if it is not among them. Attention metrics are None where they were not measured; `heads`:
    float32 `[layers, heads]`, each head's entropy in bits, where that was asked for.
    """

    id: int
    rank: int
    logprob: float
    entropy: float
    varentropy: float
    attention: AttentionMetrics | None
    quadrant: Quadrant
    region: Region
    strategy: Strategy | None
    forced: Forced | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    candidates: list[tuple[int, float, float]]
    heads: npt.NDArray[np.float32] | None = None


def drawn(decision: Decision, *, attention: bool) -> Choice:
    """What a sampler made of a distribution: here the host waits for the device.

    `attention`: whether it was measured.
    """
    ints: list[Any] = cast("list[Any]", decision.ints.tolist())
    floats: list[Any] = cast("list[Any]", decision.floats.tolist())
    token, rank, quadrant, region, strategy, forced, top_k, *listed = ints
    logprob, p = floats[9:11]
    logprobs, ps = floats[11 : 11 + len(listed)], floats[11 + len(listed) :]
    random = not forced and STRATEGIES[strategy] != "greedy"
    return Choice(
        id=token,
        rank=rank,
        logprob=logprob,
        entropy=floats[0],
        varentropy=floats[1],
        attention=(floats[2], floats[3], floats[4], floats[5]) if attention else None,
        quadrant=QUADRANTS[quadrant],
        region=REGIONS[region],
        strategy="clarify" if FORCED[forced] == "clarify" else STRATEGIES[strategy],
        forced=FORCED[forced],
        temperature=floats[6] if random else None,
        top_k=top_k if random else None,
        top_p=floats[7] if random else None,
        min_p=floats[8] if random else None,
        candidates=_candidates(token, logprob, p, listed, logprobs, ps),
    )


def given(
    logits: mx.array, attention: mx.array | None, ids: Sequence[int], p: strategies.Parameters
) -> list[Choice]:
    """Tokens that were not drawn, and the distributions that they met.

    `logits` `[rows, vocabulary]`, `attention` float32 `[rows, 4]` or None, `ids` one a row. The
    final probability is the raw one. Waits for the device.
    """
    rows = mx.array(list(ids))
    moments = metrics.moments(logits)
    normaliser = moments.log_normaliser[:, None]
    listed, values = metrics.top(logits, min(CANDIDATES, logits.shape[-1]))
    own = mx.take_along_axis(logits.astype(mx.float32), rows[:, None], axis=-1) - normaliser
    arrays = (
        moments.entropy,
        moments.varentropy,
        mx.zeros((len(ids), 4)) if attention is None else attention,
        strategies.quadrants(moments.entropy, moments.varentropy, p),
        strategies.regions(moments.entropy, moments.varentropy, p),
        own[:, 0],
        metrics.rank(logits, rows),
        listed,
        values - normaliser,
        mx.exp(values - normaliser),
        mx.exp(own[:, 0]),
    )
    mx.eval(*arrays)
    columns = [cast("list[Any]", array.tolist()) for array in arrays]
    return [
        _given(id, row, attention is not None)
        for id, row in zip(ids, zip(*columns, strict=True), strict=True)
    ]


def _given(id: int, row: tuple[Any, ...], attention: bool) -> Choice:
    entropy, varentropy, seen, quadrant, region, logprob, rank, listed, logprobs, ps, p = row
    return Choice(
        id=id,
        rank=rank,
        logprob=logprob,
        entropy=entropy,
        varentropy=varentropy,
        attention=(seen[0], seen[1], seen[2], seen[3]) if attention else None,
        quadrant=QUADRANTS[quadrant],
        region=REGIONS[region],
        strategy=None,
        forced=None,
        temperature=None,
        top_k=None,
        top_p=None,
        min_p=None,
        candidates=_candidates(id, logprob, p, listed, logprobs, ps),
    )


def _candidates(
    id: int,
    logprob: float,
    p: float,
    listed: Sequence[int],
    logprobs: Sequence[float],
    ps: Sequence[float],
) -> list[tuple[int, float, float]]:
    candidates = list(zip(listed, logprobs, ps, strict=True))
    return candidates if id in listed else [*candidates, (id, logprob, p)]
