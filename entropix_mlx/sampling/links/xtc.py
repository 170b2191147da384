"""The favourites are left out, now and then."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Xtc(Link):
    """ "Exclude top choices", as llama.cpp and mlx-lm have it: of the tokens that reach the
    threshold all but the least likely go, as often as the probability says.
    """

    xtc_probability: float = number(
        0, 1, default=0.5, doc="how often the favourites go", step=(0.05, 0.25), tune=(0.1, 0.9)
    )
    xtc_threshold: float = number(
        0,
        0.5,
        default=0.1,
        doc="what a favourite's p is at least",
        step=(0.01, 0.05),
        tune=(0.02, 0.4),
    )

    summary: ClassVar[str] = "now and then without the favourites, but for the least of them"
    formula: ClassVar[tuple[str, ...]] = (
        "p <= the least p >= xtc_threshold, with probability xtc_probability",
    )
    takes_best: ClassVar[bool] = True

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        chance, threshold = at.p["xtc_probability"], at.p["xtc_threshold"]
        reach = (pool.p >= threshold) & (pool.odds > 0)
        least = mx.min(mx.where(reach, pool.odds, mx.inf))
        goes = mx.random.uniform(key=at.key) < chance
        return pool.keep((pool.odds <= least) | ~goes), chance
