"""What rows are worth to an evaluation: items of a task one by one, and eight side by side.

`python benchmarks/evaluation.py`: both take turns, each in a folder of its own; medians of answers
a second, and of the ratio. Prints a Markdown table.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import describe

import entropix_mlx as ex
from entropix_mlx.evaluation.evaluation import Evaluation, Terms
from entropix_mlx.evaluation.recorder import Recorder
from entropix_mlx.evaluation.sampler_text import samplers_of
from entropix_mlx.evaluation.task import named
from entropix_models.devices import release_thread
from entropix_models.language_model import LanguageModel

ROWS = (1, 8)


def rate(model: LanguageModel, options: argparse.Namespace, rows: int) -> float:
    """Answers a second."""
    task = named(options.task)
    items = task.items(options.items, 1)
    terms = Terms(rows=rows, samples=options.samples)
    with tempfile.TemporaryDirectory() as place:
        samplers = samplers_of(options.sampler or ("temperature", "calibrated"))
        run = Evaluation(model, task, items, samplers, Recorder(Path(place)), terms)
        began = time.perf_counter()
        count = sum(1 for _ in run.run())
        return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--task", action="append")
    parser.add_argument("--sampler", action="append", metavar="NAME")
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model = ex.load(options.model, device="cpu")
    print(describe(model), "\n")
    print("| task | one by one | eight side by side | ratio |\n|---|---|---|---|")
    for task in options.task or ("easy", "larger"):
        options.task = task
        turns = [[rate(model, options, rows) for rows in ROWS] for _ in range(options.rounds)]
        one, eight = (median(turn[n] for turn in turns) for n in (0, 1))
        ratio = median(turn[1] / turn[0] for turn in turns)
        print(f"| {task} | {one:.1f} answers/s | {eight:.1f} answers/s | {ratio:.2f} |", flush=True)
    release_thread()


if __name__ == "__main__":
    main()
