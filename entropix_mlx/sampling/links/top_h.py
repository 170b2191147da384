"""As many of the most likely tokens as have a share of the entropy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class TopH(Link):
    """Potraghloo and others, 2025 (arXiv 2509.02510). The entropy of the most likely ones grows
    with each that is added, so the most that are allowed are found.
    """

    top_h: float = number(
        0.01,
        1,
        default=0.4,
        doc="share of the entropy that is kept",
        step=(0.01, 0.1),
        tune=(0.1, 0.9),
    )

    summary: ClassVar[str] = "as many of the most likely tokens as keep a share of the entropy"
    formula: ClassVar[tuple[str, ...]] = ("entropy of what is kept <= top_h entropy",)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling import selection

        share = at.p["top_h"]
        most = mx.where(share < 1, share * pool.entropy, mx.inf)

        def worth(keys: mx.array) -> tuple[mx.array, mx.array]:
            odds = selection.of_greatest_first(keys)
            return odds, odds * mx.log(mx.maximum(odds, _LEAST))

        def above(odds: mx.array, weighted: mx.array) -> mx.array:
            return mx.log(odds) - weighted / odds > most

        keys = selection.greatest_first(pool.odds)
        first = selection.leading(keys, worth, above, 0, through=False)
        return pool.keep(first | (pool.logits == pool.peak)), share


_LEAST = 1e-45
"""The smallest float32; the logarithm of nothing is not wanted."""
