"""Logits within some standard deviations of the greatest."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class TopNSigma(Link):
    """Tang and others, 2024 (arXiv 2411.07641), over the tokens that are left, as llama.cpp. It
    keeps the same tokens at every temperature; 0 keeps all.
    """

    n_sigma: float = number(
        0.0,
        20.0,
        default=1.0,
        doc="standard deviations of the logits; 0: all",
        step=(0.1, 0.5),
        tune=(0.3, 3.0),
    )

    summary: ClassVar[str] = "logits within n standard deviations of the greatest"
    formula: ClassVar[tuple[str, ...]] = ("logit >= max logit - n_sigma sd(logits)",)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        n = at.p["n_sigma"]
        left = pool.logits > -mx.inf
        count = mx.sum(left)
        below = mx.where(left, pool.below, 0.0)
        off = mx.where(left, below - mx.sum(below) / count, 0.0)
        sigma = mx.sqrt(mx.sum(off * off) / count)
        return pool.keep((pool.below >= -n * sigma) | (n == 0)), n
