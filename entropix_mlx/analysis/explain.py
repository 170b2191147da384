"""Why a token came out as it did, in words, from its record and the settings in force.

Nothing is computed anew that a record does not hold: where a formula takes metrics scaled by a
calibration, or a mean over past tokens, the result is given and what it grows with.
"""

import re
import struct
from collections.abc import Mapping
from typing import Literal, NamedTuple

from entropix_mlx.analysis import formulas
from entropix_mlx.records.record import REGIONS, Region, Strategy, TokenRecord
from entropix_mlx.sampling.settings import Settings

Kind = Literal["rule", "check", "draw", "chosen", "note"]
"""What ruled, what it was measured against, what came of it, which token, anything else."""

STRATEGY_OF: dict[Region, Strategy] = {
    "LELV": "greedy",
    "HELV": "clarify",
    "LEHV": "explore",
    "HEHV": "resample",
    "MID": "adaptive",
}

_TAIL = 400
"""Characters before a token that are looked at; a quarter of them at most is shown."""


class Line(NamedTuple):
    """One statement."""

    kind: Kind
    text: str


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


def checks(record: TokenRecord, settings: Settings) -> dict[Region, tuple[Check, Check]] | None:
    """Each corner's two inequalities on the token's own figures; None where some are unknown."""
    if record.entropy is None or record.varentropy is None:
        return None
    found: dict[Region, tuple[Check, Check]] = {}
    for region in REGIONS[:4]:
        h: float | None = getattr(settings, f"{region.lower()}_entropy")
        v: float | None = getattr(settings, f"{region.lower()}_varentropy")
        if h is None or v is None:
            return None
        found[region] = (
            Check("entropy", record.entropy, region[0] == "H", _single(h)),
            Check("varentropy", record.varentropy, region[2] == "H", _single(v)),
        )
    return found


def region_of(record: TokenRecord, settings: Settings) -> Region | None:
    """The region of the token's own figures, as the sampler would find it without a past."""
    corners = checks(record, settings)
    if corners is None:
        return None
    met = (region for region, pair in corners.items() if all(check.holds for check in pair))
    return next(met, "MID")


def why(
    record: TokenRecord,
    settings: Settings | None,
    *,
    keys: int | None = None,
    words: Mapping[str, str] = {},
) -> list[Line]:
    """What ruled, why, and what came of it, the most important first.

    `settings` are those in force at the token, thresholds bound; None where they are not known.
    `keys`: how many ids the query attended to, if that is known. `words` are names to use for
    regions.
    """
    lines: list[Line] = []
    if record.strategy is None and record.forced is None:
        lines += _read(record)
    elif settings is None:
        lines.append(Line("rule", f"{record.strategy}: the settings it was drawn with are unknown"))
    else:
        if record.forced is not None:
            lines += _forced(record, settings)
        lines += _ruled(record, settings, words)
        if record.forced is None:
            lines += _drawn(record, settings, keys)
    return lines + _chosen(record)


