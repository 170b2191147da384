"""The most likely tokens before the steepest fall of the logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

_HEAD = 2048
"""So many of the most likely are looked at: a fall further down counts for less than a
two-thousandth of the same one at the top.
"""


@dataclass(frozen=True, kw_only=True)
class MinK(Link):
    """Ding and others, 2026 (arXiv 2604.11012)."""

    min_k_tau: float = number(
        0.0,
        1000.0,
        default=3.0,
        doc="at least tau / range are kept",
        step=(0.5, 5.0),
        tune=(0.5, 20.0),
    )

    summary: ClassVar[str] = "the most likely tokens before the steepest fall of the logits"
    formula: ClassVar[tuple[str, ...]] = (
        "fall of rank i = (logit i - logit i+1) / range / i",
        "rank <= max(that of the greatest fall, floor(tau / range))",
    )

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        tau = at.p["min_k_tau"]
        size = min(_HEAD, pool.logits.shape[0])
        keys = -pool.logits
        head = keys if size == keys.shape[0] else mx.partition(keys, size)[:size]
        low = mx.min(mx.where(pool.logits > -mx.inf, pool.logits, mx.inf))
        ordered = mx.maximum(-mx.sort(head), low)
        span = pool.peak - low + 1e-8
        falls = (ordered[:-1] - ordered[1:]) / mx.arange(1, size) if size > 1 else mx.zeros(1)
        count = mx.maximum(mx.argmax(falls) + 1, mx.floor(tau / span))
        last = ordered[mx.clip(count, 1, size).astype(mx.int32) - 1]
        return pool.keep(pool.logits >= last), tau
