"""The guide's formulas with a record's numbers filled in, as text.

A record holds raw metrics. Where a formula took them scaled by a calibration, or as means over
past tokens, its symbol stays and the result says what came of it.
"""

import math
from typing import NamedTuple

from entropix_mlx.records.record import Strategy, TokenRecord
from entropix_mlx.sampling.settings import Settings

_NAMES = {
    "H": "entropy",
    "V": "varentropy",
    "A": "attn_entropy",
    "B": "attn_varentropy",
    "G": "agreement",
    "I": "interaction_strength",
}
_ATTENTION = ("A", "B", "G", "I")
_WORDS = {"A": "attention entropy", "B": "attention varentropy", "I": "interaction"}

_TERMS: dict[Strategy, tuple[float, tuple[tuple[float, str], ...]]] = {
    "clarify": (1.3, ((0.2, "A"),)),
    "explore": (1.2, ((0.3, "I"),)),
    "resample": (2.0, ((0.5, "B"),)),
    "adaptive": (1.0, ((0.3, "H"), (0.3, "V"), (0.2, "A"), (0.2, "B"), (-0.2, "G"))),
}
_HOT = 1.5
_CLOSE = 2e-3
"""Relative; records hold float32, texts four digits."""


class Formula(NamedTuple):
    """An equation whose right side is the record's value, and what has to be said about it."""

    text: str
    notes: list[str]


class _Input(NamedTuple):
    """What stands for a metric in a formula: a number if it is known, else within low to high."""

    shown: str
    low: float
    high: float


def temperature(record: TokenRecord, settings: Settings, keys: int | None = None) -> Formula:
    """How the temperature of a drawn token came about; `keys` as `explain.why` has it."""
    used, base = record.temperature, settings.temperature
    assert used is not None
    terms = _TERMS.get(record.strategy or "sample")
    if terms is None or base is None:
        return Formula(f"T {used:.4g}, as set", [])
    constant, factors = terms
    text, low, high = f"{constant:g}", constant, constant
    symbols = []
    for factor, symbol in factors:
        if symbol in _ATTENTION and getattr(record, _NAMES[symbol]) is None:
            continue
        entered = _input(symbol, record, settings, keys)
        text += f" {'-' if factor < 0 else '+'} {abs(factor):g} × {entered.shown}"
        ends = sorted((factor * entered.low, factor * entered.high))
        low, high = low + ends[0], high + ends[1]
        if entered.shown == symbol:
            symbols.append(symbol)
    text = f"{base:g} × ({text})"
    low, high = base * low, base * high
    if record.strategy in ("clarify", "explore"):
        text, low, high = f"min({_HOT}, {text})", min(_HOT, low), min(_HOT, high)
    floor = settings.resample_floor
    if record.strategy == "resample" and floor:
        text, low, high = f"max({floor:g}, {text})", max(floor, low), max(floor, high)
    notes = []
    for name, limit in (("floor", settings.min_temperature), ("cap", settings.max_temperature)):
        if limit is None:
            continue
        clip = max if name == "floor" else min
        low, high = clip(limit, low), clip(limit, high)
        if math.isclose(used, limit, rel_tol=1e-6):
            notes.append(f"T is at its {name}, {limit:g}")
    slack = _CLOSE * used
    if not low - slack <= used <= high + slack:
        return Formula(
            f"T {used:.4g}",
            ["these settings do not explain it: they were others when it was drawn"],
        )
    sign = "→" if notes else "="
    return Formula(f"T = {text} {sign} {used:.4g}", _legend(symbols, settings) + notes)


def filters(record: TokenRecord, settings: Settings) -> str:
    """The filters in force, and the bases of those that the metrics moved."""
    found = []
    for name in ("top_k", "top_p", "min_p"):
        used, base = getattr(record, name), getattr(settings, name)
        if used is None:
            continue
        label = name.replace("_", "-")
        off = used >= 1 if name == "top_p" else used == 0
        text = f"{label} off" if off else f"{label} {used:.3g}"
        if base is not None and not math.isclose(used, base, rel_tol=1e-5):
            text += f" (from {base:g})"
        found.append(text)
    return ", ".join(found)


def percent(share: float) -> str:
    """Three digits, however small."""
    return f"{100 * share:.3g} %"


def probability(logprob: float) -> float:
    """From nats; a rounding above 1 is 1."""
    return math.exp(min(logprob, 0.0))


def _input(symbol: str, record: TokenRecord, settings: Settings, keys: int | None) -> _Input:
    """What stands in a formula for a metric that the record has."""
    value: float = getattr(record, _NAMES[symbol])
    top = math.inf if settings.is_literal else 1.0
    if settings.rolling is not None and settings.rolling < 1:
        return _Input(symbol, 0.0, top)
    if symbol != "G":
        return _number(value) if settings.is_literal else _Input(symbol, 0.0, top)
    if not settings.is_literal:
        return _number(value)
    literal = 2 * (1 - value)
    return _Input(symbol, 0.0, literal) if keys is None else _number(literal / keys)


def _number(value: float) -> _Input:
    return _Input(f"{value:.4g}", value, value)


def _legend(symbols: list[str], settings: Settings) -> list[str]:
    """What the symbols stand for that are still in a formula."""
    if not symbols:
        return []
    names = ", ".join(symbols)
    if settings.rolling is not None and settings.rolling < 1:
        past = "mean over past tokens" if len(symbols) == 1 else "means over past tokens"
        return [f"{names}: {past}" if settings.is_literal else f"{names}: {past}, scaled to 0..1"]
    if symbols == ["G"]:
        return ["G: the guide's own agreement, 2 (1 - agreement) / keys"]
    spelt = _WORDS.get(symbols[0], "") if len(symbols) == 1 else ""
    what = f"{names}: {spelt} scaled" if spelt else f"{names}: scaled"
    return [f"{what} to 0..1 by the model's calibration; more is hotter"]
