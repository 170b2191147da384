"""A floor that is a share of the favourite's probability."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class MinP(Link):
    """Nguyen and others, 2024 (arXiv 2407.01082)."""

    min_p: float = number(
        0, 1, default=0.05, doc="share of the top probability", step=(0.01, 0.05), tune=(0.01, 0.5)
    )

    summary: ClassVar[str] = "tokens with a share of the favourite's probability"
    formula: ClassVar[tuple[str, ...]] = ("p >= min_p max p",)
    setting: ClassVar[str | None] = "min_p"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        share = at.p["min_p"]
        return pool.keep(pool.logits - pool.peak >= mx.log(share)), share
