"""A sound trace with everything that one can hold, and what a careless disk or a hostile hand makes
of it. Every trace follows from a seed and its number, so that each can be made again.
"""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "tui"))

from scripted import HEADER, STORY, prompt, token

from entropix_mlx.records.record import MOST, End, Event, Record

INTEGERS = (
    *(-(10**400), -(2**63), -2, -1, 0, 1, 2, 7, 255, MOST - 2, MOST - 1, MOST, 2**31 - 1, 2**31),
    *(2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**400),
)
FLOATS = (
    *(0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e-9, 3.3, 999.5, 1e5, 1e15, 1e16, 65504.0, -1e6),
    *(3.4028234663852886e38, -3.4028234663852886e38, 3.5e38, 1e300, 1.7e308, -1.7e308),
)
TEXTS = (
    *("", " ", "\r", "a\rb", "\r\n", "\n", "\t", "\0", "\x1b[2J", "\x1b]0;title\x07", "\x7f"),
    *("\x85", "\x9b2J", "\u061c", "\u200b", "\u200d", "\u2028", "\u2029", "\u202e", "\u2066"),
    *(
        "\ufeff",
        "\ufffe",
        "\ue000",
        "\U000e0041",
        "\U0001f469\u200d\U0001f469",
        "e" + "\u0301" * 40,
    ),
    *("[/red]", "[bold", "<script>", "]]>", '"a",b', "=1+1", "-", "漢字", "\u0e33", "\U0001f1e9"),
    *("LELV", "adaptive", "user", "all", "0,3-5", "0-999," * 99, "x" * 5000, "word " * 400),
)
SNIPPETS = (
    *(b"-1", b"1e308", b"1e999", b"9" * 40, b"NaN", b"<", b'"', b"\\u202e", b"\x9b", b"\xff"),
    *(b"\r", b"\n", b"\0", b"{", b"[", b"null", b"true", b"\\", b"\xed\xa0\x80", b"\xc2\x85"),
)


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def sound() -> list[bytes]:
    """The lines of a trace that has every kind of record: two turns, a branch, prompts with and
    without figures, changed settings, breakpoints, valleys, a scored prompt's valley.
    """
    records: list[Record] = [HEADER, prompt(0, "Be kind.", role="system", score=False)]
    asked = msgspec.structs.replace(prompt(1, "Which is larger, 9.9 or 9.11?"), valleys=[(2, 6)])
    records.append(asked)
    for n, text in enumerate(STORY[:24], 2):
        records.append(token(n, text, measures={"own": 0.25} if n % 5 == 0 else msgspec.UNSET))
        if n == 14:
            records.append(Event(kind="valley", index=14, at=12))
        if n == 8:
            changed = {"temperature": 1.25, "top_k": 40, "layers": "0,3-5", "seed": 11}
            records.append(Event(kind="setting", index=8, detail=changed))
        if n == 9:
            point = {"condition": "entropy > 3", "enabled": True}
            records.append(Event(kind="breakpoints", index=9, detail={"points": [point]}))
    records.append(End(leaf=25, finish_reason="stop", tokens=24, seconds=4, prefill_seconds=0.1))
    records += [token(26, " or", parent=12, forced="user", strategy=None), token(27, " é漢🙂")]
    records += [token(28, "", b"\xf0\x9f"), token(29, "🙂", b"\x99\x82")]
    records.append(Event(kind="fork", index=26, at=13))
    records.append(Event(kind="branch", index=29, detail={"name": "another"}))
    records.append(End(leaf=29, finish_reason="length", tokens=4, seconds=1, prefill_seconds=0))
    records += [Event(kind="return", index=25), prompt(30, "Really?", parent=25, score=False)]
    records += [token(n, text) for n, text in enumerate([" Yes", ",", " really", "."], 31)]
    records.append(Event(kind="question", index=34, at=32))
    records.append(End(leaf=34, finish_reason="stop", tokens=4, seconds=1, prefill_seconds=0.5))
    return [msgspec.json.encode(record) for record in records]


SOUND = sound()


