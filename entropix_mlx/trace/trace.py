"""Traces: a run's records as JSON Lines, written as it happens and read back without trust.

Every line is a record of `records`, whole or not there at all. What a reader does not know is kept
(fields, in `Trace.lines`) or noted (`Trace.problems`); nothing in a file can make it fail but a
missing header.
"""

import errno
import gc
import os
import stat
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from entropix_mlx.records.quadrants import is_name
from entropix_mlx.records.record import (
    SCHEMA,
    End,
    Event,
    PromptRecord,
    Record,
    RunHeader,
    TokenRecord,
)
from entropix_models.errors import TraceError, one_line

LONGEST_HEADER = 2**20
"""Bytes; a file without a line break in so many is no trace, whatever it is."""

MOST_PROBLEMS = 50
"""So many problems of a file are told one by one; the rest are counted."""

DEEPEST = 16
"""Levels of lists and objects in settings and details: whoever prints them goes down into them."""


def visible_json(data: bytes) -> bytes:
    """A line of JSON that means the same, in which what can't be seen is escaped: characters that
    steer a terminal are among it, and those that some readers take for the end of a line.
    """
    text = data.decode()
    if text.isprintable():
        return data
    return "".join(char if char.isprintable() else _escape(char) for char in text).encode()


def _escape(char: str) -> str:
    """As JSON has it: two halves where a character needs more than four digits."""
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def attention_beside(trace: Path) -> Path:
    """Where a trace's attention by layer and head is: `run.jsonl.attention`."""
    return trace.with_name(f"{trace.name}.attention")


