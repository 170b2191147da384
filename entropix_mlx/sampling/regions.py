"""Regions of the entropy x varentropy plane: four corners of two inequalities each, and MID."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant, is_met, single
from entropix_mlx.records.record import Region


class Bound(NamedTuple):
    """The thresholds of a corner, as float32 holds them."""

    entropy: float
    varentropy: float


def names(corner: Quadrant) -> tuple[str, str]:
    """What the settings of a corner's thresholds are called."""
    return f"{corner.lower()}_entropy", f"{corner.lower()}_varentropy"


def bounds(settings: Mapping[str, Any]) -> dict[Quadrant, Bound]:
    """The corners whose thresholds are known, in the order in which they are tried."""
    found = {}
    for corner in QUADRANTS:
        h, v = (settings.get(name) for name in names(corner))
        if h is not None and v is not None:
            found[corner] = Bound(single(h), single(v))
    return found


def region_of(entropy: float, varentropy: float, corners: Mapping[Quadrant, Bound]) -> Region:
    """The region of a token by its own figures."""
    met = (
        corner for corner, bound in corners.items() if is_met(corner, entropy, varentropy, *bound)
    )
    return next(met, "MID")
