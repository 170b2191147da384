"""Downloads from a mirror of the Hub that means harm, and downloads that are killed:

    python reliability/hub.py --modes 50 --kills 200 --seed 1

Each ends with a whole model or one proper sentence, within 10 seconds of the first question and
1 GB, with nothing written outside the model's place in the cache and no process left. After a kill
the next download brings the whole model. Prints what went wrong, and a row for docs/reliability.md.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from hostile_hub import REPOSITORY, Ask, HostileHub
from hub_modes import EVIL, MODES

SECONDS, BYTES = 10.0, 1 << 30
_LATEST = 120.0
"""Seconds after which a program that hangs is ended."""

FILES: Mapping[str, bytes] = {
    "config.json": b'{"model_type": "llama", "torch_dtype": "float16"}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "model.safetensors": random.Random(0).randbytes(400_000),
}
_PULL = "from entropix_mlx.cli.main import main; main()", "models", "pull", REPOSITORY


@dataclass(frozen=True)
class End:
    """How a download ended: its status, what it said, how long it took since the first question
    and how much memory the larger of its two processes had."""

    status: int
    said: str
    seconds: float
    peak: int


class Sandbox:
    """A home of its own, in which everything that is written can be found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "hf" / "hub"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "HF_HOME": str(folder / "hf"),
            "ENTROPIX_CACHE": str(folder / "entropix"),
            "ENTROPIX_DATA": str(folder / "data"),
            "NO_PROXY": "127.0.0.1",
        }

    def pull(self, hub: HostileHub) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", *_PULL],
            env={**self.env, "HF_ENDPOINT": hub.url},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def strays(self) -> list[str]:
        """What lies where no download may write."""
        place = self.cache / f"models--{REPOSITORY.replace('/', '--')}"
        locks = self.cache / ".locks" / place.name
        found = [
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if not path.is_dir() and not any(path.is_relative_to(own) for own in (place, locks))
        ]
        found += [str(path) for path in (Path("/tmp", EVIL), Path("/", EVIL)) if path.exists()]
        return [path for path in found if not path.endswith("CACHEDIR.TAG")]

    def unfinished(self) -> list[str]:
        return [path.name for path in self.cache.rglob("*.incomplete")]

    def children(self) -> list[str]:
        """Processes that know this folder, by what `ps` says of them."""
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
        return [line for line in listed.splitlines() if f'"{self.cache}' in line]

    def content(self) -> dict[str, bytes]:
        """The files of the one snapshot."""
        return {path.name: path.read_bytes() for path in self.cache.glob("*/snapshots/*/*")}


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Without taking away its end, as `poll` and `send_signal` do."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def ended(process: subprocess.Popen[bytes], hub: HostileHub) -> End:
    """Wait for a download's end."""
    assert process.stderr is not None
    timer = time.monotonic()
    while (found := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        if time.monotonic() - timer > _LATEST:
            process.kill()
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(found[1])
    with process.stderr:
        said = process.stderr.read().decode("utf-8", "replace")
    scale = 1 if sys.platform == "darwin" else 1024
    seconds = time.monotonic() - (hub.asked or timer)
    # A process begins with its parent's figure, which tells of it nothing.
    peak, own = found[2].ru_maxrss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return End(process.returncode, said, seconds, peak * scale if peak > own else 0)


def faults(end: End, sandbox: Sandbox) -> Iterator[str]:
    """What is wrong with how a download ended."""
    lines = [line for line in end.said.splitlines() if not line.startswith("fetching")]
    proper = len(lines) == 1 and lines[0].startswith("error: ") and len(lines[0]) < 600
    if end.status not in (0, 1) or (end.status == 1) != proper:
        yield f"status {end.status} and {end.said[-600:]!r}"
    if "a bug" in end.said or not end.said.replace("\n", "").isprintable():
        yield f"it said {end.said[-600:]!r}"
    if end.peak > BYTES:
        yield f"it took {end.peak / 1e6:.0f} MB"
    yield from (f"it wrote {path}" for path in sandbox.strays())
    yield from (f"it left {name}" for name in sandbox.unfinished())
    yield from (f"it left the process {line}" for line in sandbox.children())


def try_mode(name: str) -> tuple[str, End, list[str]]:
    """A download in one mode: the mode, how it ended, what was wrong with that."""
    with tempfile.TemporaryDirectory() as folder, HostileHub(FILES, *MODES[name]) as hub:
        sandbox = Sandbox(Path(folder))
        end = ended(sandbox.pull(hub), hub)
        return name, end, list(faults(end, sandbox))


def _in_time(end: End) -> list[str]:
    return [f"it took {end.seconds:.1f} s"] if end.seconds > SECONDS else []


def _slowly(ask: Ask) -> Iterator[bytes]:
    """As an honest Hub answers, in a second or so."""
    yield ask.head()
    for at in range(0, len(ask.body), 4_000):
        yield ask.body[at : at + 4_000]
        time.sleep(0.01)


def try_kill(number: int, seed: int) -> tuple[str, list[str]]:
    """Kill a download somewhere, then download again: what it was, and what was wrong."""
    rng = random.Random(f"{seed} {number}")
    sign = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
    # Some while it starts, most while the Hub is asked.
    from_first_question, delay = rng.random() < 0.8, rng.uniform(0, 1.5)
    name = f"kill {number}: {sign.name} {delay:.3f} s in"
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        with HostileHub(FILES, "any", _slowly) as hub:
            process = sandbox.pull(hub)
            while from_first_question and hub.asked is None and not _is_over(process):
                time.sleep(0.005)
            time.sleep(delay)
            os.kill(process.pid, sign)
            end = ended(process, hub)
            # Before the program runs, an interrupt is Python's own to tell.
            if hub.asked is not None and end.status not in (0, 130, -sign):
                wrong.append(f"status {end.status} and {end.said[-300:]!r}")
            deadline = time.monotonic() + SECONDS
            while (left := sandbox.children()) and time.monotonic() < deadline:
                time.sleep(0.05)
            wrong += [f"it left the process {line}" for line in left]
            wrong += [f"it left {name}" for name in sandbox.unfinished()]
        with HostileHub(FILES, *MODES["info: is honest"]) as hub:
            again = ended(sandbox.pull(hub), hub)
        if again.status != 0 or sandbox.content() != FILES:
            wrong.append(f"the next download ended with {again.status}: {again.said[-300:]!r}")
        wrong += list(faults(again, sandbox))
    return name, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--modes", type=int, default=len(MODES), help="how many, drawn by the seed")
    parser.add_argument("--only", metavar="MODE", action="append", help="these modes, by name")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    names = asked.only or random.Random(asked.seed).sample(
        list(MODES), min(asked.modes, len(MODES))
    )
    bad = 0
    longest, most, refused = 0.0, 0, 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for name, end, wrong in pool.map(try_mode, names):
            wrong += _in_time(end)
            print(json.dumps({"mode": name, "status": end.status, "seconds": round(end.seconds, 1),
                              "MB": end.peak // 1_000_000, "said": end.said.splitlines()[-1:],
                              "wrong": wrong}), flush=True)  # fmt: skip
            bad += bool(wrong)
            refused += end.status == 1
            longest, most = max(longest, end.seconds), max(most, end.peak)
        killed = pool.map(try_kill, range(asked.kills), repeat(asked.seed))
        for name, wrong in killed:
            bad += bool(wrong)
            with suppress(BrokenPipeError):
                print(json.dumps({"kill": name, "wrong": wrong}), flush=True)
    print(
        f"| hostile Hub | {len(names)} modes ({refused} refused), {asked.kills} killed downloads "
        f"| {bad} | {longest:.1f} s, {most / 1e6:.0f} MB |"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
