"""What the exported page of a long trace costs: to make, to keep, to open in Chromium.

`python benchmarks/page.py`. Opening is timed by the browser itself, from the start of the
navigation to the end of its load event with everything parsed, decoded and run; then the page is
scrolled from top to bottom in steps. Prints a Markdown table.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "engine"))

from browser import binary, told  # noqa: E402
from pages import SAMPLED, asked, said  # noqa: E402

from entropix_mlx.export.formats import FORMATS  # noqa: E402
from entropix_mlx.export.passage import Passage  # noqa: E402
from entropix_mlx.records.quadrants import QUADRANTS  # noqa: E402
from entropix_mlx.records.record import Candidate, Event  # noqa: E402
from entropix_mlx.records.tree import Node, Tree  # noqa: E402

STEPS = 40
DRIVER = f"""
addEventListener("load", () => {{
  const opened = performance.now(), steps = [];
  for (let n = 1; n <= {STEPS}; n++) {{
    const began = performance.now();
    scrollTo(0, document.documentElement.scrollHeight * n / {STEPS});
    document.body.getBoundingClientRect();
    document.elementFromPoint(100, 100);
    steps.push(performance.now() - began);
  }}
  tell({{opened, steps}});
}});
"""


class Figure(NamedTuple):
    """A row of the table."""

    what: str
    measured: str
    wanted: str


def records(count: int, *, breaks: bool) -> list[Node | Event]:
    """Answers of 1,000 tokens with eight candidates each, without line breaks if not `breaks`."""
    found: list[Node | Event] = []
    for n in range(count):
        if n % 1000 == 0 and (breaks or not n):
            found.append(asked(len(found), f"Turn {n // 1000}?", parent=len(found) - 1))
        index = found[-1].index + 1
        entropy, varentropy = n * 37 % 61 / 10, n * 53 % 149 / 10
        text = f" w{n:05d}" + "\n" * (breaks and n % 60 == 59)
        found.append(
            said(
                index,
                text,
                id=100 + n,
                entropy=entropy,
                varentropy=varentropy,
                quadrant=QUADRANTS[(entropy > 2.5) + 2 * (varentropy > 6)],
                candidates=_candidates(n, text),
            )
        )
    return found


def _candidates(n: int, text: str) -> list[Candidate]:
    """As many, and with as many digits, as `generate` writes."""
    ways = [(100 + n, text), *((number, f" other{(n + number) % 3000}") for number in range(7))]
    return [(id, said, -1.2345678 * k, 0.456789012 / (k + 1)) for k, (id, said) in enumerate(ways)]


def made(count: int) -> list[Figure]:
    """Time and size of every format."""
    figures = []
    tree = Tree.of(records(count, breaks=True))
    for name, format in FORMATS.items():
        began = time.perf_counter()
        size = len(format.make(Passage.of(SAMPLED, tree)).encode())
        taken = time.perf_counter() - began
        figures.append(
            Figure(f"{name} of {count:,} tokens", f"{taken:.1f} s, {size / 1e6:.1f} MB", "")
        )
    return figures


def opened(count: int, rounds: int, *, breaks: bool) -> list[Figure]:
    """Opening and scrolling, by the browser's own clock."""
    source = FORMATS["html"].make(Passage.of(SAMPLED, Tree.of(records(count, breaks=breaks))))
    with tempfile.TemporaryDirectory() as folder:
        seen = [told(source, DRIVER, Path(folder) / "page.html") for _ in range(rounds)]
    loads = sorted(found["opened"] / 1000 for found in seen)
    slowest = median(max(found["steps"]) for found in seen)
    kind = "" if breaks else ", one line"
    return [
        Figure(
            f"opening {count:,} tokens{kind}, median of {rounds}",
            f"{median(loads):.2f} s ({loads[0]:.2f} to {loads[-1]:.2f})",
            "< 3 s",
        ),
        Figure(f"slowest of {STEPS} jumps through it{kind}", f"{slowest:.0f} ms", "scrolls"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {Path(binary()).name}\n"
    )
    print("| | measured | wanted |")
    print("|---|---|---|")
    for figure in made(options.tokens):
        print(f"| {figure.what} | {figure.measured} | {figure.wanted} |", flush=True)
    for breaks in (True, False):
        for figure in opened(options.tokens, options.rounds, breaks=breaks):
            print(f"| {figure.what} | {figure.measured} | {figure.wanted} |", flush=True)


if __name__ == "__main__":
    main()
