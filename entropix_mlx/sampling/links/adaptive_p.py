"""Tokens near a probability that is aimed at, on average over the past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.records.measures import Measure, sampled
from entropix_mlx.sampling.link import At, Drawn, Link, State
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import Past

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

MEAN = sampled("mean_p")

_WIDTH, _PEAK, _SHARPNESS = 0.3, 5.0, 10.0


@dataclass(frozen=True, kw_only=True)
class AdaptiveP(Link):
    """As llama.cpp has it (its pull request 17927), after a min-p of its own: without one, the many
    unlikely tokens outweigh those that are aimed at. What is forced leaves the mean as it is.
    """

    adaptive_target: float = number(
        0, 1, default=0.5, doc="probability that is aimed at", step=(0.05, 0.25), tune=(0.2, 0.9)
    )
    adaptive_decay: float = number(
        0, 0.99, default=0.9, doc="weight of the past in the mean", step=(0.01, 0.1)
    )
    adaptive_min_p: float = number(
        0, 1, default=0.05, doc="share of the top probability", step=(0.01, 0.05)
    )

    summary: ClassVar[str] = "tokens near a probability that is aimed at on average"
    formula: ClassVar[tuple[str, ...]] = (
        "p >= adaptive_min_p max p",
        "d = |p - clip(2 adaptive_target - mean, 0, 1)| / 0.3",
        "logit = 5 - 10 d^2 / (1 + d)",
        "mean <- adaptive_decay mean + (1 - adaptive_decay) p, from adaptive_target on",
    )
    last: ClassVar[bool] = True
    measures: ClassVar[tuple[Measure, ...]] = (MEAN,)
    arrays: ClassVar[int] = 1

    @staticmethod
    def state(values: Mapping[str, Any], path: Sequence[Past]) -> State:
        import mlx.core as mx

        told = (past.measures.get(MEAN.name) for past in reversed(path))
        mean = next((mean for mean in told if mean is not None), values["adaptive_target"])
        return (mx.array(mean, mx.float32),)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        aim = mx.clip(2 * at.p["adaptive_target"] - at.state[0], 0.0, 1.0)
        left = _likely(pool, at)
        distance = mx.abs(left.p - aim) / _WIDTH
        logits = _PEAK - _SHARPNESS * distance * distance / (1 + distance)
        return Pool(mx.where(left.logits > -mx.inf, logits, -mx.inf)), aim

    @staticmethod
    def remember(entered: "Pool", at: At, drawn: Drawn) -> "tuple[State, tuple[mx.array, ...]]":
        import mlx.core as mx

        (mean,) = at.state
        weight = at.p["adaptive_decay"]
        p = _likely(entered, at).p[drawn.place]
        mean = mx.where(drawn.free, weight * mean + (1 - weight) * p, mean)
        return (mean,), (mean,)


def _likely(pool: "Pool", at: At) -> "Pool":
    import mlx.core as mx

    return pool.keep(pool.logits - pool.peak >= mx.log(at.p["adaptive_min_p"]))
