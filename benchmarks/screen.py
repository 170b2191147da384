"""What the chat screen costs and how fast it answers, in a real pseudo-terminal.

`python benchmarks/screen.py`, or one part of it with `--part`: `cost` (CPU of the whole program
while a scripted engine gives tokens at a steady pace), `keys` (from a key to the cursor's
redrawing, meanwhile), `speed` (decoding with the screen on over the CLI's), `step` (keys of the
debugger), `open` (a saved session of 100,000 tokens). The terminal has 120 x 40 cells; its output
is read and thrown away. Prints a Markdown table.
"""

import argparse
import json
import os
import platform
import random
import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from terminal import COLUMNS, ROWS, Terminal

from entropix_mlx.records.record import Candidate

RATE = 50
SLOW = 9
"""Tokens a second, about those of the embedded model on two cores."""
HERE = Path(__file__).parent
LEFT, PAGE_UP, QUIT = "\x1b[1;5D", "\x1b[5~", "\x11"
PROGRAM = [sys.executable, "-c", "from entropix_tui.cli.main import main; main()"]
GENERATE = [sys.executable, "-c", "from entropix_mlx.cli.main import main; main()", "generate"]
PROMPT = "Write a short story about a robot that learns to paint."


class Figure(NamedTuple):
    """A row of the table."""

    what: str
    measured: str
    wanted: str


def cost(seconds: float) -> list[Figure]:
    """CPU time of the process over wall time; nothing is subtracted."""
    figures = []
    for there, rate, device in ((500, RATE, "metal"), (8000, RATE, "metal"), (500, SLOW, "cpu")):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures"
            with _paced(there, round(seconds * rate), file, rate, device) as terminal:
                while not file.exists() or not file.read_text():
                    terminal.rest(0.2)
            found = json.loads(file.read_text())
        share = 100 * found["cpu"] / found["wall"]
        came = found["tokens"] / found["wall"]
        beside = "the CPU" if device == "cpu" else "a GPU"
        name = f"CPU at {came:.0f} tokens/s from {beside}, {there:,} tokens there"
        figures.append(Figure(name, f"{share:.1f} % of a core", "< 20 %"))
    return figures


def keys(count: int) -> list[Figure]:
    """From a key written to the cursor drawn on the next token, while tokens come."""
    from rich.color import ColorSystem

    from entropix_tui.look import styles

    colour = styles.cursor_style("true", dark=True).bgcolor
    assert colour is not None
    ground = ";".join(colour.downgrade(ColorSystem.TRUECOLOR).get_ansi_codes(foreground=False))
    marked = rf"[;\[]{ground}[;m][^\x1b]*?".encode()
    spread = random.Random(7)
    taken: list[float] = []
    there = count + 100
    with (
        tempfile.TemporaryDirectory() as folder,
        _paced(there, 200 * count, Path(folder) / "figures") as terminal,
    ):
        terminal.wait_for(b"w%05d" % (there + 5))
        terminal.press(LEFT)
        _, found = terminal.wait_for(marked + rb"w(\d{5})")
        at = int(found[1])
        for number in range(at - 1, at - 1 - count, -1):
            terminal.rest(spread.uniform(0.05, 0.15))  # never in step with the screen's tick
            terminal.output = b""
            pressed = terminal.press(LEFT)
            drawn, _ = terminal.wait_for(marked + b"w%05d" % number, patience=10)
            taken.append(1000 * (drawn - pressed))
    return [
        Figure(f"key to screen at {RATE} tokens/s, median", f"{median(taken):.1f} ms", ""),
        Figure(f"the same, 99th percentile of {count}", f"{_p99(taken):.1f} ms", "< 50 ms"),
    ]


def speed(rounds: int, tokens: int) -> list[Figure]:
    """With one thread for the matrix products, which leaves the screen a core, and with all."""
    return [_speed(rounds, tokens, {"OPENBLAS_NUM_THREADS": "1"}), _speed(rounds, tokens, {})]


