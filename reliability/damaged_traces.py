"""Damaged traces through the reader, `trace show`, `trace diff` and every export:

    python reliability/damaged_traces.py --traces 20000 --seed 1

Each ends in a proper result or a proper sentence: the right exit status, one line that is no bug's,
output that its readers can read, nothing raw on a terminal, within 10 seconds and a gigabyte. What
does not is listed with its number, under which `--only NUMBER` makes it again.
"""

import argparse
import csv
import io
import json
import re
import resource
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypeVar

from damage import SOUND, damaged

from entropix_mlx.cli.exit_status import run
from entropix_mlx.cli.main import cli
from entropix_mlx.trace.trace import read_trace
from entropix_models.errors import TraceError

T = TypeVar("T")

SECONDS, BYTES = 10, 2**30
"""Of processor time and of address space, for everything that is done with one trace."""

FORMATS = ("html", "svg", "csv", "json", "md", "txt")
COMMANDS = (
    *(("show", "{}", "--format", name) for name in ("plain", "color", "jsonl", "steps")),
    *(("diff", "{}", "{sound}"), ("diff", "{sound}", "{}")),
    *(("export", "{}", "--to", name, "-o", "-") for name in FORMATS),
)

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Judged(NamedTuple):
    """What came of a trace: `end`, a word; `faults`, a line each."""

    end: str
    faults: list[str]


class Screen(io.TextIOWrapper):
    """Standard output or error, of a terminal or a pipe, that can be read afterwards."""

    def __init__(self, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        written = self.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode("utf-8")


class TooLong(BaseException):
    """No part of the program takes it for one of its own errors."""


@contextmanager
def limited() -> Iterator[None]:
    """At most so many seconds of processor time."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def called(arguments: list[str], *, terminal: bool) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `entropix-mlx`."""
    out, err, kept = Screen(terminal), Screen(terminal), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        status = run(cli, "entropix-mlx", arguments)
    finally:
        sys.stdout, sys.stderr = kept
    return status, out.text, err.text


def as_lines(text: str) -> None:
    """JSON Lines: as many for every reader, each an object."""
    lines = text.split("\n")[:-1]
    assert text.splitlines() == lines, "a line's end within a line"
    assert all(isinstance(json.loads(line), dict) for line in lines)


def as_table(text: str) -> None:
    """CSV: as many cells in every row, whether or not a reader knows other line ends."""
    for read in (io.StringIO(text, newline=""), io.StringIO(text)):
        rows = list(csv.reader(read))
        assert len({len(row) for row in rows}) == 1, "rows differ in length"
    assert all(row[0].isdigit() for row in rows[1:]), "a row that is none"


def as_page(text: str) -> None:
    """HTML: nothing of a trace is an element, and the data are JSON."""
    assert text.count("<script>") == 1, "another program"
    for data in re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL):
        json.loads(data)


READERS: dict[str, Callable[[str], object]] = {
    "jsonl": as_lines,
    "csv": as_table,
    "json": json.loads,
    "svg": ET.fromstring,
    "html": as_page,
}


def judge(path: Path, sound: Path, number: int) -> Judged:
    """Do everything with a trace that can be done without a model: every second command on a
    terminal, the others of the next trace.
    """
    faults: list[str] = []
    statuses = set()
    try:
        end = "read" if read_trace(path).records else "empty"
    except TraceError as error:
        end = "refused"
        if "\n" in str(error):
            faults.append(f"the reader: more than one line: {str(error)[:200]!r}")
    for nth, command in enumerate(COMMANDS, number):
        terminal = nth % 2 == 0
        arguments = ["trace", *(part.format(path, sound=sound) for part in command)]
        what = f"{' '.join(command)}, {'on a terminal' if terminal else 'in a pipe'}"
        status, out, err = called(arguments, terminal=terminal)
        statuses.add(status)
        faults += [f"{what}: {fault}" for fault in sentences(status, err)]
        if terminal and (raw := STEERING.findall(COLOUR.sub("", out + err))):
            faults.append(f"{what}: raw {set(raw)!r}")
        if status == 0 and not terminal:
            read = next((READERS[part] for part in command if part in READERS), str)
            try:
                read(out)
            except Exception as error:
                faults.append(f"{what}: can't be read: {error!r}"[:300])
    if (end == "refused") != (statuses == {1}):
        faults.append(f"{end} by the reader, but the commands end with {statuses}")
    return Judged(end, faults)


def sentences(status: int, told: str) -> Iterator[str]:
    """What is wrong with how a command ended, and with what it said of that."""
    if status not in (0, 1):
        yield f"status {status}"
    lines = told.split("\n")
    errors = [line for line in lines if line.startswith("error: ")]
    if len(errors) != status:
        yield f"status {status} with {len(errors)} errors"
    if status and lines[-2:] != [*errors, ""]:
        yield f"it ends with {lines[-2:]!r}"
    for line in lines:
        if "a bug" in line or "Traceback" in line or "out of memory" in line:
            yield line[:300]


def judged(seed: int, number: int) -> Judged:
    """Make a trace and see what comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        path, sound = Path(folder, "run.jsonl"), Path(folder, "sound.jsonl")
        path.write_bytes(damaged(seed, number))
        sound.write_bytes(b"\n".join(SOUND) + b"\n")
        try:
            with limited():
                return judge(path, sound, number)
        except TooLong:
            return Judged("too long", [f"more than {SECONDS} s"])
        except Exception as error:
            return Judged("error", [f"{type(error).__name__}: {error}"[:300]])


def bound() -> None:
    """This process may not take more memory; an error says so before the machine suffers."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def apart(
    work: Callable[[range], T],
    parts: Iterable[range],
    jobs: int,
    bound: Callable[[], None] | None = bound,
) -> Iterator[T]:
    """What `work` makes of each part, in order, in other processes, which begin with `bound`."""
    with ProcessPoolExecutor(jobs, initializer=bound) as pool:
        yield from pool.map(work, parts)


def several(seed: int, numbers: range) -> tuple[list[Judged], int]:
    """Traces one after another, and the most memory that the process has had, in bytes."""
    return [judged(seed, number) for number in numbers], peak()


def campaign(seed: int, numbers: range, jobs: int) -> int:
    """Tell what comes of all of them; how many went wrong."""
    began = time.monotonic()
    ends: Counter[str] = Counter()
    wrong = most = 0
    parts = [numbers[at : at + 100] for at in range(0, len(numbers), 100)]
    for part, (found, memory) in zip(
        parts, apart(partial(several, seed), parts, jobs), strict=True
    ):
        most = max(most, memory)
        for number, (end, faults) in zip(part, found, strict=True):
            ends[end] += 1
            wrong += bool(faults)
            for fault in faults:
                print(f"{number}: {fault}", flush=True)
    listed = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
    print(
        f"{ends.total()} traces of seed {seed}: {listed}; {wrong} wrong; {len(COMMANDS)} "
        f"commands each, {most / 1e6:.0f} MB at most, {time.monotonic() - began:.0f} s"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--traces", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="Processes.")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="This trace alone.")
    given = parser.parse_args()
    numbers = range(given.traces)
    if given.only is not None:
        numbers = range(given.only, given.only + 1)
    return int(campaign(given.seed, numbers, given.jobs) > 0)


if __name__ == "__main__":
    sys.exit(main())
