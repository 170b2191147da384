"""A temperature that falls where the entropy is low."""

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
class Edt(Link):
    """Entropy-based dynamic temperature (Zhang and others, 2024, arXiv 2403.14541); nats."""

    edt_temperature: float = number(
        0.01,
        10,
        default=0.8,
        doc="T0, where nothing is certain",
        step=(0.05, 0.25),
        tune=(0.1, 1.5),
    )
    edt_theta: float = number(
        0.0, 20.0, default=1.0, doc="how much certainty cools", step=(0.1, 0.5), tune=(0.1, 3.0)
    )

    summary: ClassVar[str] = "a temperature that falls where the entropy is low"
    formula: ClassVar[tuple[str, ...]] = (
        "T = max(0.01, edt_temperature 0.8^(edt_theta / entropy))",
    )
    setting: ClassVar[str | None] = "temperature"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        entropy = mx.maximum(pool.entropy, 1e-6)
        t = mx.maximum(at.p["edt_temperature"] * 0.8 ** (at.p["edt_theta"] / entropy), 0.01)
        return Pool(pool.logits / t), t

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        return f"T {record.temperature:.4g} by the entropy, from {values['edt_temperature']:g}"
