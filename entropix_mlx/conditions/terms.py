"""What can be true or false of a proposed token: comparisons, and what is made of them.

Every part knows how it is written. A null field makes a comparison false, whichever it is; so
`forced != "user"` is false of a token that was not forced, and `not forced == "user"` true.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from entropix_mlx.conditions.operands import Literal, Operand, Proposed, Value, rounded
from entropix_mlx.conditions.patterns import Pattern


class Term(ABC):
    """Something that is true or false of a proposal: a condition, or a part of one.

    Equal to another that means the same, token by token; the canonical text parses to an equal one.
    """

    @abstractmethod
    def holds(self, proposed: Proposed) -> bool:
        """Raises SlowPatternError."""

    @abstractmethod
    def written(self, proposed: Proposed | None = None) -> str:
        """Its canonical text, on one line; with a proposal, every field is followed by its value.

        Of alternatives that hold only those are told then; numbers have as few digits as tell the
        same. Raises SlowPatternError.
        """

    def __str__(self) -> str:
        return self.written()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ORDERS = ("<", "<=", ">", ">=")
COMPARISONS = tuple(_COMPARE)


def compared(left: float | str, sign: str, right: float | str) -> bool:
    """Whether two numbers, or two texts, are to each other as one of `COMPARISONS` says."""
    return _COMPARE[sign](left, right)


@dataclass(frozen=True)
class Comparison(Term):
    """Two or more operands with an operator between each two, all of which have to hold.

    Operands are all numbers or all texts; more than two are in order (`ORDERS`).
    """

    sides: tuple[Operand, ...]
    signs: tuple[str, ...]

    def holds(self, proposed: Proposed) -> bool:
        return self._hold([operand.read(proposed) for operand in self.sides])

    def _hold(self, values: list[Value]) -> bool:
        return None not in values and all(
            _COMPARE[sign](left, right)
            for left, sign, right in zip(values, self.signs, values[1:], strict=False)
        )

    def written(self, proposed: Proposed | None = None) -> str:
        if proposed is None:
            told = [str(operand) for operand in self.sides]
        else:
            values = self._shortened([operand.read(proposed) for operand in self.sides])
            told = [o.told(v) for o, v in zip(self.sides, values, strict=True)]
        signs = [*(f" {sign} " for sign in self.signs), ""]
        return "".join(a + b for a, b in zip(told, signs, strict=True))

    def _shortened(self, values: list[Value]) -> list[Value]:
        """With as few digits, from 3 up, as tell the same of the comparison."""
        for digits in range(3, 18):
            short = [
                value
                if isinstance(operand, Literal) or not isinstance(value, float)
                else rounded(value, digits)
                for operand, value in zip(self.sides, values, strict=True)
            ]
            if self._hold(short) == self._hold(values):
                return short
        return values


@dataclass(frozen=True)
class Null(Term):
    """Whether a field is null, or, `negated`, is not."""

    operand: Operand
    negated: bool

    def holds(self, proposed: Proposed) -> bool:
        return (self.operand.read(proposed) is None) != self.negated

    def written(self, proposed: Proposed | None = None) -> str:
        value = None if proposed is None else self.operand.read(proposed)
        if isinstance(value, float):
            value = rounded(value, 3)
        told = str(self.operand) if value is None else self.operand.told(value)
        return f"{told} {'!=' if self.negated else '=='} null"


@dataclass(frozen=True)
class Match(Term):
    """Whether a pattern occurs in a text or, `negated`, does not."""

    operand: Operand
    pattern: Pattern
    negated: bool

    def holds(self, proposed: Proposed) -> bool:
        value = self.operand.read(proposed)
        return isinstance(value, str) and self.pattern.search(value) != self.negated

    def written(self, proposed: Proposed | None = None) -> str:
        told = str(self.operand)
        if proposed is not None:
            told = self.operand.told(self.operand.read(proposed))
        return f"{told} {'!~' if self.negated else '~'} {self._in_quotes()}"

    def _in_quotes(self) -> str:
        # A pattern stands between its quotes as it is; it was written so, or could have been.
        text = self.pattern.text
        bare = text.replace("\\\\", "").replace('\\"', "")
        return f"'{text}'" if '"' in bare else f'"{text}"'


@dataclass(frozen=True)
class Changed(Term):
    """Whether one of `CHANGING` differs from that of the token before; false if either is null."""

    name: str

    def holds(self, proposed: Proposed) -> bool:
        before, now = self._read(proposed)
        return None not in (before, now) and before != now

    def _read(self, proposed: Proposed) -> tuple[str | None, str | None]:
        before = None if proposed.before is None else getattr(proposed.before, self.name)
        return before, getattr(proposed.record, self.name)

    def written(self, proposed: Proposed | None = None) -> str:
        if proposed is None:
            return f"changed({self.name})"
        before, now = self._read(proposed)
        return f"changed({self.name}) {before or 'null'} to {now or 'null'}"


@dataclass(frozen=True)
class Not(Term):
    term: Term

    def holds(self, proposed: Proposed) -> bool:
        return not self.term.holds(proposed)

    def written(self, proposed: Proposed | None = None) -> str:
        return f"not {_within(self.term, (And, Or), proposed)}"


@dataclass(frozen=True)
class And(Term):
    """Two or more terms, none of them an And."""

    terms: tuple[Term, ...]

    def holds(self, proposed: Proposed) -> bool:
        return all(term.holds(proposed) for term in self.terms)

    def written(self, proposed: Proposed | None = None) -> str:
        return " and ".join(_within(term, (Or,), proposed) for term in self.terms)


@dataclass(frozen=True)
class Or(Term):
    """Two or more terms, none of them an Or. With a proposal only what holds is written, if any."""

    terms: tuple[Term, ...]

    def holds(self, proposed: Proposed) -> bool:
        return any(term.holds(proposed) for term in self.terms)

    def written(self, proposed: Proposed | None = None) -> str:
        told = self.terms
        if proposed is not None:
            told = tuple(term for term in told if term.holds(proposed)) or told
        return " or ".join(term.written(proposed) for term in told)


def _within(term: Term, weaker: tuple[type[Term], ...], proposed: Proposed | None) -> str:
    written = term.written(proposed)
    return f"({written})" if isinstance(term, weaker) else written
