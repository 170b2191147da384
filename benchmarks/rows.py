"""What a step of many rows costs over a step of one: `python benchmarks/rows.py`.

Everything on (attention of all layers, metrics, `--sampler`), rows that share a prompt of 64 tokens
and rows that do not, in turns of a few steps with one row. `--shape`: Llama-3.2-1B's, random
weights. Prints a Markdown table: medians over the turns of each one's ratio, what a step of one
row costs, and the memory of the rows' keys and values; then what a token costs that looks ahead at
so many candidates, over one that does not.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import dense
import mlx.core as mx
from machine import describe

from entropix_mlx.decoding.batch import Batch
from entropix_mlx.decoding.decoder import Decoder, prefill
from entropix_mlx.decoding.make_records import calibration_of
from entropix_mlx.decoding.row import Row
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings
from entropix_models import devices, loader
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

PROMPT = 64
STEPS = 6
CANDIDATES = 5


def batch_of(model: LanguageModel, first: Row, rows: int, *, shared: bool) -> Batch:
    """So many rows after a prompt, their first step under way."""
    ids = [100 + n for n in range(PROMPT)]
    cache = model.new_cache()
    prefill(model, cache, ids)
    made = [first.like(seed) for seed in range(rows)]
    for row in made:
        row.remember([Past.of_prompt(ids)])
    after = model.rows_after(cache, rows) if shared else model.rows_beside([cache] * rows)
    batch = Batch(model, made, after)
    batch.begin([ids[-1]] * rows)
    batch.land()
    return batch


def seconds(batch: Batch) -> float:
    """Of a step."""
    began = time.perf_counter()
    for _ in range(STEPS):
        batch.land()
    return (time.perf_counter() - began) / STEPS


def ratios(model: LanguageModel, first: Row, rows: int, rounds: int) -> Iterator[str]:
    """The cells of a line."""
    ways = {"one": (1, True), "shared": (rows, True), "own": (rows, False)}
    batches = {
        name: batch_of(model, first, count, shared=shared) for name, (count, shared) in ways.items()
    }
    turns = [{name: seconds(batch) for name, batch in batches.items()} for _ in range(rounds + 1)]
    turns = turns[1:]  # the first warms the processor's caches
    yield str(rows)
    for name in ("shared", "own"):
        yield f"{median(turn[name] / turn['one'] for turn in turns):.2f}"
    yield f"{median(rows * turn['one'] / turn['shared'] for turn in turns):.1f}"
    yield f"{median(turn['one'] for turn in turns) * 1e3:.1f} ms"
    for name in ("shared", "own"):
        held = [
            part for layer in batches[name].cache for part in (*layer.state, *(layer.prefix or ()))
        ]
        mx.eval(held)
        yield f"{sum(part.nbytes for part in held) / 2**20:.0f} MiB"


def ahead(model: LanguageModel, candidates: int, rounds: int) -> str:
    """The line of `calibrated` that looks ahead."""
    runs = []
    for count in (0, candidates):
        made = Settings.make("calibrated", {"look_ahead": str(count)})
        decoder = Decoder(model, made, calibration_of(model), 7)
        ids = [100 + n for n in range(PROMPT)]
        decoder.remember([Past.of_prompt(ids)])
        decoder.prefill(ids)
        runs.append(decoder.generate(ids[-1], 10_000))
    for run in runs:
        next(run)
    turns = []
    for _ in range(rounds):
        taken = []
        for run in runs:
            began = time.perf_counter()
            for _ in range(STEPS):
                next(run)
            taken.append((time.perf_counter() - began) / STEPS)
        turns.append(taken)
    ratio = median(there / here for here, there in turns)
    return f"look_ahead={candidates}: {ratio:.2f} times a token that does not"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--shape", action="store_true", help="Llama-3.2-1B's, random weights")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sampler", default="calibrated")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        source = sources.resolve("smollm2-135m")
        if options.shape:
            folder = Path(name) / "model"
            dense.write(folder, shape=True)
            source = sources.resolve(str(folder))
        model = loader.load(source, devices.choose("cpu"))
        print(describe(model), end="\n\n")
        first = Row(model, Settings.make(options.sampler), calibration_of(model), 0)
        heads = (
            "rows",
            "sharing a prompt, over one row",
            "each with its own",
            "rows in the time of one",
            "one row",
            "keys and values, sharing",
            "each with its own",
        )
        print(f"| {' | '.join(heads)} |")
        print(f"|{'---|' * len(heads)}")
        for rows in options.rows:
            print(f"| {' | '.join(ratios(model, first, rows, options.rounds))} |", flush=True)
        print(f"\n{ahead(model, CANDIDATES, 3 * options.rounds)}")
    devices.release_thread()


if __name__ == "__main__":
    main()