def stepping(count: int) -> list[Figure]:
    """The debugger on the embedded model: from a key to the next halt drawn, and to the one before.

    Of each step, the time that the model took for this very step is taken off: that of the record
    which it made, from the saved session.
    """
    options = ["--model", "smollm2-135m", "--seed", "7", "--sampler", "temperature"]
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"ENTROPIX_DATA": folder, "ENTROPIX_CONFIG": folder}
        with Terminal([*PROGRAM, "step", PROMPT, *options], environ) as terminal:
            terminal.wait_for(b"halted before 1 ", patience=60)
            steps = [_key(terminal, "s", b"halted before %d" % n) for n in range(2, count)]
            backs = [_key(terminal, "h", b"back at %d" % n) for n in range(count - 2, 0, -1)]
        [trace] = (Path(folder) / "sessions").glob("*.jsonl")
        lines = [json.loads(line) for line in trace.read_text().splitlines()]
    own = [line["ms"] for line in lines if line["type"] == "token"]
    beyond = [step - ms for step, ms in zip(steps, own, strict=True)]
    of = f"({median(steps):.0f} - {median(own):.0f})"
    return [
        Figure("a step in the debugger, beyond the model's own, median",
               f"{median(beyond):.1f} ms {of}", "< 100 ms"),
        Figure("the same, 99th percentile", f"{_p99(beyond):.1f} ms", "< 100 ms"),
        Figure("a step back in the debugger, 99th percentile", f"{_p99(backs):.1f} ms", "< 100 ms"),
    ]  # fmt: skip


def _key(terminal: Terminal, key: str, shown: bytes) -> float:
    """Milliseconds from a key to what it draws."""
    terminal.rest(0.2)
    terminal.output = b""
    pressed = terminal.press(key)
    drawn, _ = terminal.wait_for(shown, patience=20)
    return 1000 * (drawn - pressed)


def _speed(rounds: int, tokens: int, threads: dict[str, str]) -> Figure:
    """Tokens per second of the embedded model, pair by pair, from the traces' own times."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            runs = [(_cli, "cli"), (_screen, "screen")]
            rates = {
                name: run(Path(folder) / f"{name}{number}.jsonl", tokens, threads)
                for run, name in (runs if number % 2 else reversed(runs))
            }
            if number:  # the first round warms the disk's cache
                pairs.append((rates["screen"], rates["cli"]))
    ratios = [screen / cli for screen, cli in pairs]
    return Figure(
        f"decoding {tokens} tokens, screen on over CLI, {'1' if threads else 'all'} BLAS threads",
        f"{median(ratios):.3f} (rounds: {min(ratios):.3f} to {max(ratios):.3f})",
        ">= 0.95",
    )


def opening(tokens: int, pages: int) -> list[Figure]:
    """A saved session from the start of the command to its last words, then page by page."""
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"ENTROPIX_DATA": folder, "ENTROPIX_CONFIG": folder}
        last = _save(Path(folder), tokens)
        command = [*PROGRAM, "chat", "--model", "smollm2-135m", "--session", "long"]
        with Terminal(command, environ) as terminal:
            shown, _ = terminal.wait_for(b"w%06d" % last)
            taken = shown - terminal.began
            counted = tokens + 3 * (tokens // 1000)  # with the prompts' ids
            whole = terminal.wait_for(b"%d" % counted)[0] - terminal.began
            terminal.rest(10)  # the model is loading behind it
            scrolls = []
            for _ in range(pages):
                terminal.output = b""
                pressed = terminal.press(PAGE_UP)
                drawn, found = terminal.wait_for(rb"w(\d{6})")
                scrolls.append(1000 * (drawn - pressed))
                terminal.rest(0.1)
                assert int(found[1]) <= last
    return [
        Figure(f"a session of {tokens:,} tokens, from command to shown", f"{taken:.2f} s", "< 2 s"),
        Figure("all of it to be scrolled through, from command", f"{whole:.2f} s", ""),
        Figure("a page of it, median", f"{median(scrolls):.1f} ms", ""),
        Figure(f"a page of it, 99th percentile of {pages}", f"{_p99(scrolls):.1f} ms", "smooth"),
    ]


def _paced(
    there: int, paced: int, file: Path, rate: float = RATE, device: str = "metal"
) -> Terminal:
    """The program on a scripted engine, asked for its answer."""
    command = [sys.executable, str(HERE / "paced.py"), "--there", str(there), "--device", device]
    command += ["--paced", str(paced), "--rate", str(rate), "--file", str(file)]
    folder = str(file.parent)
    terminal = Terminal(command, os.environ | {"ENTROPIX_DATA": folder, "ENTROPIX_CONFIG": folder})
    terminal.wait_for(b"ready")
    terminal.rest(1)
    terminal.press("go\r")
    return terminal


def _cli(trace: Path, tokens: int, threads: dict[str, str]) -> float:
    options = ["--model", "smollm2-135m", "--seed", "7", "--max-tokens", str(tokens)]
    command = [*GENERATE, PROMPT, *options, "--trace", str(trace)]
    with Terminal(command, os.environ | threads) as terminal:
        return _rate(terminal, trace)


def _screen(trace: Path, tokens: int, threads: dict[str, str]) -> float:
    options = ["--model", "smollm2-135m", "--seed", "7", "--max-tokens", str(tokens)]
    folder = str(trace.parent)
    environ = os.environ | threads | {"ENTROPIX_DATA": folder, "ENTROPIX_CONFIG": folder}
    command = [*PROGRAM, "chat", *options, "--demo", "robot", "--trace", str(trace)]
    with Terminal(command, environ) as terminal:
        return _rate(terminal, trace)


def _rate(terminal: Terminal, trace: Path) -> float:
    """Tokens per second of a trace's turn, once it has ended."""
    end = re.compile(r'^\{"type":"end".*\}$', re.MULTILINE)

    def ended() -> object:
        return trace.exists() and end.search(trace.read_text())

    try:
        while not ended():
            terminal.rest(0.2)
    except SystemExit:  # the CLI ends with its turn
        if not ended():
            raise
    found = json.loads(end.findall(trace.read_text())[0])
    return float(found["tokens"] / (found["seconds"] - found["prefill_seconds"]))


