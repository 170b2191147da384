"""Logits divided by a temperature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.link import At, Link
from entropix_mlx.sampling.parameters import number

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Temperature(Link):
    """The same for every token."""

    temperature: float = number(
        0.01, 10, default=0.7, doc="base temperature T0", step=(0.05, 0.25), tune=(0.1, 2.0)
    )

    summary: ClassVar[str] = "logits divided by a temperature"
    formula: ClassVar[tuple[str, ...]] = ("logit / temperature",)
    setting: ClassVar[str | None] = "temperature"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        from entropix_mlx.sampling.pool import Pool

        t = at.p["temperature"]
        return Pool(pool.logits / t), t

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        del record
        return f"T {values['temperature']:g}"
