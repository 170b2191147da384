"""Colours as eyes see them: contrast on a ground, and how far apart those of a palette are."""

from collections.abc import Iterable
from itertools import combinations

from coloraide import Color

from entropix_mlx.terminal.palette import Theme

GROUNDS: dict[Theme, str] = {"dark": "#121212", "light": "#FFFFFF"}
SIGHTS = ("protan", "deutan", "tritan")


def contrast(one: str, other: str) -> float:
    """Of WCAG 2.1, from 1 to 21."""
    return Color(one).contrast(other, method="wcag21")


def least_distance(colours: Iterable[str]) -> float:
    """CIEDE2000 between the two that are most alike to some eye: normal, or blind to a hue."""
    normal = [Color(colour) for colour in colours]
    seen = [normal, *([colour.filter(sight) for colour in normal] for sight in SIGHTS)]
    return min(a.delta_e(b, method="2000") for eye in seen for a, b in combinations(eye, 2))
