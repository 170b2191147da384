"""The guide to the letter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling.calibration import METRICS, Calibration
from entropix_mlx.sampling.entropix import Entropix
from entropix_mlx.sampling.explanation import Told
from entropix_mlx.sampling.parameters import usually
from entropix_mlx.sampling.rules import METRIC_OF, Entered

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Seen


@dataclass(frozen=True, kw_only=True)
class Entropixplained(Entropix):
    """The guide's own thresholds; raw metrics enter, and its literal agreement."""

    temperature: float = usually(Entropix, "temperature", 1.0)
    lelv_entropy: float | None = usually(Entropix, "lelv_entropy", 0.1)
    lelv_varentropy: float | None = usually(Entropix, "lelv_varentropy", 0.1)
    helv_entropy: float | None = usually(Entropix, "helv_entropy", 3.0)
    helv_varentropy: float | None = usually(Entropix, "helv_varentropy", 0.1)
    lehv_entropy: float | None = usually(Entropix, "lehv_entropy", 5.0)
    lehv_varentropy: float | None = usually(Entropix, "lehv_varentropy", 5.0)
    hehv_entropy: float | None = usually(Entropix, "hehv_entropy", 5.0)
    hehv_varentropy: float | None = usually(Entropix, "hehv_varentropy", 5.0)
    resample_floor: float = usually(Entropix, "resample_floor", 2.0)
    clarify: str = usually(Entropix, "clarify", "guide")

    summary: ClassVar[str] = "the guide's fixed thresholds and formulas, to the letter"

    def scaling(self, calibration: Calibration) -> dict[str, float | list[float]]:
        del calibration  # raw metrics enter
        return {
            "floors": [0.0] * len(METRICS),
            "scales": [1.0] * len(METRICS),
            "ceiling": math.inf,
        }

    @classmethod
    def agreement(cls, scaled: "mx.array", seen: "Seen") -> "mx.array":
        return 2 * (1 - scaled) / seen.keys

    def entered(self, symbol: str, told: Told) -> Entered:
        value = getattr(told.record, METRIC_OF[symbol])
        if value is None or self.rolling < 1:
            return Entered(symbol, 0.0, math.inf)
        if symbol != "G":
            return Entered.known(value)
        literal = 2 * (1 - value)
        return (
            Entered("G", 0.0, literal) if told.keys is None else Entered.known(literal / told.keys)
        )

    def legend(self, symbols: Sequence[str]) -> str:
        if self.rolling < 1:
            mean = "mean" if len(symbols) == 1 else "means"
            return f"{', '.join(symbols)}: {mean} over past tokens"
        return "G: the guide's own agreement, 2 (1 - agreement) / keys"
