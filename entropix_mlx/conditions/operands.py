"""What a condition on a proposed token can look at: fields, numbers and texts.

Each knows its value for a proposal and how it is written.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import FORCED, REGIONS, TokenRecord
from entropix_mlx.sampling.settings import measures, strategies


class Proposed(NamedTuple):
    """A token that would be taken next, and what is known before it is.

    `record` as it would become one; `before`: the token before it in the answer; `step`: how many
    tokens the answer has without it; `so_far`: the answer's text with it; `p_of(text)`: the raw
    probability of the token that spells exactly `text`, None if no token does.

    `is_end`: it ends the sequence; `is_special`: a special token; `incomplete`: it leaves a
    character unfinished; `room`: how many tokens the context can still take, this one included
    (None: no bound known); `valley`: index of the record at the bottom of a valley that the last
    token confirmed.
    """

    record: TokenRecord
    before: TokenRecord | None
    step: int
    so_far: str
    p_of: Callable[[str], float | None]
    is_end: bool = False
    is_special: bool = False
    incomplete: bool = False
    room: int | None = None
    valley: int | None = None


Value = float | str | None


MEASURES = measures()
"""Numbers that can be null, in the units of the trace; `surprisal` in bits."""

COUNTS = ("index", "step")
"""Numbers that every token has."""

TEXTS = ("text", "token", "so_far")
"""What the stream gains, the token's own text, and the answer with it; never null."""

NAMED: dict[str, tuple[str, ...]] = {
    "quadrant": QUADRANTS,
    "region": REGIONS,
    "strategy": tuple(strategies()),
    "forced": FORCED,
}
"""Fields with few values, which are these or null."""

OPEN = ("strategy", "forced")
"""Those that a trace of another program may have other values of."""

CHANGING = ("region", "quadrant", "strategy")
"""What `changed` takes."""

FIELDS = (*MEASURES, *COUNTS, *TEXTS, *NAMED)


def number_text(value: float) -> str:
    """The shortest text of a finite number that reads as the same."""
    whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def rounded(value: float, digits: int) -> float:
    """To so many digits, and never before the point."""
    if value == 0:
        return value
    return round(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))


_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """A text as a condition has it: on one line, with nothing in it that cannot be seen."""
    return f'"{"".join(_SHORT.get(c) or (c if c.isprintable() else numbered(c)) for c in text)}"'


def numbered(character: str) -> str:
    """The escape of a character."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_TOLD = 40
"""So many characters of a text are told in a reason."""


class Operand(ABC):
    """A number or a text."""

    is_text = False

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def read(self, proposed: Proposed) -> Value:
        """Its value; None for null. Numbers are finite."""

    def told(self, value: Value) -> str:
        """How it is written together with its value."""
        if isinstance(value, str):
            value = quoted(value if len(value) <= _TOLD else "…" + value[-_TOLD:])
        elif value is not None:
            value = number_text(value)
        return f"{self} {value or 'null'}"


@dataclass(frozen=True)
class Literal(Operand):
    """A number or a text that is written out."""

    value: float | str

    @property
    def is_text(self) -> bool:  # type: ignore[override]
        return isinstance(self.value, str)

    def __str__(self) -> str:
        return quoted(self.value) if isinstance(self.value, str) else number_text(self.value)

    def read(self, _proposed: Proposed) -> Value:
        return self.value

    def told(self, _value: Value) -> str:
        return str(self)


@dataclass(frozen=True)
class Field(Operand):
    """One of `FIELDS`."""

    name: str

    @property
    def is_text(self) -> bool:  # type: ignore[override]
        return self.name in TEXTS or self.name in NAMED

    def __str__(self) -> str:
        return self.name

    def read(self, proposed: Proposed) -> Value:
        record, name = proposed.record, self.name
        if name in MEASURES:
            return _finite(MEASURES[name].value(record))
        match name:
            case "index":
                return float(record.index)
            case "step":
                return float(proposed.step)
            case "so_far":
                return proposed.so_far
            case "token":
                return bytes.fromhex(record.bytes).decode("utf-8", "replace")
        value: str | None = getattr(record, name)
        return value


@dataclass(frozen=True)
class Delta(Operand):
    """The change of one of `MEASURES` against the token before; null for the first."""

    name: str

    def __str__(self) -> str:
        return f"delta({self.name})"

    def read(self, proposed: Proposed) -> Value:
        if proposed.before is None:
            return None
        now, before = (MEASURES[self.name].value(r) for r in (proposed.record, proposed.before))
        return None if now is None or before is None else _finite(now - before)


@dataclass(frozen=True)
class Probability(Operand):
    """The raw probability of the token that spells a text."""

    text: str

    def __str__(self) -> str:
        return f"p({quoted(self.text)})"

    def read(self, proposed: Proposed) -> Value:
        return _finite(proposed.p_of(self.text))


@dataclass(frozen=True)
class Minus(Operand):
    """The negative of a number that is not written out."""

    operand: Operand

    def __str__(self) -> str:
        return f"-{self.operand}"

    def read(self, proposed: Proposed) -> Value:
        value = self.operand.read(proposed)
        return -value if isinstance(value, float) else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
