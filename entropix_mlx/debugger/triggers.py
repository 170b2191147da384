"""What a debugger can wait for in proposed tokens, met or not by each of them.

`met(proposed, before)` says whether it is so now, and why this is a place to stop, if it is;
`before` is what it said of the token before, None if it was not asked.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from entropix_mlx.conditions.lexer import ConditionError, did_you_mean, listed, shown
from entropix_mlx.conditions.operands import CHANGING, Proposed, quoted
from entropix_mlx.conditions.parser import leading, parse
from entropix_mlx.conditions.terms import Term

ROOM = 16
"""The context is nearly full when it can take so many more tokens."""


@dataclass(frozen=True)
class Break:
    """Met by each token for which the condition holds; `word` is what stands for it in a line."""

    condition: Term
    word: str = ""

    def met(self, proposed: Proposed, _before: bool | None) -> tuple[bool, str | None]:
        holds = self.condition.holds(proposed)
        return holds, self.condition.written(proposed) if holds else None

    def __str__(self) -> str:
        return self.word or str(self.condition)


@dataclass(frozen=True)
class Watch:
    """Met where the condition becomes true or false; the first token only says which it is."""

    condition: Term

    def met(self, proposed: Proposed, before: bool | None) -> tuple[bool, str | None]:
        holds = self.condition.holds(proposed)
        if before is None or holds == before:
            return holds, None
        return holds, f"{'now' if holds else 'no longer'} {self.condition.written(proposed)}"

    def __str__(self) -> str:
        return str(self.condition)


@dataclass(frozen=True)
class Catch:
    """Met by one of `CATCHES`; by `context` once, where no more than `room` tokens fit."""

    kind: str
    room: int = ROOM

    def met(self, proposed: Proposed, before: bool | None) -> tuple[bool, str | None]:
        if self.kind != "context":
            reason = _CAUGHT[self.kind](proposed)
            return reason is not None, reason
        near = proposed.room is not None and proposed.room <= self.room
        told = f"room for {proposed.room} more in the context, this token included"
        return near, told if near and not before else None

    def __str__(self) -> str:
        return f"{self.kind} {self.room}" if self.kind == "context" else self.kind


def _token(proposed: Proposed) -> str:
    return quoted(bytes.fromhex(proposed.record.bytes).decode("utf-8", "replace"))


def _nan(proposed: Proposed) -> str | None:
    """What was not measured although it should have been.

    Attention is null in a run that does not capture it, so there a null counts if the token
    before had a number.
    """
    record, before = proposed.record, proposed.before
    for name in (*_ALWAYS, *_ATTENTION):
        value = getattr(record, name)
        if value is not None:
            if not math.isfinite(value):
                return f"{name} is {value}"
        elif name in _ALWAYS:
            return f"{name} is null"
        elif before is not None and getattr(before, name) is not None:
            return f"{name} is null, and was not at the token before"
    return None


_ALWAYS = ("logprob", "rank", "entropy", "varentropy")
_ATTENTION = ("attn_entropy", "attn_varentropy", "agreement", "interaction_strength")

_CAUGHT: dict[str, Callable[[Proposed], str | None]] = {
    "end": lambda it: f"end of sequence {_token(it)}" if it.is_end else None,
    "special": lambda it: f"special token {_token(it)}" if it.is_special else None,
    "utf8": lambda it: (
        f"bytes {it.record.bytes} leave a character incomplete" if it.incomplete else None
    ),
    "forced": lambda it: (
        None if it.record.forced is None else f"forced by {it.record.forced} {_token(it)}"
    ),
    "valley": lambda it: (
        None if it.valley is None else f"valley of the entropy, lowest at index {it.valley}"
    ),
    "nan": _nan,
}
CATCHES = (*_CAUGHT, "context")
"""What can be caught: the end of the sequence, a special token (the end is one too), a token that
leaves a character incomplete, a forced token, a valley that the last token confirmed, a metric
that is missing or no number, the context being full soon.
"""

Trigger = Break | Watch | Catch

WORD = re.compile(r"[^ \t]+")
NUMBER = re.compile("[0-9]{1,9}")
_DIFFERS = re.compile(rf"({'|'.join(CHANGING)}|argmax)[ \t]*(?=$|do\b)")


def trigger(verb: str, line: str, start: int) -> tuple[Trigger, int]:
    """What a line waits for that begins with a verb, and where its rest begins. Raises
    ConditionError.
    """
    if verb == "catch":
        return _catch(line, start)
    if verb == "watch" and (differs := _DIFFERS.match(line, start)):
        word = differs[1]
        text = "rank > 1" if word == "argmax" else f"changed({word})"
        return Break(parse(text), word), differs.end()
    condition, end = leading(line, start)
    return Watch(condition) if verb == "watch" else Break(condition), end


def _catch(line: str, start: int) -> tuple[Catch, int]:
    kind = WORD.match(line, start)
    if kind is None or kind[0] not in CATCHES:
        found = f"{shown(kind[0])}{did_you_mean(kind[0], CATCHES)}" if kind else "the end"
        raise unexpected(f"expected {listed(CATCHES)}, found {found}", start)
    room = WORD.search(line, kind.end())
    if kind[0] != "context" or room is None or room[0] == "do":
        return Catch(kind[0]), kind.end()
    if not NUMBER.fullmatch(room[0]):
        raise unexpected(f"expected a number of tokens, found {shown(room[0])}", room.start())
    return Catch("context", int(room[0])), room.end()


def unexpected(problem: str, start: int) -> ConditionError:
    """What is wrong in a breakpoint's line, from a character on (from 0)."""
    return ConditionError(problem, start + 1, "breakpoint")
