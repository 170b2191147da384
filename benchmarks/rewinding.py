"""What going back costs, and whether it is exact: `python benchmarks/rewinding.py`.

On the embedded model: an answer in the debugger, rewound at random points and stepped on from each;
then branches of it, each visited again. Prints a Markdown table; a difference ends with status 1.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterable
from statistics import median

from machine import describe

import entropix_mlx as ex
from entropix_mlx.debugger.commands import execute
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Halt, Output
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_models.devices import release_thread

METRICS = ("logprob", "entropy", "varentropy", "attn_entropy", "agreement")
PROMPT = "Write a long story about a robot that learns to paint."


def do(debugger: Debugger, *lines: str) -> list[Output]:
    return [output for line in lines for output in execute(debugger, line)]


def tokens(outputs: Iterable[Output]) -> list[TokenRecord]:
    return [output for output in outputs if isinstance(output, TokenRecord)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--on", type=int, default=3, help="tokens stepped on from each point")
    parser.add_argument("--branches", type=int, default=64)
    options = parser.parse_args()

    model = ex.load("smollm2-135m")
    session = Session(model, Settings.make("calibrated"), seed=7)
    debugger = Debugger(session, max_tokens=options.tokens + 8)
    # What would end the answer is never drawn, so that it is as long as was asked for.
    taken = tokens(do(debugger, f'ask "{PROMPT}"'))
    while len(taken) < options.tokens:
        taken += tokens(do(debugger, f"step {options.tokens - len(taken)}"))
        if len(taken) < options.tokens:
            ended = taken.pop()
            do(debugger, f"rewind @{ended.index}", f"ban {ended.id}")
    chance = random.Random(7)
    same, greatest, reread, waits = 0, 0.0, 0, []
    for at in chance.sample(range(options.tokens - options.on), options.points):
        began = time.perf_counter()
        halts = [o for o in do(debugger, f"rewind @{taken[at].index}") if isinstance(o, Halt)]
        waits.append(1000 * (time.perf_counter() - began))
        reread += halts[-1].reread
        again = tokens(do(debugger, f"step {options.on}"))
        same += [r.id for r in again] == [r.id for r in taken[at : at + options.on]]
        for one, two in zip(again, taken[at:], strict=False):
            for name in METRICS:
                greatest = max(greatest, abs(getattr(one, name) - getattr(two, name)))
    print(describe(model), "\n")
    print("| | measured | wanted |")
    print("|---|---|---|")
    print(f"| rewound in {options.tokens} tokens, the same ids | {same}/{options.points} | all |")
    print(f"| greatest difference of a metric | {greatest:.2g} | 0, trimmed |")
    print(f"| ids read again | {reread} | 0 |")
    print(f"| to the halt, median (one forward pass) | {median(waits):.0f} ms | |")

    leaves = []
    debugger.leave()
    for number in range(options.branches):
        force = [200 + number]
        list(session.run(TurnRequest(max_tokens=2, after=taken[-8].index, force=force)))
        leaves.append(session.tree.leaf)
    waits = []
    for leaf in chance.sample(leaves, len(leaves)):
        began = time.perf_counter()
        list(debugger.go_to(leaf))
        waits.append(1000 * (time.perf_counter() - began))
    kept = session.context.pool.size / 2**20
    budget = session.context.pool.budget / 2**20
    print(f"| {options.branches} branches' caches | {kept:.0f} MiB | <= {budget:.0f} MiB |")
    print(f"| to another branch, median | {median(waits):.0f} ms | |")
    print(f"| the same, slowest | {max(waits):.0f} ms | < 1000 ms |")
    debugger.leave()
    release_thread()
    sys.exit(same != options.points)


if __name__ == "__main__":
    main()
