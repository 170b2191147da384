"""The family's second public sampler, the "frog": all six metrics have to agree on a corner."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from entropix_mlx.records.quadrants import Quadrant
from entropix_mlx.records.record import REGIONS, TokenRecord
from entropix_mlx.sampling import explanation
from entropix_mlx.sampling.calibration import METRICS
from entropix_mlx.sampling.explanation import Line
from entropix_mlx.sampling.parameters import usually
from entropix_mlx.sampling.rules import Rule, Rules
from entropix_mlx.sampling.samplers.entropixplained import Entropixplained
from entropix_mlx.sampling.samplers.original import Original

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Seen


class _Needs(NamedTuple):
    """What a metric of the attention has to be in a corner: over a level, or under it."""

    metric: str
    above: bool
    level: float


_SPREAD, _UNEVEN, _AGREES, _STRONG = METRICS[2:]
_QUIET = (
    _Needs(_SPREAD, False, 1.6),
    _Needs(_UNEVEN, False, 0.25),
    _Needs(_AGREES, False, 2.2e-3),
    _Needs(_STRONG, False, 6.06),
)
CORNERS: dict[Quadrant, tuple[_Needs, ...]] = {
    "LELV": _QUIET,
    "HELV": _QUIET,
    "LEHV": (
        _Needs(_SPREAD, False, 1.6),
        _Needs(_UNEVEN, True, 1.5),
        _Needs(_AGREES, False, 2.2e-3),
        _Needs(_STRONG, True, 6.06),
    ),
    "HEHV": (
        _Needs(_SPREAD, True, 5.0),
        _Needs(_UNEVEN, True, 1.5),
        _Needs(_AGREES, True, 3.8e-3),
        _Needs(_STRONG, True, 7.0),
    ),
}
"""The MLX port's levels for Llama-3.2-1B: the frog's own are of a cache filled up with zeros."""


@dataclass(frozen=True, kw_only=True)
class Frog(Entropixplained):
    """Entropy and varentropy enter the middle's formulas one by one; the agreement is literal."""

    temperature: float = usually(Entropixplained, "temperature", 0.666)
    draws: int = usually(Entropixplained, "draws", 5)
    lelv_entropy: float | None = usually(Entropixplained, "lelv_entropy", 0.01)
    lelv_varentropy: float | None = usually(Entropixplained, "lelv_varentropy", 0.05)
    helv_entropy: float | None = usually(Entropixplained, "helv_entropy", 2.1)
    helv_varentropy: float | None = usually(Entropixplained, "helv_varentropy", 0.05)
    lehv_entropy: float | None = usually(Entropixplained, "lehv_entropy", 2.1)
    lehv_varentropy: float | None = usually(Entropixplained, "lehv_varentropy", 5.8)
    hehv_entropy: float | None = usually(Entropixplained, "hehv_entropy", 0.7)
    hehv_varentropy: float | None = usually(Entropixplained, "hehv_varentropy", 5.8)

    summary: ClassVar[str] = "the family's second: six metrics have to agree on a corner"
    rules: ClassVar[Rules] = {
        **Original.rules,
        "adaptive": (
            Rule("temperature", ((0.3, "H"), (0.2, "A"), (-0.2, "G"))),
            Rule("top_k", ((0.3, "I"), (-0.2, "G")), low=1, high=100),
            Rule("top_p", ((0.1, "B"),), low=0.1, high=1),
            Rule("min_p", ((-0.5, "V"),), low=0.01, high=0.5),
        ),
    }

    @classmethod
    def region(cls, means: "mx.array", seen: "Seen") -> "mx.array":
        import mlx.core as mx

        from entropix_mlx.records.quadrants import is_met
        from entropix_mlx.sampling.regions import names

        values = {name: means[n] for n, name in enumerate(METRICS)}
        values["agreement"] = cls.agreement(values["agreement"], seen)
        found = mx.array(REGIONS.index("MID"), mx.int32)
        for corner, needs in reversed(CORNERS.items()):  # the first that holds is laid on last
            bounds = (seen.p[name] for name in names(corner))
            met = is_met(corner, means[0], means[1], *bounds)
            for metric, over, level in needs if seen.attention else ():
                value = values[metric]
                met = met & (value > level if over else value < level)
            found = mx.where(met, REGIONS.index(corner), found)
        return found

    @classmethod
    def documentation(cls) -> list[str]:
        lines = super().documentation()
        for corner, needs in CORNERS.items():
            sides = (f"{metric} {'<>'[over]} {level:g}" for metric, over, level in needs)
            lines.append(f"{corner:<5} also needs {', '.join(sides)}")
        return lines

    def ruled(self, record: TokenRecord) -> list[Line]:
        if record.region is None:
            return []
        return [
            Line("rule", explanation.ruling(record.region)),
            Line("note", "all six metrics have to agree on a corner"),
        ]
