"""What a decision costs by the size of the vocabulary: `python benchmarks/vocabulary.py`.

One row of random logits, on the device that `load` would choose: the whole decision (metrics,
filters, draw, what is told) of two presets, and a sampler of mlx-lm, which tells
nothing. All take turns; medians. Prints a Markdown table.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import mlx.core as mx
from mlx_lm.sample_utils import make_sampler

from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models import devices

SIZES = (8_192, 16_384, 32_768, 49_152, 65_536, 128_256, 262_144)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    print(f"{devices.choose().description}\n")
    print("| vocabulary | calibrated | greedy | mlx-lm, temperature and min-p |")
    print("|---|---|---|---|")
    for size in SIZES:
        logits = mx.random.normal((size,), key=mx.random.key(size)) * 3
        mx.eval(logits)
        kinds = [decision("calibrated", logits), decision("greedy", logits), bare(logits)]
        times: list[list[float]] = [[] for _ in kinds]
        for count in range(options.rounds):
            for decide, taken in zip(kinds, times, strict=True):
                began = time.perf_counter()
                decide(count)
                taken.append(time.perf_counter() - began)
        cells = [f"{median(taken) * 1e3:.2f} ms" for taken in times]
        print(f"| {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
