"""Everything that generates, killed at some moment:

    python reliability/kills.py --kills 200 --seed 1

200 kills of each way: answers as text and as JSON Lines, with a trace and with one of every head's
attention, scores, the chat and the debugger on their screens. Each has to end within 10 seconds as
the signal asks, saying no more than it would, leave no process, and what it had written has to be a
trace that `trace show` reads.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sound_model import Folder

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from terminal import Terminal

SECONDS = 10.0
_CLI = [sys.executable, "-P", "-c", "from entropix_mlx.cli.main import main; main()"]
_TUI = [sys.executable, "-P", "-c", "from entropix_tui.cli.main import main; main()"]
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ENDED = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@dataclass(frozen=True)
class Way:
    """A command, and whether it has a screen; `out`: its standard output is the trace."""

    words: tuple[str, ...]
    screen: bool = False
    out: bool = False


WAYS = {
    "generate": Way(("generate", "Say it", "--trace", "t.jsonl")),
    "generate, jsonl": Way(("generate", "Say it", "--format", "jsonl"), out=True),
    "generate, heads": Way(("generate", "Say it", "--trace", "t.jsonl", "--trace-attention")),
    "score": Way(("score", "--file", "text", "--format", "jsonl"), out=True),
    "chat": Way(("chat", "--trace", "t.jsonl"), screen=True),
    "step": Way(("step", "Say it", "--trace", "t.jsonl"), screen=True),
}


def killed(way: Way, number: int, seed: int, model: Path) -> tuple[str, list[str]]:
    """How it ended, and what was wrong with that."""
    rng = random.Random(f"{seed} {' '.join(way.words)} {number}")
    sign = _SIGNALS[number % len(_SIGNALS)]
    with tempfile.TemporaryDirectory(prefix="kill") as name:
        folder = Path(name)
        (folder / "text").write_text("All that was said before it was killed. " * 50)
        environ = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            **{f"ENTROPIX_{name}": str(folder / name) for name in ("DATA", "CONFIG", "CACHE")},
        }
        words = [*way.words, "--model", str(model), "--device", "cpu"]
        run = _on_a_screen if way.screen else _in_a_pipe
        status, said, seconds = run(words, environ, folder, sign, rng)
        wrong = []
        if seconds > SECONDS:
            wrong.append(f"{seconds:.1f} s")
        if status not in (0, _ENDED.get(sign, -sign), -sign):
            wrong.append(f"status {status}, {said[-300:]!r}")
        # Before the program runs, an interrupt is Python's own to tell.
        begun = not (sign == signal.SIGINT and status == -sign)
        if begun and ("Traceback" in said or "a bug" in said or len(said.splitlines()) > 3):
            wrong.append(repr(said[-400:]))
        wrong += [f"left {line}" for line in _left(folder)]
        wrong += _unreadable(folder / ("out" if way.out else "t.jsonl"), environ)
        return f"{sign.name} {status}", wrong


def _in_a_pipe(
    words: list[str], environ: dict[str, str], folder: Path, sign: int, rng: random.Random
) -> tuple[int, str, float]:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [*_CLI, *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environ,
            cwd=folder,
        )
    if rng.random() < 0.7:  # once it writes; else while it starts, when Python's own may speak
        while process.poll() is None and not any(
            path.exists() and path.stat().st_size
            for path in (folder / "out", folder / "t.jsonl", folder / "err")
        ):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.6))
    else:
        time.sleep(rng.uniform(0.6, 1.2))
    process.send_signal(sign)
    began = time.monotonic()
    try:
        status = process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    said = (folder / "err").read_text(errors="replace")
    lines = [line for line in said.splitlines() if " tokens" not in line and "seed" not in line]
    return status, "\n".join(lines), time.monotonic() - began


def _on_a_screen(
    words: list[str], environ: dict[str, str], folder: Path, sign: int, rng: random.Random
) -> tuple[int, str, float]:
    words = [(word == "t.jsonl" and str(folder / word)) or word for word in words]
    with Terminal([*_TUI, *words], environ) as terminal:
        process = terminal.process
        try:
            if rng.random() < 0.5:
                terminal.rest(rng.uniform(0.8, 2.0))
                terminal.press("Say it\r" if words[0] == "chat" else "c")
                terminal.rest(rng.uniform(0, 1.0))
            else:  # while it starts
                terminal.rest(rng.uniform(0.3, 1.5))
        except SystemExit:
            pass  # it has ended
        process.send_signal(sign)
        began = time.monotonic()
        ended = ""
        while process.poll() is None and time.monotonic() - began < 60:
            try:
                terminal.read(time.perf_counter() + 0.02)
            except SystemExit as end:
                ended = str(end)
                time.sleep(0.01)
        seconds = time.monotonic() - began
        status = process.returncode if process.returncode is not None else 1000
    return status, ended, seconds


def _left(folder: Path) -> Iterator[str]:
    """Processes that have this folder in what they were started with, once they had time to go."""
    deadline = time.monotonic() + SECONDS
    found: list[str] = []
    while time.monotonic() < deadline:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if bytes(folder) in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # gone, or somebody else's
        if not found:
            break
        time.sleep(0.05)
    yield from found


def _unreadable(trace: Path, environ: dict[str, str]) -> Iterator[str]:
    """What `trace show` has against the trace, if there is one."""
    if not trace.exists() or not trace.stat().st_size:
        return
    shown = subprocess.run(
        [*_CLI, "trace", "show", trace, "--format", "plain"],
        capture_output=True,
        env=environ,
        check=False,
    )
    said = shown.stderr.decode(errors="replace")
    whole = trace.read_bytes().count(b"\n")
    if (shown.returncode and whole) or "a bug" in said or "Traceback" in said:
        yield f"trace show of {whole} lines: {shown.returncode}, {said[-300:]!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="Of each way.")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="At once.")
    parser.add_argument("--way", choices=WAYS, action="append", help="These ways alone.")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    bad = 0
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(given.jobs) as pool:
        model = Folder(random.Random(given.seed))
        model.json["config.json"]["max_position_embeddings"] = 8192
        model.write(Path(name))
        for words in given.way or WAYS:
            ends: Counter[str] = Counter()
            kill = partial(killed, WAYS[words], seed=given.seed, model=Path(name))
            for number, (end, wrong) in enumerate(pool.map(kill, range(given.kills))):
                ends[end] += 1
                bad += bool(wrong)
                for fault in wrong:
                    print(f"{words} {number} ({end}): {fault}", flush=True)
            told = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
            print(f"{given.kills} kills of {words}, seed {given.seed}: {told}", flush=True)
    print(f"{bad} wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
