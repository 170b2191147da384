"""Runs what `docs/results.md` tells, in parts that can be broken off, and writes its tables.

`python docs/results.py RUNS`: every part that is not finished, each in its folder of RUNS;
`--part NAME` one of them, `--list` what there is, `--table` makes nothing. The same commands are in
the page: what stands between its marks is written here, the verdicts are not.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("results.md")
MODEL = "smollm2-135m"

COMPARED = (
    *("greedy", "temperature", "min-p", "min-p,temperature", "top-h", "top-n-sigma"),
    *("calibrated", "calibrated look_ahead=5", "original", "entropixplained"),
)
TEMPERATURES = ("0.5", "1", "1.5", "2", "3")


EXAMPLES = (
    ("The capital of France is", 0.05, 0.02, "greedy"),
    ("The best programming language for", 3.5, 0.08, "clarify"),
    ("The detective entered the room and saw", 2.1, 5.5, "explore"),
    ("The quantum fluctuations", 5.5, 5.2, "resample"),
)
"""The guide's, with the entropy, the varentropy and the strategy that it states."""


class Part(NamedTuple):
    """A command of `entropix-mlx`, but for model and folder."""

    name: str
    command: str
    options: tuple[str, ...]
    samplers: tuple[str, ...] = COMPARED

    def words(self, model: str, out: Path) -> list[str]:
        chosen = [word for sampler in self.samplers for word in ("--sampler", sampler)]
        return [self.command, *self.options, *chosen, "--model", model, "--out", str(out)]


PARTS = (
    Part(
        "easy",
        "eval",
        ("--task", "easy", "-n", "300", "--samples", "2"),
        (*COMPARED, "calibrated resamples=1"),
    ),
    Part("larger", "eval", ("--task", "larger", "-n", "300")),
    Part(
        "larger-20",
        "eval",
        ("--task", "larger", "-n", "36", "--samples", "20"),
        ("greedy", "temperature", "calibrated", "original", "entropixplained"),
    ),
    Part("writing", "eval", ("--task", "writing", "-n", "100")),
    Part("sums", "eval", ("--task", "gym:chain_sum", "-n", "100")),
    Part("code", "eval", ("--task", "code", "-n", "100")),
    Part("gsm8k", "eval", ("--task", "gsm8k", "-n", "100")),
    Part(
        "temperatures",
        "eval",
        ("--task", "easy", "-n", "150"),
        tuple(
            f"{name} temperature={t}"
            for name in ("temperature", "temperature,min-p", "min-p,temperature")
            for t in TEMPERATURES
        ),
    ),
    Part(
        "tuned",
        "tune",
        ("--task", "easy", "-n", "300", "--trials", "12"),
        (
            "temperature",
            "min-p,temperature",
            "top-h,temperature",
            "top-n-sigma,temperature",
            "calibrated",
            "entropixplained",
        ),
    ),
)


def run(part: Part, runs: Path, model: str, changed: dict[str, str]) -> int:
    """The exit status."""
    words = part.words(model, runs / part.name)
    words = [changed.get(word, word) for word in words]
    print(f"$ entropix-mlx {shlex.join(words)}", file=sys.stderr, flush=True)
    program = "from entropix_mlx.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", program, *words], check=False).returncode


def table(part: Part, runs: Path, model: str) -> str:
    """The command and what it gave, if it was run."""
    from entropix_mlx.evaluation.report import Report
    from entropix_mlx.evaluation.report_text import findings

    shown = shlex.join(["entropix-mlx", *part.words(model, Path(part.name))])
    folder = runs / part.name / ("held-out" if part.command == "tune" else "")
    if not (folder / "run.json").exists():
        return f"    {shown}\n\nNot run yet.\n"
    report = Report.of(folder)
    versions = ", ".join(f"{name} {version}" for name, version in report.run.versions.items())
    told = f"On {report.run.device}, {versions}; {report.answers} of {report.wanted} answers."
    return f"    {shown}\n\n{told}\n\n{findings(report, level=4)}\n"


def examples(model: str) -> str:
    """The guide's examples, as it states them and as the model has them."""
    import entropix_mlx as ex

    loaded = ex.load(model)
    lines = [
        "| text | stated: H, V, strategy | measured: H, V, strategy | `calibrated` |",
        "|---|---|---|---|",
    ]
    for text, entropy, varentropy, strategy in EXAMPLES:
        first, other = (
            next(iter(ex.generate(loaded, text, sampler=sampler, raw=True, max_tokens=1, seed=1)))
            for sampler in ("entropixplained", "calibrated")
        )
        lines.append(
            f"| {text} | {entropy}, {varentropy}, {strategy} | {first.entropy:.2f}, "
            f"{first.varentropy:.2f}, {first.strategy} | {other.strategy} |"
        )
    return "\n".join(lines) + "\n"


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: written by docs/results.py -->", f"<!-- end of {name} -->"


def write(runs: Path, model: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = {part.name: lambda part=part: table(part, runs, model) for part in PARTS}
    for name, text in {"examples": lambda: examples(model), **made}.items():
        begin, end = marks(name)
        before, found, rest = page.partition(begin)
        if found:
            page = f"{before}{begin}\n\n{text()}\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="?", metavar="RUNS")
    parser.add_argument("--part", action="append", choices=[part.name for part in PARTS])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--gsm8k", metavar="FILE", help="its items, where the Hub is not reached")
    parser.add_argument("--table", action="store_true", help="write the page only")
    parser.add_argument("--list", action="store_true", help="say the commands")
    options = parser.parse_args()
    parts = [part for part in PARTS if not options.part or part.name in options.part]
    if options.list or options.runs is None:
        for part in parts:
            words = part.words(options.model, Path(part.name))
            print(f"{part.name}: entropix-mlx {shlex.join(words)}")
        return 0
    if not options.table:
        changed = {"gsm8k": f"gsm8k:{options.gsm8k}"} if options.gsm8k else {}
        for part in parts:
            if status := run(part, options.runs, options.model, changed):
                return status
    from entropix_models.devices import release_thread

    try:
        write(options.runs, options.model)
    finally:
        release_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
