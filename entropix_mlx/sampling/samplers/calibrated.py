"""The guide's directions on metrics scaled by the model's calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from entropix_mlx.sampling import rules
from entropix_mlx.sampling.calibration import METRICS, Calibration
from entropix_mlx.sampling.entropix import Entropix
from entropix_mlx.sampling.explanation import Told
from entropix_mlx.sampling.parameters import number, usually
from entropix_mlx.sampling.rules import METRIC_OF, Entered
from entropix_models.errors import UsageError

_WORDS = {"A": "attention entropy", "B": "attention varentropy", "I": "interaction"}


@dataclass(frozen=True, kw_only=True)
class Calibrated(Entropix):
    """Thresholds are the model's, every metric but the agreement enters as its place in the range
    that is usual, and the temperature is kept within limits.

    An answer holds nothing that was not drawn, unless it is asked for.
    """

    resamples: int = usually(Entropix, "resamples", 12)
    min_temperature: float = number(
        0.01, 10, default=0.3, doc="floor of the temperature", step=(0.05, 0.25), group="limits"
    )
    max_temperature: float = number(
        0.01, 100, default=1.5, doc="cap of the temperature", step=(0.05, 0.25), group="limits"
    )

    look_ahead: int = number(
        0,
        16,
        default=0,
        doc="candidates of the middle whose next step is looked at; 0: none",
        step=(1, 4),
        group="limits",
    )

    summary: ClassVar[str] = (
        "strategies by entropy and varentropy, thresholds of the model (default)"
    )

    def check(self) -> None:
        low, high = self.min_temperature, self.max_temperature
        if low > high:
            raise UsageError(f"min_temperature {low:g} is above max_temperature {high:g}")
        if self.look_ahead and self.clarify != "off":
            raise UsageError(
                f"look_ahead={self.look_ahead} goes with clarify=off: a text that is put in was "
                "not looked at"
            )

    @classmethod
    def documentation(cls) -> list[str]:
        return [
            *super().documentation(),
            "look_ahead: of the draws the best by log p " + rules.documented_confidence(),
            "            after the candidate",
        ]

    def scaling(self, calibration: Calibration) -> dict[str, float | list[float]]:
        ranges = calibration.ranges | {"agreement": (0.0, 1.0)}
        return {
            "floors": [ranges[name][0] for name in METRICS],
            "scales": [1 / max(high - low, 1e-6) for low, high in (ranges[n] for n in METRICS)],
            "ceiling": 1.0,
        }

    def entered(self, symbol: str, told: Told) -> Entered:
        value = getattr(told.record, METRIC_OF[symbol])
        if symbol == "G" and value is not None and self.rolling == 1:
            return Entered.known(value)
        return Entered(symbol, 0.0, 1.0)

    def legend(self, symbols: Sequence[str]) -> str:
        names = ", ".join(symbols)
        if self.rolling < 1:
            mean = "mean" if len(symbols) == 1 else "means"
            return f"{names}: {mean} over past tokens, scaled to 0..1"
        spelt = _WORDS.get(symbols[0], "") if len(symbols) == 1 else ""
        what = f"{names}: {spelt} scaled" if spelt else f"{names}: scaled"
        return f"{what} to 0..1 by the model's calibration; more is hotter"
