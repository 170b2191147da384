"""Tokens about as surprising as the distribution is on average."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

_NEVER = 0x7F800000 << 32
"""The key of an infinite gap: the high half of a key are the bits of the gap, which are ordered as
what they stand for, as it is never negative; the low half are those of the odds.
"""


@dataclass(frozen=True, kw_only=True)
class Typical(Link):
    """Meister and others, 2022 (arXiv 2202.00666). A mass of 1 keeps all."""

    typical_p: float = number(
        0.01, 1, default=0.9, doc="mass of the typical tokens", step=(0.01, 0.1), tune=(0.2, 1.0)
    )

    summary: ClassVar[str] = "the tokens whose surprisal is nearest to the entropy"
    formula: ClassVar[tuple[str, ...]] = (
        "gap = |-log p - entropy|",
        "sum of the p of smaller gaps < typical_p",
    )
    takes_best: ClassVar[bool] = True

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling import metrics, selection

        mass = at.p["typical_p"]
        # -log p - entropy = mean of the logits - logit: the normalisers cancel.
        gap = mx.abs(pool.mean - pool.below)
        # Gaps beyond the favourite's come in the order of the odds, unlikely ones last. A gap by
        # nothing is infinite, in less time than a choice, which a CPU guesses token by token.
        may = metrics.either(pool.likely(mass), gap <= -pool.mean)
        # What a gap is worth travels in its key, as gaps of both sides are alike.
        keys = mx.view(mx.stack([pool.odds * may, gap / may], axis=-1), mx.int64)[:, 0]
        enough = mx.where(mass < 1, mass * pool.total, mx.inf)
        typical = selection.leading(
            keys,
            lambda keys: (mx.view(keys.astype(mx.uint32), mx.float32),),
            lambda found: found >= enough,
            _NEVER,
            through=True,
        )
        return pool.keep(typical), mass
