"""Regular expressions whose search takes time in proportion to the text, whatever they are.

The syntax is that of `re`, without what needs backtracking. All ways through a pattern are followed
at once, so there is nothing to guard against: `(a+)+b` costs no more than `a+b`.
"""

import re
import warnings
from typing import NamedTuple

LONGEST = 200
"""Characters of a pattern."""

REACH = 2_000
"""So many characters at the end of a text are searched."""

_MOST_STEPS = 500
"""Steps of a pattern with its counted repeats written out: they bound the time of a character."""

_MOST_REMEMBERED = 4_096

_UNIT = re.compile(
    r"""
      (?P<open>\((?:\?:)?)
    | (?P<shut>\))
    | (?P<either>\|)
    | (?P<place>[\^$]|\\[bBAZ])
    | (?P<repeat>(?:[*+?]|\{(?!\})[0-9]*(?:,[0-9]*)?\})[?+]?)
    | (?P<one>\[\^?\]?(?:[^\]\\]|\\.)*\]
        | \\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[dDwWsSnrtfva]|[^A-Za-z0-9])
        | [^\\\[])
    """,
    re.VERBOSE | re.DOTALL,
)
_COUNTS = re.compile(r"\{([0-9]*)(?:(,)([0-9]*))?\}")


class PatternError(ValueError):
    """A pattern that is wrong, or asks for more than is offered; `position` counts from 0."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.position = position


class _One(NamedTuple):
    """Any of some characters."""

    accepts: re.Pattern[str]


class _Place(NamedTuple):
    """A place between characters."""

    name: str


class _Row(NamedTuple):
    parts: "tuple[_Node, ...]"


class _Either(NamedTuple):
    ways: "tuple[_Node, ...]"


class _Repeat(NamedTuple):
    """`most` is None where there is no bound."""

    part: "_Node"
    least: int
    most: int | None


_Node = _One | _Place | _Row | _Either | _Repeat


_Situation = tuple[frozenset[int], tuple[bool, ...], str]
"""The steps that are reached, which places these are, and the character that follows."""


class _Step(NamedTuple):
    """One step of the program: then one of `after` is next, once `test` has been passed."""

    test: _One | _Place | None
    after: tuple[int, ...]


class Pattern:
    r"""A compiled pattern; equal to another of the same text.

    Characters, `.`, classes `[a-z]`, `\d \w \s` and their opposites, `\n` and the like, `\x1b`,
    `\u2014`; `( )`, `(?: )` and `|`; `* + ?` and `{m,n}`, lazy or not; `^ $ \b \B \A \Z`; `(?i)`,
    `(?m)`, `(?s)` in front. Raises PatternError for anything else, a pattern over `LONGEST`, or
    one whose counted repeats come to too much.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        reader = _Reader(text)
        node = reader.read()
        if _size(node) > _MOST_STEPS:
            raise PatternError("its repeats come to too much; count less far", 0)
        self._lines = "m" in reader.flags
        self._steps = [_Step(None, ())]  # at step 0 it is found
        self._add(None, self._write(node, 0))
        self._places = sorted({step.test for step in self._steps if isinstance(step.test, _Place)})
        self._seen: dict[_Situation, frozenset[int] | None] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def search(self, text: str) -> bool:
        """Whether it occurs in the last `REACH` characters of a text.

        What lies before them is seen by `^`, `\\A`, `\\b` and `\\B` alone.
        """
        seen, names = self._seen, [place.name for place in self._places]
        at: frozenset[int] = frozenset()
        facts: tuple[bool, ...] = ()
        for i in range(max(len(text) - REACH, 0), len(text) + 1):
            if names:
                facts = tuple([self._holds(name, text, i) for name in names])
            key = (at, facts, text[i : i + 1])
            if key in seen:
                then = seen[key]
            else:
                if len(seen) >= _MOST_REMEMBERED:
                    seen.clear()
                then = seen[key] = self._next(*key)
            if then is None:
                return True
            at = then
        return False

    def _next(
        self, at: frozenset[int], facts: tuple[bool, ...], character: str
    ) -> frozenset[int] | None:
        """Where a character leads from all places at once; None: the pattern was found."""
        true = {place for place, fact in zip(self._places, facts, strict=True) if fact}
        waiting = [*at, len(self._steps) - 1]  # it may begin anywhere
        met = set(waiting)
        led: set[int] = set()
        accepted: dict[_One, bool] = {}
        while waiting:
            n = waiting.pop()
            if n == 0:
                return None
            test, after = self._steps[n]
            if isinstance(test, _One):
                if test not in accepted:
                    accepted[test] = bool(character and test.accepts.match(character))
                if accepted[test]:
                    led.update(after)
            elif test is None or test in true:
                waiting += [step for step in after if step not in met]
                met.update(after)
        return frozenset(led)

    def _holds(self, place: str, text: str, i: int) -> bool:
        if place == "\\b" or place == "\\B":
            before = i > 0 and (text[i - 1].isalnum() or text[i - 1] == "_")  # as \w
            after = i < len(text) and (text[i].isalnum() or text[i] == "_")
            return (before != after) == (place == "\\b")
        if place == "^" or place == "\\A":
            return i == 0 or (place == "^" and self._lines and text[i - 1] == "\n")
        left = len(text) - i
        return left == 0 or (place == "$" and text[i] == "\n" and (left == 1 or self._lines))

    def _write(self, node: _Node, then: int) -> int:
        """Append the steps of a node that goes on at step `then`; the number of its first."""
        match node:
            case _Row(parts):
                for part in reversed(parts):
                    then = self._write(part, then)
                return then
            case _Either(ways):
                return self._add(None, *(self._write(way, then) for way in ways))
            case _Repeat(part, least, most):
                if most is None:
                    loop = self._add(None)
                    self._steps[loop] = _Step(None, (self._write(part, loop), then))
                    then = loop
                else:
                    for _ in range(most - least):
                        then = self._add(None, self._write(part, then), then)
                for _ in range(least):
                    then = self._write(part, then)
                return then
            case _:
                return self._add(node, then)

    def _add(self, test: _One | _Place | None, *after: int) -> int:
        self._steps.append(_Step(test, after))
        return len(self._steps) - 1