def _save(folder: Path, tokens: int) -> int:
    """Write a session of so many tokens, answers of 1,000; the number of the last word."""
    import msgspec

    sys.path.insert(0, str(HERE.parent / "tests" / "tui"))
    from scripted import HEADER, token

    from entropix_mlx.records.record import End, PromptRecord

    encode = msgspec.json.Encoder().encode
    path = folder / "sessions" / "long.jsonl"
    path.parent.mkdir(parents=True)
    index = 0
    with path.open("wb") as file:
        file.write(encode(HEADER) + b"\n")
        for turn in range(tokens // 1000):
            prompt = PromptRecord(
                index=index, parent=index - 1, role="user", ids=[1, 2, 3], text=f"Turn {turn}?"
            )
            file.write(encode(prompt) + b"\n")
            for number in range(1000):
                index += 1
                text = f" w{turn * 1000 + number:06d}" + "\n" * (number % 60 == 59)
                drawn = token(index, text, candidates=_candidates(index, text))
                file.write(encode(drawn) + b"\n")
            end = End(
                leaf=index, finish_reason="stop", tokens=1000, seconds=50, prefill_seconds=0.1
            )
            file.write(encode(end) + b"\n")
            index += 1
    return tokens - 1


def _candidates(index: int, text: str) -> list[Candidate]:
    """As many, and with as many digits, as `generate` writes."""
    ways = [(100 + index, text), *((number, f" other{number}") for number in range(7))]
    return [(id, said, -1.23456789 * n, 0.456789012 / (n + 1)) for n, (id, said) in enumerate(ways)]


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("cost", "keys", "speed", "step", "open"))
    parser.add_argument("--seconds", type=float, default=20, help="of each cost")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=64, help="decoded a round")
    parser.add_argument("--steps", type=int, default=60, help="in the debugger")
    parser.add_argument("--saved", type=int, default=100_000, help="tokens of the saved session")
    parser.add_argument("--pages", type=int, default=100)
    options = parser.parse_args()

    parts = {
        "cost": lambda: cost(options.seconds),
        "keys": lambda: keys(options.keys),
        "speed": lambda: speed(options.rounds, options.tokens),
        "step": lambda: stepping(options.steps),
        "open": lambda: opening(options.saved, options.pages),
    }
    print(
        f"A terminal of {COLUMNS} x {ROWS}; {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f};"
        f" Python {platform.python_version()}, textual {version('textual')}\n"
    )
    print("| | measured | wanted |")
    print("|---|---|---|")
    for name, part in parts.items():
        if options.part in (None, name):
            for figure in part():
                print(f"| {figure.what} | {figure.measured} | {figure.wanted} |", flush=True)


if __name__ == "__main__":
    main()