def damaged(seed: int, number: int) -> bytes:
    """The trace of this number. Of ten, four have wrong values in whole lines, two have values at
    the ends of what can be, two have torn and misplaced lines, two have wrong bytes.
    """
    spread = random.Random(f"{seed}/{number}")
    lines = list(SOUND)
    kind = number % 10
    if kind < 6:
        for _ in range(spread.choice((1, 1, 2, 3, 8, 40))):
            at = spread.randrange(len(lines)) if spread.random() < 0.9 else 0
            with suppress(RecursionError):  # one depth in another
                lines[at] = changed(spread, lines[at], likely=kind >= 4)
        if kind == 5:
            lines = far(spread, lines)
        return b"\n".join(lines) + b"\n"
    if kind < 8:
        for _ in range(spread.randrange(1, 12)):
            move(spread, lines)
        data = b"\n".join(lines) + b"\n"
        return data[: spread.randrange(len(data))] if spread.random() < 0.3 else data
    raw = bytearray(b"\n".join(lines) + b"\n")
    for _ in range(spread.randrange(1, 30)):
        begin = spread.randrange(len(raw))
        raw[begin : begin + spread.randrange(4)] = spread.choice(SNIPPETS)
    return bytes(raw)


def move(spread: random.Random, lines: list[bytes]) -> None:
    """Swap, repeat, drop, glue or cut lines; the header too, but seldom."""
    at, other = (spread.randrange(spread.random() < 0.95, len(lines)) for _ in range(2))
    match spread.randrange(5):
        case 0:
            lines[at], lines[other] = lines[other], lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2 if len(lines) > 2:
            del lines[at]
        case 3:
            lines[at] += lines[other]
        case _:
            lines[at] = lines[at][: spread.randrange(1, len(lines[at]) + 1)]


def changed(spread: random.Random, line: bytes, *, likely: bool) -> bytes:
    """A line with another value somewhere in it; `likely`: one that a reader may well let in."""
    try:
        found = json.loads(line)
    except ValueError:
        return line
    places = list(values(found))
    if not places:
        return line
    holder, key = spread.choice(places)
    old = holder[key]
    if not likely and spread.random() < 0.15:
        if isinstance(holder, dict):
            del holder[key]
            holder[spread.choice(TEXTS)] = old
        else:
            holder *= spread.choice((0, 2, 30))
    else:
        holder[key] = like(spread, old) if likely or spread.random() < 0.5 else anything(spread)
    return json.dumps(found, ensure_ascii=spread.random() < 0.5).encode("utf-8", "replace")


def values(found: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in what a line holds, inner ones too: what holds it, and under which key."""
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in list(pairs):
        if key != "type":
            yield found, key
        if isinstance(value, dict | list):
            yield from values(value)


def like(spread: random.Random, old: Any) -> Any:
    """Another value of the kind."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int) and spread.random() < 0.7:
        return spread.choice(INTEGERS)
    if isinstance(old, int | float) or old is None:
        return spread.choice((*FLOATS, None))
    if isinstance(old, str):
        return spread.choice(TEXTS)
    return old * 2 if isinstance(old, list) else {**old, spread.choice(TEXTS): anything(spread)}


def anything(spread: random.Random) -> Any:
    """A value of any kind."""
    pools = (INTEGERS, FLOATS, TEXTS, (None, True, False, [], {}, [[]], float("nan"), "\ud800"))
    value = spread.choice(spread.choice(pools))
    if spread.random() < 0.1:
        return nested(spread.choice((1, 3, 15, 16, 17, 200, 900)))
    return value


def far(spread: random.Random, lines: list[bytes]) -> list[bytes]:
    """All indices moved as far as they can be."""
    by = spread.choice((MOST - 40, 2**24, 2**20, 10_000))
    moved = []
    for line in lines:
        try:
            found = json.loads(line)
            for key in ("index", "parent", "leaf", "at"):
                if isinstance(found.get(key), int) and found[key] >= 0:
                    found[key] += by
            moved.append(json.dumps(found).encode())
        except (ValueError, RecursionError):
            moved.append(line)
    return moved
