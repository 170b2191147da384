"""Declarations of a sampler's parameters, and their values from text."""

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, NamedTuple

from entropix_models.errors import UsageError

GROUPS = ("base", "corners", "limits", "measured")
"""In the order in which they are shown and recorded."""

_MOST_LAYERS = 1000
_LONGEST_LAYERS = 1000
"""Characters: a list may name the same ones again and again."""
_BOOLEANS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


class Number(NamedTuple):
    """From `low` to `high`; `step`: how far one press moves it, and one with Shift."""

    low: float
    high: float
    step: tuple[float, float]
    whole: bool = False


class OneOf(NamedTuple):
    """One of the `values`; `also`: what else stands for one."""

    values: tuple[str, ...]
    also: Mapping[str, str] = {}


def number(
    low: float,
    high: float,
    *,
    default: float | None,
    doc: str,
    step: tuple[float, float],
    group: str = "base",
    tune: tuple[float, float] | None = None,
) -> Any:
    """A number, in the range that is given; a whole one, if its ends and its steps are. `tune`: the
    range in which good values are looked for, if it is worth it.
    """
    whole = all(isinstance(value, int) for value in (low, high, *step))
    kind = Number(low, high, step, whole)
    metadata = {"kind": kind, "doc": doc, "group": group, "tune": tune}
    return field(default=default, metadata=metadata)


def threshold(doc: str, *, default: float | None = None) -> Any:
    """A level of entropy or varentropy; None: the model's own."""
    step = (0.25, 2.5) if "varentropy" in doc else (0.1, 1.0)
    return number(0.0, 1000.0, default=default, doc=doc, step=step, group="corners")


def switch(default: bool, doc: str, *, group: str) -> Any:
    """Yes or no."""
    return field(default=default, metadata={"kind": bool, "doc": doc, "group": group})


def choice(
    default: str,
    *others: str,
    doc: str,
    group: str = "measured",
    switched: tuple[str, str] | None = None,
) -> Any:
    """One of several words; `switched`: what false and true stand for, where it was a switch."""
    values = (default, *others)
    also = {text: switched[on] for text, on in _BOOLEANS.items()} if switched else {}
    kind = OneOf(values, {text: value for text, value in also.items() if text not in values})
    doc = f"{doc}: {', '.join(values)}"
    return field(default=default, metadata={"kind": kind, "doc": doc, "group": group})


def layers(doc: str) -> Any:
    """Numbers of layers."""
    return field(default="all", metadata={"kind": str, "doc": doc, "group": "measured"})


def absent(group: str) -> Any:
    """What some samplers let one set: here it is not, though it may be known."""
    return field(default=None, metadata={"group": group})


def usually(sampler: Any, name: str, default: Any) -> Any:
    """A parameter of another sampler with another value."""
    return field(default=default, metadata=sampler.__dataclass_fields__[name].metadata)


def admits(declared: dataclasses.Field[Any], value: object) -> bool:
    """Whether a parameter can have a value."""
    kind = declared.metadata["kind"]
    if isinstance(kind, OneOf):
        return str(value).lower() in {*kind.values, *kind.also}
    if kind is str:
        return isinstance(value, str) and _are_layers(value)
    if not isinstance(kind, Number):
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int if kind.whole else int | float):
        return False
    return kind.low <= value <= kind.high  # no NaN is


def parsed(declared: dataclasses.Field[Any], text: str) -> float | int | bool | str:
    """A value from its text. Raises UsageError."""
    name, kind, text = declared.name, declared.metadata["kind"], text.strip()
    if kind is str:
        layer_numbers(text, _MOST_LAYERS)
        return text
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise UsageError(f"{name}={text!r}: give true or false")
        return _BOOLEANS[text.lower()]
    if isinstance(kind, OneOf):
        if not admits(declared, text):
            *some, last = kind.values
            raise UsageError(f"{name}={text!r}: give {', '.join(some)} or {last}")
        return kind.also.get(text.lower(), text.lower())
    try:
        value = int(text) if kind.whole else float(text)
    except ValueError:
        value = math.nan
    if not admits(declared, value):
        what = "a whole number" if kind.whole else "a number"
        raise UsageError(f"{name}={text!r}: give {what} from {kind.low:g} to {kind.high:g}")
    return value


def layer_numbers(text: str, count: int) -> list[int]:
    """Which of `count` layers are named. Raises UsageError."""
    if text == "all":
        return list(range(count))
    chosen: set[int] = set()
    if len(text) > _LONGEST_LAYERS:
        raise UsageError(
            f"layers: {len(text)} characters are no list: give 'all' or numbers like 0,3-5"
        )
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not all(re.fullmatch("[0-9]{1,9}", n) for n in (first, last or first)):
            raise UsageError(f"layers={text!r}: give 'all' or numbers like 0,3-5")
        if not int(first) <= int(last or first) < count:
            raise UsageError(f"layers={text!r}: the layers are numbered 0 to {count - 1}")
        chosen.update(range(int(first), int(last or first) + 1))
    return sorted(chosen)


def _are_layers(text: str) -> bool:
    try:
        layer_numbers(text, _MOST_LAYERS)
    except UsageError:
        return False
    return True


def did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
