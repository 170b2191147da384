"""The k most likely tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

_NEVER = 0x7F800001
"""The key of what was removed."""


@dataclass(frozen=True, kw_only=True)
class TopK(Link):
    """Equally likely ones in the order of their ids; 0 keeps all."""

    top_k: int = number(
        0, 10_000_000, default=40, doc="how many are kept; 0: all", step=(1, 10), tune=(2, 100)
    )

    summary: ClassVar[str] = "the k most likely tokens"
    formula: ClassVar[tuple[str, ...]] = ("rank < top_k",)
    setting: ClassVar[str | None] = "top_k"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling import metrics, selection

        k = at.p["top_k"]
        first = selection.leading(
            -metrics.in_order(pool.logits),
            lambda keys: ((keys < _NEVER).astype(mx.float32),),
            lambda count: (count >= k) & (k > 0),
            _NEVER,
            through=True,
        )
        return pool.keep(first), k
