"""The nucleus: the fewest of the most likely tokens that have a mass together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class TopP(Link):
    """Holtzman and others, 2019. A mass of 1 keeps all."""

    top_p: float = number(
        0.01, 1, default=0.9, doc="mass of the nucleus", step=(0.01, 0.1), tune=(0.5, 1.0)
    )

    summary: ClassVar[str] = "the fewest of the most likely tokens with a mass together"
    formula: ClassVar[tuple[str, ...]] = ("sum of the p before it < top_p",)
    setting: ClassVar[str | None] = "top_p"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling import selection

        mass = at.p["top_p"]
        enough = mx.where(mass < 1, mass * pool.total, mx.inf)
        nucleus = selection.leading(
            selection.greatest_first(pool.odds * pool.likely(mass)),
            lambda keys: (selection.of_greatest_first(keys),),
            lambda found: found >= enough,
            0,
            through=True,
        )
        return pool.keep(nucleus), mass
