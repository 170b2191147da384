"""Samplers that differ in one number: points of a curve."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

LEAST = 3
"""Points that make a curve."""

Settings = Mapping[str, Mapping[str, Any]]
"""Of samplers, by name."""


class Curve(NamedTuple):
    """`name`: of what all points have in common. `points`: values of the setting, in order, each
    with its sampler.
    """

    name: str
    setting: str
    points: list[tuple[float, str]]


def curves(samplers: Settings) -> list[Curve]:
    """All along the one setting that has the most samplers on its curves; none if there is none."""
    settings = {key: None for values in samplers.values() for key in values}
    along = (_along(setting, samplers) for setting in settings)
    return max(along, key=lambda found: sum(len(c.points) for c in found), default=[])


def _along(setting: str, samplers: Settings) -> list[Curve]:
    groups: dict[bytes, dict[float, str]] = {}
    for name, values in samplers.items():
        value = values.get(setting)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        rest = {key: other for key, other in values.items() if key != setting}
        key = msgspec.json.encode(rest, order="deterministic")
        groups.setdefault(key, {}).setdefault(float(value), name)
    found = (sorted(points.items()) for points in groups.values() if len(points) >= LEAST)
    return [Curve(_common(setting, points, samplers), setting, points) for points in found]


def _common(setting: str, points: list[tuple[float, str]], samplers: Settings) -> str:
    """The names without the setting, if they agree."""
    kept = {
        " ".join(word for word in name.split() if not word.startswith(f"{setting}="))
        for _, name in points
    }
    first = points[0][1]
    return kept.pop() if len(kept) == 1 else str(samplers[first].get("preset", first))
