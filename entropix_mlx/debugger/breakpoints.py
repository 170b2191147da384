"""Where a debugged answer stops: conditions, watches and catches, each with what to do there.

They are made by one line each, and kept as that line:

    break CONDITION | tbreak CONDITION             each token for which it holds; the first one
    watch CONDITION                                it becomes true, or stops being so
    watch region | quadrant | strategy | argmax    it differs; the token isn't the most likely
    catch KIND                                     one of `CATCHES`; `catch context 32`

and end with `do log`, `do fork N`, `do preset NAME` or `do inject "TEXT"` if not to stop.
"""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from entropix_mlx.conditions.lexer import ConditionError, did_you_mean, listed, shown
from entropix_mlx.conditions.operands import Proposed
from entropix_mlx.conditions.parser import NAMES
from entropix_mlx.conditions.patterns import SlowPatternError
from entropix_mlx.debugger.triggers import NUMBER, WORD, Break, Trigger, trigger, unexpected
from entropix_models.errors import DamagedFileError, UsageError

MOST_WAYS = 64
"""Branches of a fork."""

_REMEMBERED = 4_096
"""Records whose state a watch keeps, so that going back does not lose it."""

_MAKING = ("break", "tbreak", "watch", "catch")
_MANAGING = ("ignore", "delete", "enable", "disable")
VERBS = (*_MAKING, *_MANAGING)
"""First words of what `Breakpoints.command` understands."""


class Action(msgspec.Struct, frozen=True):
    """What to do at a breakpoint; `ways` of a fork, `preset` (not checked here) to switch to,
    `text` to insert in place of what is proposed.
    """

    kind: Literal["stop", "log", "fork", "preset", "inject"] = "stop"
    ways: int = 0
    preset: str = ""
    text: str = ""

    def __str__(self) -> str:
        text = json.dumps(self.text) if self.text else ""
        return " ".join(str(part) for part in (self.kind, self.ways, self.preset, text) if part)


class Hit(NamedTuple):
    """A breakpoint that was met; `reason` is one line with the numbers filled in."""

    number: int
    action: Action
    reason: str


class BreakpointInfo(msgspec.Struct, frozen=True):
    """A breakpoint as it is told and kept: `line` makes it again; `passes`: so many more hits only
    count.
    """

    number: Annotated[int, msgspec.Meta(ge=1)]
    line: str
    hits: Annotated[int, msgspec.Meta(ge=0)]
    passes: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="ignore")
    enabled: bool


@dataclass
class Breakpoint:
    """One breakpoint; `origin` is the line that made it.

    `ignore`: so many more hits only count; `hits`: how many there were, those included.
    """

    number: int
    origin: str
    verb: str
    what: Trigger
    action: Action
    enabled: bool = True
    ignore: int = 0
    hits: int = 0
    # By index: going back and on, a watch compares with the token that is before it there.
    _seen: dict[int, bool] = field(default_factory=dict, repr=False, compare=False)

    @property
    def line(self) -> str:
        """The canonical form of the line that made it."""
        action = "" if self.action.kind == "stop" else f" do {self.action}"
        return f"{self.verb} {self.what}{action}"

    def check(self, proposed: Proposed) -> str | None:
        """The reason why it is met, if it is; counts nothing."""
        seen, record = self._seen, proposed.record
        state, reason = self.what.met(proposed, seen.get(record.parent))
        if not isinstance(self.what, Break):
            seen[record.index] = state
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
        return reason

    @property
    def info(self) -> BreakpointInfo:
        return BreakpointInfo(self.number, self.line, self.hits, self.ignore, self.enabled)


class _AllKept(msgspec.Struct):
    """`ranks`: from what `rank` counts in the lines; it was 0 once."""

    next: Annotated[int, msgspec.Meta(ge=1)]
    breakpoints: list[BreakpointInfo]
    ranks: Literal[0, 1] = 0