def running_text(before: str, token: str, record: TokenRecord, *, words: int = 8) -> str:
    """A token as in a worked example of the guide: the last words before it, and what was done.

    `token` is how the token is spelt. Nothing is escaped here.
    """
    last = "".join(re.findall(r"\S+\s*", before[-_TAIL:])[-words:])[-_TAIL // 4 :]
    lead = "… " if len(last) < len(before.lstrip()) else ""
    text = f'"{lead}{last}" → "{token}"'
    if record.entropy is not None and record.varentropy is not None:
        text += f"  H {record.entropy:.2f} bits, V {record.varentropy:.2f} bits²"
    did = f"inserted ({record.forced})" if record.forced else record.strategy
    return f"{text} → {did}" if did else text


def apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with two decimals, more where they would look the same but are not."""
    for decimals in range(2, 10):
        first, second = f"{a:.{decimals}f}", f"{b:.{decimals}f}"
        if a == b or first != second:
            return first, second
    return repr(a), repr(b)


def _single(value: float) -> float:
    """As the sampler's float32 holds it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _read(record: TokenRecord) -> list[Line]:
    if record.entropy is None:
        return [Line("rule", "read, with nothing before it: no distribution to judge it by")]
    return [Line("rule", "read, not drawn: this is what the model expected here")]


def _forced(record: TokenRecord, settings: Settings) -> list[Line]:
    match record.forced:
        case "clarify" if settings.rolling in (None, 1.0) and region_of(record, settings) != "HELV":
            text = "inserted: a clarifying text, begun at a token before this one, goes on"
        case "clarify":
            text = "inserted to clarify, not drawn"
        case "user":
            text = "put here by you, not drawn; the sampler would have gone by this:"
        case _:
            text = f"put here ({record.forced}), not drawn"
    return [Line("rule", text)]


def _ruled(record: TokenRecord, settings: Settings, words: Mapping[str, str]) -> list[Line]:
    if settings.temperature is None:
        return [Line("rule", "no thresholds: greedy, always the most likely token")]
    if not settings.is_entropix:
        return [Line("rule", "no thresholds: temperature sampling")]
    if record.region is None:
        return []
    corners, own = checks(record, settings), region_of(record, settings)
    end = f"{words.get(record.region, record.region)} → {STRATEGY_OF[record.region]}"
    if corners is None or own is None:
        return [Line("rule", f"{end} (the thresholds are not known)")]
    if settings.rolling is not None and settings.rolling < 1:
        alone = words.get(own, own)
        also = "the same" if own == record.region else alone
        return [
            Line("rule", f"{end}: the past counted"),
            Line("note", f"means over past tokens ruled (newest: {settings.rolling:g})"),
            Line("check", f"this token alone would be {also}: {_reason(own, corners)}"),
        ]
    if own != record.region:
        return [
            Line("rule", end),
            Line("note", "these settings do not explain it: they were others when it was drawn"),
        ]
    if record.region == "MID":
        return [Line("rule", end), *(Line("check", text) for text in _not_left(corners))]
    return [Line("rule", f"{_reason(own, corners)}: {end}")]


def _reason(region: Region, corners: Mapping[Region, tuple[Check, Check]]) -> str:
    if region == "MID":
        return "; ".join(_not_left(corners))
    return " and ".join(map(str, corners[region]))


def _not_left(corners: Mapping[Region, tuple[Check, Check]]) -> list[str]:
    """Which band a token of the middle stayed in; without common bands, what each corner lacks."""
    (low, v_low), (high, v_high) = corners["LELV"], corners["HELV"]
    (low_too, v_over), (high_too, v_above) = corners["LEHV"], corners["HEHV"]
    bands = low.threshold == low_too.threshold and high.threshold == high_too.threshold
    if not bands or low.threshold > high.threshold:
        return [
            f"not {region}: {next(check for check in pair if not check.holds)}"
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


def _drawn(record: TokenRecord, settings: Settings, keys: int | None) -> list[Line]:
    lines = []
    if record.strategy == "clarify":
        lines.append(
            Line(
                "note",
                "drawn hotter instead: a clarifying text had just been inserted"
                if settings.clarify
                else "drawn hotter, nothing inserted (clarify=false)",
            )
        )
    if record.temperature is None:
        return [*lines, Line("draw", "no randomness: the most likely token")]
    formula = formulas.temperature(record, settings, keys)
    lines += [Line("draw", formula.text), *(Line("note", note) for note in formula.notes)]
    filters = formulas.filters(record, settings)
    if filters:
        lines.append(Line("draw", filters))
    if record.strategy == "adaptive" and settings.draws:
        lines.append(Line("draw", f"the most likely of {settings.draws} draws"))
    return lines


def _chosen(record: TokenRecord) -> list[Line]:
    if record.rank is None or record.logprob is None:
        return []
    text = f"rank {record.rank + 1}, p {formulas.percent(formulas.probability(record.logprob))}"
    final = next((p for id_, _, _, p in record.candidates if id_ == record.id), None)
    if final is not None and record.forced is None and record.strategy is not None:
        text += f", as drawn {formulas.percent(final)}"
    return [Line("chosen", text)]
