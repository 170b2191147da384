"""A temperature that sharpens where the entropy is high."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.link import At, Link

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

_FIT = (-0.037, 0.481, -2.3, 4.917, -1.791)
_FROM = 0.5


@dataclass(frozen=True, kw_only=True)
class AdaptiveTemperature(Link):
    """As in "Softmax is not enough" (Velickovic and others, 2024, arXiv 2410.01104): a fit that was
    made for the heads of attention, here used on the vocabulary. Nats; nothing to set.
    """

    summary: ClassVar[str] = "a temperature that sharpens where the entropy is high; nothing to set"
    formula: ClassVar[tuple[str, ...]] = (
        "b = -0.037 H^4 + 0.481 H^3 - 2.3 H^2 + 4.917 H - 1.791, H the entropy",
        "T = 1 / max(b, 1) where H > 0.5, else 1",
    )
    setting: ClassVar[str | None] = "temperature"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        del at
        h, sharper = pool.entropy, mx.array(0.0)
        for factor in _FIT:
            sharper = sharper * h + factor
        t = mx.where(h > _FROM, 1 / mx.maximum(sharper, 1.0), 1.0)
        return Pool(pool.logits / t), t

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        del values
        return f"T {record.temperature:.4g} by the entropy"