class Breakpoints:
    """The breakpoints of a session by number; a number is never used again.

    Methods that take a number raise UsageError if there is no such breakpoint.
    """

    def __init__(self) -> None:
        self._made: dict[int, Breakpoint] = {}
        self._next = 1

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(list(self._made.values()))

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, number: int) -> Breakpoint:
        if number not in self._made:
            there = (
                f"there are {', '.join(map(str, self._made))}" if self._made else "there is none"
            )
            raise UsageError(f"no breakpoint {number}; {there}")
        return self._made[number]

    def add(self, line: str) -> Breakpoint:
        """Make a breakpoint of a line; a condition alone is a `break`. Raises ConditionError."""
        made = _breakpoint(line, self._next)
        self._made[made.number] = made
        self._next += 1
        return made

    def check(self, proposed: Proposed) -> list[Hit]:
        """What a proposal meets, in order of number.

        Each call counts, so it is one for a proposal. A temporary one is gone after its hit. One
        whose pattern takes too long stops, as what it waits for may be here, and is disabled.
        """
        hits = []
        for point in self:
            try:
                reason = point.check(proposed) if point.enabled else None
            except SlowPatternError as error:
                point.enabled = False
                hits.append(Hit(point.number, Action(), f"{error}; until then it is disabled"))
                continue
            if reason is None:
                continue
            point.hits += 1
            if point.ignore:
                point.ignore -= 1
                continue
            hits.append(Hit(point.number, point.action, reason))
            if point.verb == "tbreak":
                del self._made[point.number]
        return hits

    def command(self, line: str) -> list[BreakpointInfo]:
        """Do what a line that begins with one of `VERBS` says. Gives those that it is about, as
        they are now; deleted ones as they were.

        `ignore N COUNT`; `delete`, `enable` and `disable` take numbers or `all`. Raises UsageError.
        """
        verb, *words = line.split() or [""]
        if verb not in _MANAGING:
            return [self.add(line).info]
        if verb == "ignore":
            if len(words) != 2 or not all(map(NUMBER.fullmatch, words)):
                raise UsageError("ignore takes a breakpoint's number and a count: ignore 1 5")
            number, count = map(int, words)
            self[number].ignore = count
            return [self[number].info]
        if not words or (words != ["all"] and not all(map(NUMBER.fullmatch, words))):
            raise UsageError(f"{verb} takes numbers of breakpoints, or all: {verb} 1 3")
        numbers = self._made if words == ["all"] else map(int, words)
        points = [self[number] for number in dict.fromkeys(numbers)]
        for point in points:
            if verb == "delete":
                del self._made[point.number]
            else:
                point.enabled = verb == "enable"
        return [point.info for point in points]

    def infos(self) -> list[BreakpointInfo]:
        """All of them, for a screen."""
        return [point.info for point in self]

    def to_dict(self) -> dict[str, Any]:
        """Plain values to keep with a session; what watches have seen is not among them."""
        kept = [msgspec.structs.replace(point.info, line=point.origin) for point in self]
        plain: dict[str, Any] = msgspec.to_builtins(_AllKept(self._next, kept, ranks=1))
        return plain

    @classmethod
    def from_dict(cls, plain: object) -> "Breakpoints":
        """The breakpoints that `to_dict` made it of. Raises DamagedFileError."""
        found = cls()
        try:
            all_kept = msgspec.convert(plain, _AllKept)
            for kept in sorted(all_kept.breakpoints, key=lambda kept: kept.number):
                line = kept.line if all_kept.ranks else _RANK.sub(_counted_from_0, kept.line)
                point = _breakpoint(line, kept.number)
                point.enabled, point.ignore, point.hits = kept.enabled, kept.passes, kept.hits
                found._made[kept.number] = point
        except (msgspec.ValidationError, ConditionError) as error:
            raise DamagedFileError(
                f"the kept breakpoints cannot be read ({error}); remove them from the session"
            ) from error
        found._next = max(all_kept.next, max(found._made, default=0) + 1)
        return found


_RANK = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\brank(1?)\b""")
"""A text, which stays as it is, or a rank as it was called when `rank` counted from 0."""


def _counted_from_0(found: re.Match[str]) -> str:
    return found[1] or ("rank" if found[2] else "rank0")


_FIRST = re.compile(r"[ \t]*([A-Za-z0-9_]*)[ \t]*")
_LINK = "[A-Za-z0-9_-]{1,40}(=[0-9.:e+-]{1,40})?"
_PRESET = re.compile(f"{_LINK}(,{_LINK}){{,39}}")
"""A name, or the links of a chain, perhaps with their values."""


def _breakpoint(line: str, number: int) -> Breakpoint:
    """What a line makes. Raises ConditionError."""
    first = _FIRST.match(line)
    assert first is not None
    verb, start = first[1], first.end()
    if verb not in _MAKING:
        close = difflib.get_close_matches(verb[:80], (*VERBS, *NAMES), n=1)
        if close and close[0] in VERBS:
            meant = "" if verb in VERBS else f" (did you mean {close[0]}?)"
            raise unexpected(
                f"expected {listed(_MAKING)}, or a condition, found {shown(verb)}{meant}",
                first.start(1),
            )
        verb, start = "break", 0
    what, end = trigger(verb, line, start)
    return Breakpoint(number, line.strip(), verb, what, _action(line, end))


def _action(line: str, start: int) -> Action:
    """What the rest of the line says to do."""
    injected = _INJECT.match(line, start)
    if injected is not None:
        return Action("inject", text=_injected(injected[1], injected.start(1)))
    words = [(word[0], word.start()) for word in WORD.finditer(line, start)]
    if not words:
        return Action()
    (do, at), (kind, kind_at), (given, given_at), *rest = [*words, *[("", len(line))] * 3]
    found = shown(given) or "the end"
    if do != "do":
        raise unexpected(f"expected do or the end, found {shown(do)}", at)
    if kind in ("stop", "log"):
        action = Action("log") if kind == "log" else Action()
        rest = [(given, given_at), *rest]
    elif kind == "fork":
        ways = int(given) if NUMBER.fullmatch(given) else 0
        if not 2 <= ways <= MOST_WAYS:
            raise unexpected(
                f"expected a number of ways, 2 to {MOST_WAYS}, found {found}", given_at
            )
        action = Action("fork", ways=ways)
    elif kind == "preset":
        if not _PRESET.fullmatch(given):
            raise unexpected(f"expected the name of a preset, found {found}", given_at)
        action = Action("preset", preset=given)
    else:
        found = shown(kind) + did_you_mean(kind, _ACTIONS) or "the end"
        raise unexpected(
            f"expected stop, log, fork N, preset NAME or inject TEXT, found {found}", kind_at
        )
    if rest[0][0]:
        raise unexpected(f"expected the end, found {shown(rest[0][0])}", rest[0][1])
    return action


_ACTIONS = ("stop", "log", "fork", "preset", "inject")
_INJECT = re.compile(r'do[ \t]+inject[ \t]+(".*")[ \t]*$', re.DOTALL)


def _injected(quoted: str, start: int) -> str:
    """The text between double quotation marks, with JSON's escapes."""
    try:
        text = json.loads(quoted)
    except ValueError:
        raise unexpected("expected a text in double quotation marks", start) from None
    if not text:
        raise unexpected("expected a text that is not empty", start)
    return str(text)
