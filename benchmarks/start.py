"""What one waits for at the start, from the command: `python benchmarks/start.py`.

The first token of `generate` and its whole process, the chat's first paint and its model ready, the
debugger's first halt, all on the embedded model in a terminal of 120 x 40 cells. With
`--against FOLDER`, another checkout, both take turns and the ratios are told, pair by pair. Prints
a Markdown table of medians.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from terminal import Terminal

HERE = Path(__file__).parents[1]
MODEL = ["--model", "smollm2-135m", "--seed", "7"]
GENERATE = [
    sys.executable,
    "-P",
    "-c",
    "from entropix_mlx.cli.main import main; main()",
    "generate",
]
SCREEN = [sys.executable, "-P", "-c", "from entropix_tui.cli.main import main; main()"]
PROMPT = "Write a short story about a robot that learns to paint."

Seconds = dict[str, float]


def generate(environ: dict[str, str]) -> Seconds:
    """One token: when it was there, and when the process was gone."""
    began = time.perf_counter()
    command = [*GENERATE, "Hi", *MODEL, "--max-tokens", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        token = time.perf_counter()
    assert process.returncode == 0
    return {
        "generate: first token": token - began,
        "generate: one token, whole process": time.perf_counter() - began,
    }


def chat(environ: dict[str, str]) -> Seconds:
    with Terminal([*SCREEN, "chat", *MODEL], environ) as terminal:
        painted, _ = terminal.wait_for(b"ay something to the model")
        ready, _ = terminal.wait_for("●[^a-z]*ready".encode())
    return {
        "chat: first paint": painted - terminal.began,
        "chat: model ready": ready - terminal.began,
    }


def step(environ: dict[str, str]) -> Seconds:
    with Terminal([*SCREEN, "step", PROMPT, *MODEL], environ) as terminal:
        halted, _ = terminal.wait_for(b"halted before")
    return {"step: first halt": halted - terminal.began}


PARTS: tuple[Callable[[dict[str, str]], Seconds], ...] = (generate, chat, step)


def once(checkout: Path) -> Seconds:
    path = os.pathsep.join(str(checkout / part) for part in (".", "models", "tui"))
    found: Seconds = {}
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            own = {"ENTROPIX_DATA": folder, "ENTROPIX_CONFIG": folder, "PYTHONPATH": path}
            found |= part({**os.environ, **own})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    options = parser.parse_args()

    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    runs: list[list[Seconds]] = []
    for number in range(options.rounds + 1):
        turn = [once(checkout) for checkout in checkouts]
        if number:  # the first warms the disk's cache
            runs.append(turn)
    print("| | here | other | here / other |" if options.against else "| | here |")
    print("|---|---|---|---|" if options.against else "|---|---|")
    for name in runs[0][0]:
        columns = list(zip(*([run[name] for run in turn] for turn in runs), strict=True))
        cells = [f"{median(column):.2f} s" for column in columns]
        if options.against:
            cells.append(f"{median(a / b for a, b in zip(*columns, strict=True)):.2f}")
        print(f"| {' | '.join([name, *cells])} |", flush=True)


if __name__ == "__main__":
    main()
