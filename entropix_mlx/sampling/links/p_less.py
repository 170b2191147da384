"""A floor that is the chance of drawing the same token twice."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class PLess(Link):
    """Tan and others, 2025 (arXiv 2509.23234). Nothing to set."""

    summary: ClassVar[str] = "tokens at least as likely as drawing one twice; nothing to set"
    formula: ClassVar[tuple[str, ...]] = ("p >= sum p^2",)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        del at
        twice = mx.sum(pool.odds * pool.odds) / pool.total
        # As the favourite's odds are never below it, but for a rounding.
        floor = mx.minimum(twice, mx.max(pool.odds))
        return pool.keep(pool.odds >= floor), floor / pool.total
