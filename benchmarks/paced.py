"""The whole program on an engine that needs no model: so many tokens at once, then a steady pace.

Run by `screen.py` in a pseudo-terminal. Every token is a word of its own, ` w00042`, so that what
is drawn can be told apart. The figures go to a file: the process's CPU and wall time while tokens
came at the pace.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "tui"))

from driving import application
from scripted import HEADER, Gate, ScriptedFactory, ScriptedSession

WORDS_A_LINE = 60


class Pace(Gate):
    """Lets `there` records pass at once and the others at `rate` a second.

    Measures from the first at the pace to the last of `paced`, once the screen has seen all
    before; then goes on until it is stopped.
    """

    def __init__(self, there: int, paced: int, rate: float, file: Path) -> None:
        super().__init__()
        self.there, self.paced, self.rate, self.file = there, paced, rate, file
        self.passed = 0
        self.began = 0.0
        self.cpu = 0.0

    def wait(self) -> bool:
        self.passed += 1
        number = self.passed - self.there
        if number == 0:
            time.sleep(2)  # the screen takes in what has been given so far
        elif number == 1:
            self.began, self.cpu = time.perf_counter(), _cpu()
        elif number == self.paced:
            wall = time.perf_counter() - self.began
            figures = {"cpu": _cpu() - self.cpu, "wall": wall, "tokens": self.paced}
            self.file.write_text(json.dumps(figures))
        if number > 0:
            time.sleep(max(0.0, self.began + number / self.rate - time.perf_counter()))
        return not self._stopped


def _cpu() -> float:
    times = os.times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--there", type=int, required=True)
    parser.add_argument("--paced", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--device", required=True, help="that the engine claims to compute on")
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()

    words = [
        f" w{number:05d}" + "\n" * (number % WORDS_A_LINE == WORDS_A_LINE - 1)
        for number in range(options.there + options.paced + 2000)
    ]
    gate = Pace(options.there, options.paced, options.rate, options.file)
    header = msgspec.structs.replace(HEADER, device=options.device)
    session = ScriptedSession(answers=[words], gate=gate, header=header, context_length=100_000)
    app = application(ScriptedFactory([session]), max_tokens=len(words))
    app.run()
    app.engine.quit(5)


if __name__ == "__main__":
    main()
