"""Hostile model folders and GGUF files through `models import` and `generate`:

    python reliability/models.py --folders 2000 --seed 1

Each ends in a proper answer or a proper sentence: the right exit status, one line that is no bug's,
nothing raw on a terminal, within 10 seconds of processor time and a gigabyte for any process. What
does not is listed with its number, under which `--only NUMBER` makes it again.
"""

import argparse
import importlib
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hostile_models import hostile_folder, hostile_gguf
from sound_model import Folder

from entropix_mlx.cli.exit_status import run
from entropix_mlx.cli.main import cli

SECONDS, BYTES, PATIENCE = 10, 2**30, 120
"""Of processor time, of memory of the largest process, and of waiting for it."""

MOST = 6 * 2**30
"""In bytes of addresses, for a process: a fault is to harm nobody else. Threads reserve much."""

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
PROMPT = "Hello there, tell me of the sea: eeee aaaa."


class Judged(NamedTuple):
    """What came of a folder: a word, the sentence, what is wrong, and what it took."""

    end: str
    sentence: str
    faults: list[str]
    seconds: float
    megabytes: float


@cache
def warm() -> None:
    """Import here, once for all the processes that come, what the sound model makes one import."""
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        (place / "model").mkdir()
        Folder(random.Random(0)).write(place / "model")
        ended(lines_for(str(place / "model")), place)
        for name in (place / "modules").read_text().split():
            with suppress(ImportError):  # what extensions made of themselves
                importlib.import_module(name)


def judged(seed: int, number: int, show: bool = False) -> Judged:
    """One folder or, in every fifth case, one GGUF file, in a process of its own."""
    warm()
    spread = random.Random(f"models {seed}/{number}")
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        model = str(place / "model")
        lines = lines_for(model if number % 5 else "own")
        if number % 5:
            Path(model).mkdir()
            hostile_folder(Path(model), spread)
        else:
            hostile_gguf(place / "model.gguf", spread)
            lines.insert(0, ["models", "import", str(place / "model.gguf"), "--name", "own"])
        status, seconds, megabytes = ended(lines, place)
        said = (place / "stderr").read_bytes().decode("utf-8", "replace")
        if show:
            print(status, seconds, megabytes, (place / "stdout").read_bytes(), said, sep="\n")
    return judge(status, said, seconds, megabytes)


def lines_for(model: str) -> list[list[str]]:
    return [["generate", "--model", model, "--device", "cpu", "--max-tokens", "3", PROMPT]]


def ended(lines: list[list[str]], place: Path) -> tuple[int, float, float]:
    """How a process ended that ran the command lines, and what it took."""
    (place / "cache").mkdir()
    sys.stdout.flush()
    process = os.fork()
    if not process:
        command(lines, place)
    return watched(process)


def command(lines: list[list[str]], place: Path) -> None:
    """Run the command lines, each if the one before went well; never returns."""
    for number, name in ((0, os.devnull), (1, place / "stdout"), (2, place / "stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
    for name in ("CACHE", "DATA", "CONFIG"):
        os.environ[f"ENTROPIX_{name}"] = str(place / "cache")
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    status = 70
    try:
        for line in lines:
            if status := run(cli, "entropix-mlx", line):
                break
    finally:
        (place / "modules").write_text("\n".join(sys.modules))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def watched(process: int) -> tuple[int, float, float]:
    """How a process ended; the processor time and the memory that it and its children took."""
    until = time.monotonic() + PATIENCE
    while True:
        ended, status, used = os.wait4(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), *taken(used)
        if time.monotonic() > until:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def taken(used: resource.struct_rusage) -> tuple[float, float]:
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 2**20


def judge(status: int, said: str, seconds: float, megabytes: float) -> Judged:
    faults = []
    told = [line for line in said.splitlines() if line.startswith("error: ")]
    if status not in (0, 1, 2):
        faults.append(f"status {status}")
    if "Traceback" in said or "a bug" in said or "Warning" in said:
        faults.append("no sentence")
    if status in (1, 2) and (len(told) != 1 or not said.endswith(f"{told[0]}\n")):
        faults.append(f"{len(told)} sentences")
    if found := STEERING.findall(said):
        faults.append(f"raw {found[0]!r}")
    if seconds > SECONDS:
        faults.append(f"{seconds:.1f} s")
    if megabytes * 2**20 > BYTES:
        faults.append(f"{megabytes:.0f} MB")
    end = "answered" if status == 0 else f"refused ({status})"
    return Judged(end, said.strip(), faults, seconds, megabytes)


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--folders", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0, help="Begin with this number.")
    options.add_argument("--only", type=int, help="One number, with all that it says.")
    asked = options.parse_args()
    if asked.only is not None:
        print(judged(asked.seed, asked.only, show=True).faults or "nothing is wrong")
        return 0
    ends: Counter[str] = Counter()
    wrong, longest, largest = 0, 0.0, 0.0
    for number in range(asked.first, asked.first + asked.folders):
        if number % 100 == 0:
            print(f"at {number}", file=sys.stderr, flush=True)
        one = judged(asked.seed, number)
        ends[one.end] += 1
        longest, largest = max(longest, one.seconds), max(largest, one.megabytes)
        if one.faults:
            wrong += 1
            print(f"{number}: {', '.join(one.faults)}: {one.sentence[-300:]}", flush=True)
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(f"{asked.folders} folders: {told}; {wrong} wrong")
    print(f"at most {longest:.1f} s of processor time, {largest:.0f} MB in one process")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
