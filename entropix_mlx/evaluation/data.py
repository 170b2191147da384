"""Rows of data sets: read one by one, sampled in one pass, and what is wrong with the bad ones.

Neither a file nor its sample's source is ever in memory as a whole.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from entropix_mlx.evaluation.item import PROBLEMS, Item, Items
from entropix_models.errors import EntropixError, UsageError
from entropix_models.progress import Progress

Row = dict[str, Any]

LONGEST_LINE = 16 << 20
"""Bytes of a line that is read; a longer one is passed over."""
_PIECE = 1 << 20


class BadRowError(Exception):
    """What is wrong with a row, so that it can be read behind "line 17"."""


def sample(
    rows: Iterable[tuple[str, Row | BadRowError]],
    make: Callable[[Row, str], Item],
    n: int,
    seed: int,
    source: str,
) -> Items:
    """At most `n` items of the good rows, each row as likely as the next, in the rows' order.

    `rows`: each with where it is ("line 17"), which `make` also gets; it raises BadRowError. Every
    row is made into an item, so that all the bad ones are counted, and at most `n` are kept.
    Raises EntropixError, which names the `source`, where no row is good.
    """
    chance = random.Random(f"{seed} sample")
    kept: list[tuple[int, Item]] = []
    problems: list[str] = []
    good = left_out = 0
    for where, row in rows:
        try:
            if isinstance(row, BadRowError):
                raise row
            item = make(row, where)
        except BadRowError as error:
            left_out += 1
            if len(problems) < PROBLEMS:
                problems.append(f"{where} {error}")
            continue
        if good < n:
            kept.append((good, item))
        elif (place := chance.randrange(good + 1)) < n:
            kept[place] = (good, item)
        good += 1
    if not good:
        why = f"has no row that can be used: {problems[0]}" if problems else "is empty"
        raise EntropixError(f"{source} {why}; take another source")
    kept.sort(key=itemgetter(0))
    return Items(_told_apart(item for _, item in kept), tuple(problems), left_out)


def _told_apart(items: Iterable[Item]) -> list[Item]:
    """An item whose id an earlier one has gets a number behind it."""
    found: dict[str, Item] = {}
    for item in items:
        id, number = item.id, 1
        while id in found:
            number += 1
            id = f"{item.id} ({number})"
        found[id] = replace(item, id=id)
    return list(found.values())


# JSON Lines.


def lines(path: str, progress: Progress) -> Iterator[tuple[str, Row | BadRowError]]:
    """The rows of a JSON Lines file; blank lines are none.

    Raises UsageError where there is no such file, EntropixError where it cannot be read.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise UsageError(f"{path} is a folder; name a JSON Lines file in it")
    if not file.is_file():
        raise UsageError(f"{path}: no such file; name a JSON Lines file, an object a line")
    told = 0
    for number, (line, at, total) in enumerate(_bounded(file), 1):
        if at - told >= _PIECE:
            told = at
            progress(f"reading {file.name}", at, total)
        if line is None:
            yield f"line {number}", BadRowError(f"is longer than {LONGEST_LINE >> 20} MiB")
        elif line.strip():
            yield f"line {number}", _parsed(line, first=number == 1)


def _bounded(file: Path) -> Iterator[tuple[bytes | None, int, int]]:
    """Lines, None for one that is too long, each with the bytes up to its end and of the file."""
    try:
        total = file.stat().st_size
        with file.open("rb") as opened:
            while line := opened.readline(LONGEST_LINE + 1):
                if len(line) <= LONGEST_LINE or line.endswith(b"\n"):
                    yield line, opened.tell(), total
                    continue
                while (piece := opened.readline(_PIECE)) and not piece.endswith(b"\n"):
                    pass
                yield None, opened.tell(), total
    except OSError as error:
        raise EntropixError(
            f"{file} cannot be read ({error.strerror}); check the file and its permissions"
        ) from error


def _parsed(line: bytes, *, first: bool) -> Row | BadRowError:
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError:
        return BadRowError("is not UTF-8")
    except (ValueError, RecursionError):
        return BadRowError("is no JSON")
    return row if isinstance(row, dict) else BadRowError("is no JSON object")


# The fields of a row.


def text(row: Row, name: str) -> str:
    """A field that is a text with something in it."""
    return _checked(_field(row, name), name)


def texts(row: Row, name: str) -> list[str]:
    """A field that is a list of texts, at least one."""
    found = _field(row, name)
    if not isinstance(found, list) or not found:
        raise BadRowError(f'has a "{name}" that is no list of texts')
    return [_checked(each, name) for each in found]


def whole(row: Row, name: str) -> int:
    """A field that is a whole number, or its digits."""
    found = _field(row, name)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 10:
        return int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        raise BadRowError(f'has a "{name}" that is no whole number')
    return found


def table(row: Row, name: str) -> Row:
    """A field that is an object."""
    found = _field(row, name)
    if not isinstance(found, dict):
        raise BadRowError(f'has a "{name}" that is no object')
    return found


def _field(row: Row, name: str) -> Any:
    if row.get(name) is None:
        raise BadRowError(f'has no "{name}"')
    return row[name]


def _checked(found: Any, name: str) -> str:
    if not isinstance(found, str):
        raise BadRowError(f'has a "{name}" that is no text')
    if not found.strip():
        raise BadRowError(f'has an empty "{name}"')
    try:
        found.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can spell
        raise BadRowError(f'has a "{name}" that is no text') from None
    return found
