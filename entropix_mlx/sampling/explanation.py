"""What an explanation of a token is made of: statements, and inequalities with their numbers."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from entropix_mlx.records.quadrants import Quadrant, above
from entropix_mlx.records.record import Region, TokenRecord
from entropix_mlx.sampling.regions import Bound
from entropix_mlx.sampling.rules import STRATEGY_OF

Kind = Literal["plain", "rule", "check", "draw", "chosen", "note"]
"""A sentence for everyone; what ruled, what it was measured against, what came of it, which token,
anything else.
"""


class Line(NamedTuple):
    """One statement."""

    kind: Kind
    text: str


class Told(NamedTuple):
    """A token's record, and how many `keys` the query attended to; None if that is not known."""

    record: TokenRecord
    keys: int | None = None


class Check(NamedTuple):
    """An inequality of a corner: `value` of a metric is to be above (or below) `threshold`."""

    metric: str
    value: float
    above: bool
    threshold: float

    @property
    def holds(self) -> bool:
        return self.value > self.threshold if self.above else self.value < self.threshold

    def __str__(self) -> str:
        """As it is, whether it holds or not."""
        sign = "=" if self.value == self.threshold else "<>"[self.value > self.threshold]
        value, threshold = apart(self.value, self.threshold)
        return f"{self.metric} {value} {sign} {threshold}"


Checks = Mapping[Quadrant, tuple[Check, Check]]


def checks(entropy: float, varentropy: float, corners: Mapping[Quadrant, Bound]) -> Checks:
    """Each corner's two inequalities on a token's own figures."""
    found = {}
    for corner, bound in corners.items():
        high, wide = above(corner)
        found[corner] = (
            Check("entropy", entropy, high, bound.entropy),
            Check("varentropy", varentropy, wide, bound.varentropy),
        )
    return found


def ruling(region: Region) -> str:
    """Where the sampler found a token, by the strategy that it has for that."""
    strategy = STRATEGY_OF[region]
    if region == "MID":
        return f"in none of the sampler's four corners: {strategy}"
    return f"in the sampler's corner for {strategy}"


def reason(region: Region, corners: Checks) -> str:
    """Why a token falls into a region, in one line."""
    if region == "MID":
        return "; ".join(not_left(corners))
    return " and ".join(map(str, corners[region]))


def not_left(corners: Checks) -> list[str]:
    """Which band a token of the middle stayed in; without common bands, what each corner lacks."""
    (low, v_low), (high, v_high) = corners["LELV"], corners["HELV"]
    (low_too, v_over), (high_too, v_above) = corners["LEHV"], corners["HEHV"]
    bands = low.threshold == low_too.threshold and high.threshold == high_too.threshold
    if not bands or low.threshold > high.threshold:
        return [
            f"not {STRATEGY_OF[region]}: {next(check for check in pair if not check.holds)}"
            for region, pair in corners.items()
        ]
    for side, floor, ceiling in ((low, v_low, v_over), (high, v_high, v_above)):
        if side.holds:
            return [f"{side}, but {_within(floor, ceiling)}"]
    return [_within(low, high)]


def _within(floor: Check, ceiling: Check) -> str:
    bottom, _ = apart(floor.threshold, floor.value)
    value, top = apart(ceiling.value, ceiling.threshold)
    return f"{floor.metric} {value} within its band {bottom} to {top}"


def draw(record: TokenRecord, settings: Mapping[str, Any]) -> list[Line]:
    """How a token was drawn: the temperature as it was set, and the filters; or that nothing was
    random. Nothing for a forced one.
    """
    if record.forced is not None:
        return []
    if record.temperature is None:
        left = " that could follow" if record.rank else ""
        return [Line("draw", f"no randomness: the most likely token{left}")]
    return [Line("draw", f"T {record.temperature:.4g}, as set"), *filters(record, settings)]


def filters(record: TokenRecord, settings: Mapping[str, Any]) -> list[Line]:
    """The filters in force, and the bases of those that the metrics moved."""
    found = []
    for name in ("top_k", "top_p", "min_p"):
        used, base = getattr(record, name), settings.get(name)
        if used is None:
            continue
        label = name.replace("_", "-")
        off = used >= 1 if name == "top_p" else used == 0
        text = f"{label} off" if off else f"{label} {used:.3g}"
        if base is not None and not math.isclose(used, base, rel_tol=1e-5):
            text += f" (from {base:g})"
        found.append(text)
    return [Line("draw", ", ".join(found))] if found else []


def apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with two decimals, more where they would look the same but are not."""
    for decimals in range(2, 10):
        first, second = f"{a:.{decimals}f}", f"{b:.{decimals}f}"
        if a == b or first != second:
            return first, second
    return repr(a), repr(b)
