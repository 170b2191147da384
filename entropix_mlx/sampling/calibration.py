"""What belongs to one model: the file that `calibrate` writes and samplers read.

One JSON file a model, named by `key`. Entropy and varentropy go together (they correlate at about
0.75), so the varentropy bands are taken for each side of the median entropy; independent
quantiles would leave one corner of the plane empty.
"""

import math
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from entropix_mlx.records.quadrants import KINDS, Level, Quadrant, QuadrantSplit
from entropix_models.errors import DamagedFileError, EntropixError, UnsupportedError
from entropix_models.paths import data_root, write_whole

METRICS = (
    "entropy",
    "varentropy",
    "attn_entropy",
    "attn_varentropy",
    "agreement",
    "interaction_strength",
)

Side = Literal["low", "high"]

SCHEMA = 2
"""Version of the file that this program writes, and the newest that it reads."""


class HeldOut(msgspec.Struct, frozen=True):
    """Of the tokens that were not used for fitting: how many bear a quadrant's word, their share of
    all, for how many of them its sentence holds, and at which rate.
    """

    tokens: int
    share: float
    holds: int
    rate: float


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Below `low`, above `high`; `mid` splits the whole."""

    low: Level
    mid: Level
    high: Level


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds and ranges of one model (entropies in bits, varentropies in bits^2).

    `varentropy` has a band for tokens whose entropy is below `entropy.mid` and one for the
    others. `ranges` are the 5 % and 95 % quantiles of each metric. `valley_delta` is the rise
    in bits that confirms a valley. `shares` are the regions' shares on text that was not used
    for fitting, `source` says how the file was made. `split` sorts tokens into quadrants, and
    `held_out` is what was counted in each on that text; files of schema 1 have neither.
    """

    model: str
    revision: str | None
    quantization: str | None
    entropy: Band
    varentropy: dict[Side, Band]
    ranges: dict[str, tuple[float, float]]
    valley_delta: Annotated[float, msgspec.Meta(gt=0)]
    shares: dict[str, float] = {}
    source: dict[str, str | int | float] = {}
    split: QuadrantSplit | None = None
    held_out: dict[Quadrant, HeldOut] = {}
    schema: int = SCHEMA

    def split_of(self, setting: str) -> QuadrantSplit:
        """By which quadrants are told, for a value of the setting `quadrants`."""
        if setting == "guide":
            return GUIDE
        return self.median if setting == "median" or self.split is None else self.split

    @property
    def median(self) -> QuadrantSplit:
        """The split at the median entropy, and at the median varentropy of each of its sides."""
        middle = self.entropy.mid
        sides = self.varentropy
        usual = ((middle, sides["low"].mid), (middle, sides["high"].mid))
        return QuadrantSplit(name="median", entropy=middle, usual=usual)

    @property
    def thresholds(self) -> dict[str, float]:
        """Of each corner, as settings call them."""
        return thresholds(self.entropy, self.varentropy)

    @property
    def name(self) -> str:
        return key(self.model, self.revision, self.quantization)


def thresholds(entropy: Band, varentropy: dict[Side, Band]) -> dict[str, float]:
    """A corner's inequalities are those of the two bands that it lies outside of."""
    low, high = varentropy["low"], varentropy["high"]
    return {
        "lelv_entropy": entropy.low,
        "lelv_varentropy": low.low,
        "helv_entropy": entropy.high,
        "helv_varentropy": high.low,
        "lehv_entropy": entropy.low,
        "lehv_varentropy": low.high,
        "hehv_entropy": entropy.high,
        "hehv_varentropy": high.high,
    }


def key(model: str, revision: str | None, quantization: str | None) -> str:
    """What a calibration belongs to, as a file name without its ending."""
    parts = (model, revision or "unversioned", quantization or "dense")
    return "@".join("".join(c if c.isalnum() or c in ".-" else "-" for c in p) for p in parts)


