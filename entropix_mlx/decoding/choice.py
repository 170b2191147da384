"""One token and its distribution as host values: what a record says, but for text and place."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant
from entropix_mlx.records.record import REGIONS, Region
from entropix_mlx.sampling import draw, metrics
from entropix_mlx.sampling.decision import Decision, forces
from entropix_mlx.sampling.draw import Scalars
from entropix_mlx.sampling.past import LISTED, Past
from entropix_mlx.sampling.support import CANDIDATES
from entropix_models.errors import DamagedFileError

AttentionMetrics = tuple[float, float, float, float]


class Choice(NamedTuple):
    """A drawn, forced or given token.

    `candidates`: `(id, log-probability, final probability)`, most likely first, the chosen one
    last if it is not among them. Attention metrics are None where they were not measured;
    `measures`: the sampler's own, None for what is no number; `heads`: float32 `[layers, heads]`,
    each head's entropy in bits, where that was asked for.
    """

    id: int
    rank: int
    logprob: float
    entropy: float
    varentropy: float
    attention: AttentionMetrics | None
    quadrant: Quadrant | None
    region: Region
    candidates: list[tuple[int, float, float]]
    strategy: str | None = None
    forced: str | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    measures: Mapping[str, float | None] = {}
    heads: npt.NDArray[np.float32] | None = None

    @property
    def past(self) -> Past:
        """What a sampler may remember of it."""
        attention = self.attention or (0.0, 0.0, 0.0, 0.0)
        measured = (self.entropy, self.varentropy, *attention)
        logprobs = tuple(logprob for _, logprob, _ in self.candidates[:LISTED])
        return Past(self.id, self.forced, measured, self.measures, logprobs)


def drawn(decision: Decision, *, attention: bool) -> Choice:
    """What a sampler made of a distribution: here the host waits for the device.

    `attention`: whether it was measured. Raises DamagedFileError for logits that are not finite.
    """
    ints, floats = decision.read()
    sampler = decision.sampler
    entropy, varentropy, *seen = floats.measured
    _require_finite(entropy)
    forced = forces(sampler)[ints.forced]
    strategy = list(sampler.strategies)[ints.strategy]
    random = forced is None and sampler.strategies[strategy].random
    candidates = (ints.listed, floats.logprobs, floats.ps)
    return Choice(
        id=ints.id,
        rank=ints.rank,
        logprob=floats.logprob,
        entropy=entropy,
        varentropy=varentropy,
        attention=cast("AttentionMetrics", tuple(seen)) if attention else None,
        quadrant=_quadrant(ints.quadrant),
        region=REGIONS[ints.region],
        # A text that has begun is finished wherever its later ids are.
        strategy=forced if forced in sampler.strategies else strategy,
        forced=forced,
        temperature=floats.temperature if random else None,
        top_k=ints.top_k if random else None,
        top_p=floats.top_p if random else None,
        min_p=floats.min_p if random else None,
        candidates=_candidates(ints.id, floats.logprob, floats.p, *candidates),
        measures={
            measure.name: value if math.isfinite(value) else None
            for measure, value in zip(sampler.measures, floats.measures, strict=True)
        },
    )


def given(
    logits: mx.array, attention: mx.array | None, ids: Sequence[int], p: Scalars
) -> list[Choice]:
    """Tokens that were not drawn, and the distributions that they met.

    `logits` `[rows, vocabulary]`, `attention` float32 `[rows, 4]` or None, `ids` one a row. The
    final probability is the raw one. Waits for the device. Raises as `drawn`.
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
        draw.quadrant(moments.entropy, moments.varentropy, p),
        draw.region(moments.entropy, moments.varentropy, p),
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
    _require_finite(entropy)
    return Choice(
        id=id,
        rank=rank,
        logprob=logprob,
        entropy=entropy,
        varentropy=varentropy,
        attention=(seen[0], seen[1], seen[2], seen[3]) if attention else None,
        quadrant=_quadrant(quadrant),
        region=REGIONS[region],
        candidates=_candidates(id, logprob, p, listed, logprobs, ps),
    )


def _require_finite(entropy: float) -> None:
    """Logits that are no numbers, or infinite, leave no entropy."""
    if not math.isfinite(entropy):
        raise DamagedFileError(
            "the model's logits are not finite: its weights are damaged, or too large for its "
            "precision; fetch the model again, or use another"
        )


def _quadrant(number: int) -> Quadrant | None:
    return None if number < 0 else QUADRANTS[number]


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
