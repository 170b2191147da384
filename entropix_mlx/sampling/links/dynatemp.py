"""A temperature between two, by the entropy."""

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
class Dynatemp(Link):
    """Dynamic temperature as llama.cpp has it: by the entropy of what is left, as a share of the
    greatest that it could be.
    """

    dynatemp: float = number(
        0.01,
        10,
        default=0.8,
        doc="the middle of the temperatures",
        step=(0.05, 0.25),
        tune=(0.1, 1.5),
    )
    dynatemp_range: float = number(
        0,
        10,
        default=0.5,
        doc="from so far below it to so far above",
        step=(0.05, 0.25),
        tune=(0.0, 1.0),
    )
    dynatemp_exponent: float = number(
        0.01, 10, default=1.0, doc="of the entropy's share", step=(0.05, 0.25)
    )

    summary: ClassVar[str] = "a temperature between two, by the entropy's share of the greatest"
    formula: ClassVar[tuple[str, ...]] = (
        "share = entropy / log(how many are left)",
        "T = dynatemp - dynatemp_range (at 0) + 2 dynatemp_range share^dynatemp_exponent",
    )
    setting: ClassVar[str | None] = "temperature"

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        low = mx.maximum(at.p["dynatemp"] - at.p["dynatemp_range"], 0.0)
        high = at.p["dynatemp"] + at.p["dynatemp_range"]
        greatest = mx.log(mx.sum(pool.logits > -mx.inf).astype(mx.float32))
        share = mx.clip(pool.entropy / mx.maximum(greatest, 1e-6), 0.0, 1.0)
        t = mx.maximum(low + (high - low) * share ** at.p["dynatemp_exponent"], 0.01)
        return Pool(pool.logits / t), t

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        middle, by = values["dynatemp"], values["dynatemp_range"]
        return f"T {record.temperature:.4g} by the entropy, of {middle:g} ± {by:g}"