class TraceWriter(AbstractContextManager["TraceWriter"]):
    """Appends records to a file or a binary stream, each flushed before the next.

    A file is opened at once, so that a path that cannot be written is refused before the run
    (TraceError); what it held is replaced by the first record. A failure in mid-run raises
    TraceError once, saying what is kept; from then on `write` does nothing, so that cleaning up
    cannot fail again. A closed pipe's BrokenPipeError passes through. A line that is interrupted
    is taken back from a file. Closing closes files only, and removes one that never got a record.
    With `append` a file's whole lines are kept and counted, and records follow them.
    """

    def __init__(self, target: Path | BinaryIO, *, append: bool = False) -> None:
        self.count = 0
        self._encoder = msgspec.json.Encoder()
        self._failed = False
        self._cut = False
        self._stream: BinaryIO | None = None
        self._file: int | None = None
        self._kept = 0
        if not isinstance(target, Path):
            self._name = "the trace"
            self._stream = target
            return
        self._name = f"the trace {target}"
        self._path = target
        self._created = not os.path.lexists(target)
        try:
            # Not truncated yet: an old trace stays until there is something to replace it with.
            self._file = os.open(target, os.O_WRONLY | os.O_CREAT, 0o666)
        except OSError as error:
            raise TraceError(
                f"cannot write {self._name}: {_reason(error)}; choose another path"
            ) from error
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        if append and self._regular:
            self.count, self._kept = _whole_lines(target)
            os.lseek(self._file, self._kept, os.SEEK_SET)

    def write(self, record: Record) -> None:
        """Append one record as one line."""
        if self._failed:
            return
        try:
            line = visible_json(self._encoder.encode(record)) + b"\n"
        except UnicodeEncodeError as error:
            self._failed = True
            raise TraceError(
                f"{self._name} ends after {self.count} records: a text holds half of a surrogate "
                "pair, which is no Unicode; remove it from the prompt or the path"
            ) from error
        try:
            if self._stream is not None:
                self._stream.write(line)
                self._stream.flush()
            else:
                self._append(line)
        except BrokenPipeError:
            self._failed = True
            raise
        except OSError as error:
            self._failed = True
            raise TraceError(
                f"{self._name} ends after {self.count} records, which are kept: {_reason(error)}; "
                "make room, or choose another path"
            ) from error
        self.count += 1

    def close(self) -> None:
        """Close the file; a stream stays open. Can be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._failed = True
            if self.count == 0 and self._created and self._regular:
                self._path.unlink(missing_ok=True)

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        file = self._file
        assert file is not None
        if self._regular and not self._cut:  # what is to be replaced, or a torn last line
            os.ftruncate(file, self._kept)
            self._cut = True
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(file, rest) :]
        except BaseException:
            if self._regular:
                os.ftruncate(file, self._kept)
                os.lseek(file, self._kept, os.SEEK_SET)
            raise
        self._kept += len(line)


def _whole_lines(path: Path) -> tuple[int, int]:
    """How many lines of a file are whole, and the bytes that they take."""
    count = end = at = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
            if (last := chunk.rfind(b"\n")) >= 0:
                end = at + last + 1
            at += len(chunk)
    return count, end


@dataclass(frozen=True)
class Trace:
    """What could be read of a file.

    `records` in the file's order, without the header; indices grow, and parents are smaller (a
    parent may be missing, if its line was damaged). `lines[i]` is the line that
    `records[i]` came from, with the fields that this version does not know; `header_line` likewise.
    `problems` has one line of text for everything that was skipped or is missing.
    """

    header: RunHeader
    header_line: bytes
    records: list[PromptRecord | TokenRecord | Event | End] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Kind(msgspec.Struct):
    type: str | None = None
    schema: object = None


def read_trace(path: Path, *, last: int | None = None) -> Trace:
    """Read a trace, whole or damaged; with `last`, only what stands in its last so many bytes.

    Raises TraceError where the file cannot be read, is no trace, or is of a newer schema.
    """
    # What is read holds no cycles, and walking it again and again would double the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with path.open("rb") as file:
            first = file.readline(LONGEST_HEADER)
            trace = Trace(_header(path, first), first.rstrip(b"\r\n"))
            if last is not None and os.fstat(file.fileno()).st_size - last > len(first):
                file.seek(-last, os.SEEK_END)
                file.readline()
            _Reader(trace).read(file)
            return trace
    except OSError as error:
        raise TraceError(f"cannot read the trace {path}: {_reason(error)}") from error
    finally:
        if collecting:
            gc.enable()


def _header(path: Path, line: bytes) -> RunHeader:
    try:
        kind = msgspec.json.decode(line, type=_Kind)
    except (ValueError, RecursionError):
        kind = _Kind()
    if kind.type != "header":
        what = "it is empty" if not line.strip() else "its first line is no header"
        raise TraceError(f"{path} is no trace: {what}; make one with --trace FILE")
    if isinstance(kind.schema, int) and kind.schema > SCHEMA:
        raise TraceError(
            f"the trace {path} has schema {str(kind.schema)[:20]}, newer than this program's "
            f"{SCHEMA}: update entropix-mlx"
        )
    try:
        header = msgspec.json.decode(line, type=RunHeader)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"the trace {path} has a damaged header: {error}") from error
    if header.schema < 1:
        raise TraceError(f"the trace {path} has a damaged header: there is no schema below 1")
    if _is_deeper(header.sampler, DEEPEST):
        raise TraceError(f"the trace {path} has a damaged header: its settings go too deep")
    return header


class _Reader:
    """The lines after the header."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._decoder = msgspec.json.Decoder(PromptRecord | TokenRecord | Event | End)
        self._greatest = -1
        self._untold = 0

    def read(self, file: BinaryIO) -> None:
        decode = self._decoder.decode
        records, lines = self._trace.records, self._trace.lines
        line = b"\n"
        for number, line in enumerate(file, start=2):
            try:
                record = decode(line)
            except (ValueError, RecursionError) as error:
                self._unreadable(number, line, error)
                continue
            fault = self._fault(record)
            if fault:
                self._note(f"line {number}: {fault}; skipped")
                continue
            records.append(record)
            lines.append(line)
        if self._untold:
            self._trace.problems.append(f"... and {self._untold} problems more")
        last = next((r for r in reversed(records) if not isinstance(r, Event)), None)
        if not isinstance(last, End):
            self._trace.problems.append("no end: the run was cut off, or is still going on")

    def _fault(self, record: PromptRecord | TokenRecord | Event | End) -> str | None:
        """Why a well-formed record cannot be used, or None: then its index is taken up."""
        tokens: Sequence[TokenRecord]
        if isinstance(record, TokenRecord):
            tokens = (record,)
        elif isinstance(record, PromptRecord):
            tokens = record.records or ()
        elif isinstance(record, Event):
            return "its detail goes too deep" if _is_deeper(record.detail, DEEPEST) else None
        else:
            return None
        for token in tokens:
            try:
                bytes.fromhex(token.bytes)
            except ValueError:
                return "its bytes are not hexadecimal"
            if not (is_name(token.strategy) and is_name(token.forced)):
                return "its strategy, or what put it there, is no name"
        if record.index <= self._greatest:
            return f"its index does not grow from {self._greatest}"
        if record.parent >= record.index:
            return "its parent does not come before it"
        self._greatest = record.index
        return None

    def _unreadable(self, number: int, line: bytes, error: Exception) -> None:
        if not line.strip():
            return
        if not line.endswith(b"\n"):
            self._note(f"line {number}: torn, the file ends inside it; skipped")
            return
        try:
            kind = msgspec.json.decode(line, type=_Kind).type
        except (ValueError, RecursionError):
            kind = None
        if kind == "header":
            self._note(f"line {number}: a second header; skipped")
        elif kind is not None and kind not in ("prompt", "token", "event", "end"):
            self._note(f"line {number}: unknown record type {one_line(kind, 40)!r}; skipped")
        else:
            self._note(f"line {number}: unreadable ({one_line(error, 120)}); skipped")

    def _note(self, text: str) -> None:
        if len(self._trace.problems) < MOST_PROBLEMS:
            self._trace.problems.append(text)
        else:
            self._untold += 1


def _is_deeper(value: object, levels: int) -> bool:
    """Whether there are more levels of lists and objects in something that JSON held."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "there is no such file or folder"
    return (error.strerror or str(error)).lower()
