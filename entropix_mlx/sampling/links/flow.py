"""Cool where the model flows, hot where the path forks."""

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
class Flow(Link):
    """By the raw entropy against percentiles of the model's own calibration (45 and 80 %): four
    tokens in five decide little, the fifth is a fork (Wang and others, 2025, arXiv 2506.01939).
    """

    flow_cool: float = number(
        0.01,
        10,
        default=0.5,
        doc="temperature up to the low percentile",
        step=(0.05, 0.25),
        tune=(0.1, 1.0),
    )
    flow_heat: float = number(
        0.01,
        10,
        default=1.1,
        doc="temperature from the high percentile on",
        step=(0.05, 0.25),
        tune=(0.5, 2.0),
    )

    summary: ClassVar[str] = (
        "cool the flow, heat the forks: a temperature by the model's percentiles"
    )
    formula: ClassVar[tuple[str, ...]] = (
        "T = flow_cool up to lelv_entropy, flow_heat from helv_entropy on, a line between",
    )
    setting: ClassVar[str | None] = "temperature"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        low, high = at.p["lelv_entropy"], at.p["helv_entropy"]
        share = mx.clip((at.measured[0] - low) / mx.maximum(high - low, 1e-6), 0.0, 1.0)
        t = at.p["flow_cool"] + (at.p["flow_heat"] - at.p["flow_cool"]) * share
        return Pool(pool.logits / t), t

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        cool, heat = values["flow_cool"], values["flow_heat"]
        return f"T {record.temperature:.4g} by the entropy, of {cool:g} to {heat:g}"
