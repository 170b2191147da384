"""Every knob of a sampler: the presets, their ranges, and the values a run is made with.

Imports no MLX, so that a wrong flag is told before a model is loaded.
"""

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entropix_mlx.sampling.calibration import Calibration
from entropix_models.errors import UsageError


def _number(low: float, high: float, *, default: float, doc: str) -> Any:
    return field(default=default, metadata={"range": (low, high), "doc": doc})


def _threshold(doc: str) -> Any:
    return field(default=None, metadata={"range": (0.0, 1000.0), "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One sampler, completely. Made by `make`, which knows each preset's values and knobs.

    Thresholds are None in a preset that takes them from the model's calibration until `bind`
    fills them in. A corner of the entropy x varentropy plane is met when both of its
    inequalities hold, strictly, in the order LELV, HELV, LEHV, HEHV; the rest is MID.
    """

    preset: str
    temperature: float | None = _number(0.01, 10, default=0.7, doc="base temperature T0")
    top_p: float | None = _number(0.01, 1, default=0.9, doc="base nucleus mass")
    top_k: int | None = _number(0, 100, default=27, doc="base number of candidates")
    min_p: float | None = _number(0, 1, default=0.03, doc="base share of the top probability")
    draws: int | None = _number(1, 64, default=12, doc="draws in the middle, best one kept")
    lelv_entropy: float | None = _threshold("greedy below this entropy (bits)")
    lelv_varentropy: float | None = _threshold("... and below this varentropy (bits^2)")
    helv_entropy: float | None = _threshold("clarify above this entropy")
    helv_varentropy: float | None = _threshold("... and below this varentropy")
    lehv_entropy: float | None = _threshold("explore below this entropy")
    lehv_varentropy: float | None = _threshold("... and above this varentropy")
    hehv_entropy: float | None = _threshold("resample above this entropy")
    hehv_varentropy: float | None = _threshold("... and above this varentropy")
    min_temperature: float | None = _number(0.01, 10, default=0.3, doc="floor of the temperature")
    max_temperature: float | None = _number(0.01, 100, default=1.5, doc="cap of the temperature")
    resample_floor: float | None = _number(0, 10, default=0.0, doc="floor when resampling")
    rolling: float | None = _number(
        0.01, 1, default=1.0, doc="weight of the newest in rolling metrics; 1: no past"
    )
    clarify: bool | None = field(
        default=False, metadata={"doc": "insert the clarifying text; false: only draw hotter"}
    )
    capture: bool = field(default=True, metadata={"doc": "measure attention"})
    layers: str = field(
        default="all", metadata={"doc": "layers averaged for attention: all, or 0,3-5"}
    )

    @classmethod
    def make(cls, preset: str = "calibrated", overrides: Mapping[str, str] = {}) -> "Settings":
        """A preset with some values replaced, given as text.

        The preset is a built-in one or the user's, which comes to its base preset and the values
        that it replaces. Raises UsageError, and what `presets.load` raises if a name is not
        built-in.
        """
        if preset not in PRESETS:
            preset, overrides = _users(preset, overrides)
        values = dict(PRESETS[preset])
        for name, text in overrides.items():
            if name not in values:
                raise UsageError(
                    f"sampler {preset!r} has no setting {name!r}"
                    f"{_did_you_mean(name, values)}; it has: {', '.join(values)}"
                )
            values[name] = _parse(preset, name, text)
        none = {f.name: None for f in dataclasses.fields(cls) if f.name not in {"preset", *values}}
        settings = cls(preset=preset, **(none | values))
        low, high = settings.min_temperature, settings.max_temperature
        if low is not None and high is not None and low > high:
            raise UsageError(f"min_temperature {low:g} is above max_temperature {high:g}")
        return settings

    @property
    def is_entropix(self) -> bool:
        """Whether the metrics steer the draw; otherwise this is a baseline."""
        return self.draws is not None

    @property
    def is_literal(self) -> bool:
        """Whether the guide's formulas take raw metrics and its literal agreement."""
        return self.preset == "entropixplained"

    def bind(self, calibration: Calibration) -> "Settings":
        """Thresholds that are still None become the model's, for baselines too."""
        entropy, low, high = (
            calibration.entropy,
            calibration.varentropy["low"],
            calibration.varentropy["high"],
        )
        bands = {
            "lelv_entropy": entropy.low,
            "lelv_varentropy": low.low,
            "helv_entropy": entropy.high,
            "helv_varentropy": high.low,
            "lehv_entropy": entropy.low,
            "lehv_varentropy": low.high,
            "hehv_entropy": entropy.high,
            "hehv_varentropy": high.high,
        }
        missing: dict[str, Any] = {
            name: value for name, value in bands.items() if getattr(self, name) is None
        }
        return dataclasses.replace(self, **missing)

    def to_dict(self) -> dict[str, Any]:
        """For a run's header: every setting that this sampler has."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def layer_indices(self, count: int) -> list[int] | None:
        """The layers to average over, or None for all. Raises UsageError."""
        return None if self.layers == "all" else _layers(self.layers, count)


_CAPTURE = {"capture": True, "layers": "all"}

_THRESHOLDS: dict[str, Any] = dict.fromkeys(
    f"{corner}_{metric}"
    for corner in ("lelv", "helv", "lehv", "hehv")
    for metric in ("entropy", "varentropy")
)

PRESETS: dict[str, dict[str, Any]] = {
    # The guide's directions on metrics scaled by the model's calibration.
    "calibrated": {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 27,
        "min_p": 0.03,
        "draws": 12,
        **_THRESHOLDS,
        "min_temperature": 0.3,
        "max_temperature": 1.5,
        "resample_floor": 0.0,
        "rolling": 1.0,
        "clarify": False,  # an answer holds nothing that was not drawn, unless it is asked for
        "layers": "all",
        "capture": True,
    },
    # The guide to the letter.
    "entropixplained": {
        "temperature": 1.0,
        "top_p": 0.9,
        "top_k": 27,
        "min_p": 0.03,
        "draws": 12,
        "lelv_entropy": 0.1,
        "lelv_varentropy": 0.1,
        "helv_entropy": 3.0,
        "helv_varentropy": 0.1,
        "lehv_entropy": 5.0,
        "lehv_varentropy": 5.0,
        "hehv_entropy": 5.0,
        "hehv_varentropy": 5.0,
        "resample_floor": 2.0,
        "rolling": 1.0,
        "clarify": True,
        "layers": "all",
        "capture": True,
    },
    "greedy": {**_CAPTURE},
    "temperature": {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "min_p": 0.0, **_CAPTURE},
}
"""Each preset's values; what it doesn't name, it doesn't have."""


def recorded(sampler: Mapping[str, Any]) -> dict[str, Any]:
    """A trace's settings; where they do not say whether a text was inserted, it was.

    It was the default of every preset that has the setting when traces began.
    """
    has = PRESETS.get(str(sampler.get("preset")), {})
    return {"clarify": True, **sampler} if "clarify" in has else dict(sampler)


def _users(preset: str, overrides: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The base of one of the user's presets, and what replaces its values."""
    from entropix_mlx.sampling import presets  # it makes settings of what it reads

    own = presets.load()
    if preset not in own:
        known = dict.fromkeys((*PRESETS, *own))
        raise UsageError(
            f"unknown sampler {preset!r}{_did_you_mean(preset, known)}; presets: {', '.join(known)}"
        )
    return own[preset].base, {**own[preset].values, **overrides}


def _parse(preset: str, name: str, text: str) -> float | int | bool | str:
    declared = next(f for f in dataclasses.fields(Settings) if f.name == name)
    text = text.strip()
    if name == "layers":
        _layers(text, 10_000)
        return text
    if "bool" in str(declared.type):
        if text.lower() not in _BOOLEANS:
            raise UsageError(f"{name}={text!r}: give true or false")
        return _BOOLEANS[text.lower()]
    low, high = declared.metadata["range"]
    if name == "top_k":  # a baseline has no use for a cap; entropix widens the base by half
        low, high = (1, 100) if preset in ("calibrated", "entropixplained") else (0, 10_000_000)
    whole = "int" in str(declared.type)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"{name}={text!r}: give {kind} from {low:g} to {high:g}")
    return value


_BOOLEANS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def _layers(text: str, count: int) -> list[int]:
    if text == "all":
        return list(range(count))
    chosen: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not all(re.fullmatch("[0-9]{1,9}", n) for n in (first, last or first)):
            raise UsageError(f"layers={text!r}: give 'all' or numbers like 0,3-5")
        if not int(first) <= int(last or first) < count:
            raise UsageError(f"layers={text!r}: the layers are numbered 0 to {count - 1}")
        chosen.update(range(int(first), int(last or first) + 1))
    return sorted(chosen)


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
