"""Regions of the entropy x varentropy plane: four corners of two inequalities each, and MID."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from entropix_mlx.records.record import QUADRANTS, Quadrant, Region


class Bound(NamedTuple):
    """The thresholds of a corner, as float32 holds them."""

    entropy: float
    varentropy: float


def above(corner: Quadrant) -> tuple[bool, bool]:
    """Whether a corner wants the entropy above its threshold, and the varentropy."""
    return corner[0] == "H", corner[2] == "H"


def is_met(corner: Quadrant, entropy: Any, varentropy: Any, h: Any, v: Any) -> Any:
    """Whether both inequalities hold, strictly; of numbers or of arrays."""
    high, wide = above(corner)
    return (entropy > h if high else entropy < h) & (varentropy > v if wide else varentropy < v)


def names(corner: Quadrant) -> tuple[str, str]:
    """What the settings of a corner's thresholds are called."""
    return f"{corner.lower()}_entropy", f"{corner.lower()}_varentropy"


def bounds(settings: Mapping[str, Any]) -> dict[Quadrant, Bound]:
    """The corners whose thresholds are known, in the order in which they are tried."""
    found = {}
    for corner in QUADRANTS:
        h, v = (settings.get(name) for name in names(corner))
        if h is not None and v is not None:
            found[corner] = Bound(_single(h), _single(v))
    return found


def region_of(entropy: float, varentropy: float, corners: Mapping[Quadrant, Bound]) -> Region:
    """The region of a token by its own figures."""
    met = (
        corner for corner, bound in corners.items() if is_met(corner, entropy, varentropy, *bound)
    )
    return next(met, "MID")


def _single(value: float) -> float:
    """As the sampler's float32 holds it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])
