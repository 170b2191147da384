"""What seeing costs: everything on, against mlx-lm's own greedy loop on the same weights.

`python benchmarks/instrumentation.py`: both take turns in one process, the figure is the median
of the ratios pair by pair. Prints a Markdown table.
"""

import argparse

from machine import describe

import entropix_mlx as ex
from entropix_mlx.checks import speed

TARGETS = {64: 0.92, 1024: 0.88}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()

    model = ex.load(options.model)
    print(describe(model))
    print()
    print("| context | everything on | mlx-lm greedy | ratio | wanted |")
    print("|---|---|---|---|---|")
    for context, target in TARGETS.items():
        pair = speed.compare(model, context, tokens=options.tokens, rounds=options.rounds)
        print(
            f"| {context} | {pair.ours:.1f} tokens/s | {pair.theirs:.1f} tokens/s "
            f"| {pair.ratio:.3f} | {target} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