def _size(node: _Node) -> int:
    """How many steps a node is written as, or a few more; found without writing them."""
    match node:
        case _Row(parts):
            return sum(map(_size, parts)) or 1  # repeats of nothing take time as well
        case _Either(ways):
            return 1 + sum(map(_size, ways))
        case _Repeat(part, least, most):
            if most is None:
                return (least + 1) * _size(part) + 1
            return most * _size(part) + most - least
        case _:
            return 1


class _Reader:
    """Recursive descent over a pattern's text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags = ""
        if len(text) > LONGEST:
            raise PatternError(f"a pattern has at most {LONGEST} characters", LONGEST)

    def read(self) -> _Node:
        if flags := re.match(r"\(\?([ims]+)\)", self.text):
            self.flags, self.at = flags[1], flags.end()
        node = self.either()
        if self.at < len(self.text):
            raise PatternError("this parenthesis was not opened", self.at)
        return node

    def either(self) -> _Node:
        ways = [self.row()]
        while self.text.startswith("|", self.at):
            self.at += 1
            ways.append(self.row())
        return ways[0] if len(ways) == 1 else _Either(tuple(ways))

    def row(self) -> _Node:
        parts: list[_Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repeated())
        return parts[0] if len(parts) == 1 else _Row(tuple(parts))

    def repeated(self) -> _Node:
        part = self.single()
        unit = _UNIT.match(self.text, self.at)
        if unit is None or unit.lastgroup != "repeat":
            return part
        if isinstance(part, _Place):
            raise PatternError("there is nothing here to repeat", self.at)
        least, most = self.counts(unit[0])
        self.at = unit.end()
        unit = _UNIT.match(self.text, self.at)
        if unit is not None and unit.lastgroup == "repeat":
            raise PatternError("this repeats a repeat; put the first in ( )", self.at)
        return _Repeat(part, least, most)

    def counts(self, text: str) -> tuple[int, int | None]:
        if text[-1] == "+" and len(text) > 1:
            raise PatternError(
                "possessive repeats are not offered; leave out the second +", self.at
            )
        if text[0] in "*+?":
            return int(text[0] == "+"), 1 if text[0] == "?" else None
        counts = _COUNTS.match(text)
        assert counts is not None
        least = int(counts[1] or 0)
        most = (int(counts[3]) if counts[3] else None) if counts[2] else least
        if most is not None and most < least:
            raise PatternError("this counts downwards; write the smaller number first", self.at)
        return least, most

    def single(self) -> _Node:
        start, unit = self.at, _UNIT.match(self.text, self.at)
        if unit is None:
            raise PatternError(self.refused(), start)
        self.at = unit.end()
        match unit.lastgroup:
            case "open":
                if unit[0] == "(" and self.text.startswith("?", self.at):
                    raise PatternError(
                        "of what begins with (? only (?: ), and (?i) (?m) (?s) in front, are "
                        "offered; no looking around, no names",
                        start,
                    )
                node = self.either()
                if not self.text.startswith(")", self.at):
                    raise PatternError("this parenthesis is not closed", start)
                self.at += 1
                # A group with nothing but a place in it can be repeated, as in `re`.
                return _Row((node,)) if isinstance(node, _Place) else node
            case "place":
                return _Place(unit[0])
            case "repeat":
                raise PatternError("there is nothing here to repeat", start)
            case _:
                return _One(self.characters(unit[0], start))

    def characters(self, text: str, start: int) -> re.Pattern[str]:
        """What one character has to be, in the words of `re`, which knows classes best."""
        flags = re.IGNORECASE if "i" in self.flags else re.NOFLAG
        flags |= re.DOTALL if "s" in self.flags else re.NOFLAG
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return re.compile(text if len(text) > 1 or text == "." else re.escape(text), flags)
        except (re.error, FutureWarning) as error:
            problem = str(error).partition(" at position")[0]
            raise PatternError(f"{problem} in {text}", start) from None

    def refused(self) -> str:
        if self.text[self.at] == "[":
            return "this [ is not closed"
        following = self.text[self.at + 1 : self.at + 2]
        if following.isdigit():
            return "references to groups are not offered"
        return f"there is no \\{following}" if following else "a \\ stands for itself as \\\\"
