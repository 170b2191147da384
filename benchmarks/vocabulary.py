"""What a decision costs by the size of the vocabulary: `python benchmarks/vocabulary.py`.

One row of random logits, on the device that `load` would choose: the whole decision (metrics,
filters, draw, what is told) of two presets, and a sampler of mlx-lm, which tells
nothing; or with `--each` every sampler. All take turns; medians. Prints a Markdown table.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import mlx.core as mx
from mlx_lm.sample_utils import make_sampler

from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings, declared
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models import devices

SIZES = (8_192, 16_384, 32_768, 49_152, 65_536, 128_256, 262_144)
OF_EACH = (49_152, 128_256)
CHAINS = ("top-k=40,top-p=0.95,min-p=0.05,temperature=0.8", "repetition,top-p,temperature")


def decision(preset: str, logits: mx.array) -> Callable[[int], object]:
    sampler = Sampler(Settings.make(preset, {}), PROVISIONAL, Vocabulary(()), attention=True)
    attention, state = mx.array([2.5, 1.0, 0.5, 4.0]), sampler.state(())

    def decide(count: int) -> object:
        return sampler.decide(logits, attention, 64, state, draw_key(7, count)).read()

    return decide


def bare(logits: mx.array) -> Callable[[int], object]:
    draw = make_sampler(temp=0.7, min_p=0.03)

    def decide(_count: int) -> object:
        logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        return draw(logprobs[None]).item()

    return decide


def measured(kinds: list[Callable[[int], object]], rounds: int) -> list[str]:
    """Medians of each, which take turns."""
    times: list[list[float]] = [[] for _ in kinds]
    for count in range(rounds):
        for decide, taken in zip(kinds, times, strict=True):
            began = time.perf_counter()
            decide(count)
            taken.append(time.perf_counter() - began)
    return [f"{median(taken) * 1e3:.2f} ms" for taken in times]


def logits_of(size: int) -> mx.array:
    logits = mx.random.normal((size,), key=mx.random.key(size)) * 3
    mx.eval(logits)
    return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--each", action="store_true", help="every sampler, at two sizes")
    options = parser.parse_args()
    print(f"{devices.choose().description}\n")
    if options.each:
        print(f"| sampler | {' | '.join(f'{size:,}' for size in OF_EACH)} |\n|---|---|---|")
        names = [*declared(), *CHAINS]
        columns = [
            measured([decision(name, logits_of(size)) for name in names], options.rounds)
            for size in OF_EACH
        ]
        for name, *cells in zip(names, *columns, strict=True):
            print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
        return
    print("| vocabulary | calibrated | greedy | mlx-lm, temperature and min-p |")
    print("|---|---|---|---|")
    for size in SIZES:
        logits = logits_of(size)
        kinds = [decision("calibrated", logits), decision("greedy", logits), bare(logits)]
        print(f"| {size:,} | {' | '.join(measured(kinds, options.rounds))} |", flush=True)


if __name__ == "__main__":
    main()