def prompts_of(text: str) -> list[str]:
    """What a model is asked for its calibration, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def own_prompts() -> list[str]:
    """Those that come with the program."""
    file = resources.files("entropix_mlx") / "calibrations" / "prompts.txt"
    return prompts_of(file.read_text("utf-8"))


def own_file(name: str) -> Path:
    """Where a calibration of the user's is, which goes before the one that comes with the program;
    `name`: its `key`.
    """
    return data_root() / "calibrations" / f"{name}.json"


def stored(name: str) -> Calibration | None:
    """The user's calibration of that name (a `key`), or that which comes with the program, if any.

    Raises DamagedFileError or UnsupportedError, which name the file, and EntropixError for a file
    that cannot be read.
    """
    own = own_file(name)
    for file in (own, resources.files("entropix_mlx") / "calibrations" / own.name):
        try:
            data = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise EntropixError(f"{file} could not be read ({reason})") from error
        found = parse(data, str(file))
        if found.name != name:
            raise DamagedFileError(f"{file}: the calibration of {found.name}; remove it")
        return found
    return None


def save(calibration: Calibration, target: Path) -> None:
    """Write it whole or not at all. Raises EntropixError for a disk that refuses."""
    content = msgspec.json.format(msgspec.json.encode(calibration), indent=2)
    write_whole(target, content + b"\n")


class _Kind(msgspec.Struct):
    schema: Annotated[int, msgspec.Meta(ge=1)]


def parse(data: bytes, name: str) -> Calibration:
    """Raises DamagedFileError for what is not a calibration with every metric's range, or says what
    cannot be, and UnsupportedError for one of a newer program.
    """
    try:
        schema = msgspec.json.decode(data, type=_Kind).schema
        if schema > SCHEMA:
            raise UnsupportedError(
                f"{name}: a calibration of schema {schema}, newer than this program's {SCHEMA}: "
                "update entropix-mlx"
            )
        calibration = msgspec.json.decode(data, type=Calibration)
    except msgspec.MsgspecError as error:
        raise DamagedFileError(f"{name}: not a calibration file ({error}); remove it") from error
    missing = set(METRICS) - set(calibration.ranges)
    if set(calibration.varentropy) != {"low", "high"}:
        missing.add("a side")
    if calibration.schema > 1 and calibration.split is None:
        missing.add("a split into quadrants")
    if missing:
        raise DamagedFileError(f"{name}: calibration lacks {', '.join(sorted(missing))}; remove it")
    if wrong := _wrong(calibration):
        raise DamagedFileError(f"{name}: not a calibration file ({wrong}); remove it")
    return calibration


def _wrong(found: Calibration) -> str | None:
    """The first field whose numbers cannot be those of a model. The middle of a varentropy's band
    is of other tokens than its ends, so it may lie outside of them.
    """
    low, mid, high = found.entropy.low, found.entropy.mid, found.entropy.high
    if not low <= mid <= high:
        return f"entropy: low {low:g}, mid {mid:g} and high {high:g} do not rise"
    for side, band in found.varentropy.items():
        if band.low > band.high:
            return f"varentropy.{side}: low {band.low:g} is above high {band.high:g}"
    for metric, (least, most) in found.ranges.items():
        if not (math.isfinite(least) and math.isfinite(most)):
            return f"ranges.{metric}: {least:g} to {most:g} is not finite"
        if least > most:
            return f"ranges.{metric}: {least:g} is above {most:g}"
    if not math.isfinite(found.valley_delta):
        return f"valley_delta: {found.valley_delta:g} is not finite"
    return None


PROVISIONAL = Calibration(
    model="provisional",
    revision=None,
    quantization=None,
    entropy=Band(1.5, 2.0, 4.0),
    varentropy={"low": Band(3.0, 4.0, 6.0), "high": Band(6.0, 8.0, 10.0)},
    ranges={
        "entropy": (0.0, 6.0),
        "varentropy": (0.0, 15.0),
        "attn_entropy": (1.0, 4.0),
        "attn_varentropy": (0.2, 2.0),
        "agreement": (0.3, 0.8),
        "interaction_strength": (2.0, 8.0),
    },
    valley_delta=0.4,
    split=QuadrantSplit(
        name="provisional",
        entropy=2.0,
        usual=(
            *((0.1, 0.9), (0.3, 2.0), (0.55, 3.2), (1.1, 4.0), (1.8, 5.8)),
            *((2.3, 6.5), (2.9, 7.5), (3.5, 9.0), (4.6, 10.5), (5.7, 10.9)),
        ),
        # Nothing was counted, so no more is said than has to be.
        sentences={quadrant: kind.sentences[-1].id for quadrant, kind in KINDS.items()},
    ),
)
"""For models without a calibration of their own: round numbers near those of small Llamas."""

GUIDE = QuadrantSplit(
    name="guide",
    corners={"LELV": (0.1, 0.1), "HELV": (3.0, 0.1), "LEHV": (5.0, 5.0), "HEHV": (5.0, 5.0)},
)
"""The corners of the sampler `entropixplained`, whichever sampler draws."""
