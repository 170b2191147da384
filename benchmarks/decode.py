"""A prompt and the tokens after it, against the commit before and others of the field.

`python benchmarks/decode.py --against ../before`: the embedded model; `--shape`: Llama-3.2-1B's
with random weights (10 GB of disk, 12 GB of memory). Everyone has the same weights as dense
float32 and a process of its own, and they take turns; figures are medians, ratios those of the
turns. Who can't be had is left out. Prints Markdown tables.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

TOKENS = 24
"""Decoded after each prompt; the first is not counted."""

CHUNK = 512
"""Rows of a prompt that the others read at once."""

ROWS = 8

HERE = Path(__file__).parents[1]

Figures = dict[str, float]


# What a process is asked for.


def everything_on(model: Any, contexts: list[int]) -> Figures:
    """Attention, metrics, `calibrated`, a trace, through what is public here and before."""
    import entropix_mlx as ex

    found: Figures = {}
    for context in (contexts[0], *contexts):  # the first time warms up
        with tempfile.TemporaryDirectory() as place:
            trace = ex.TraceWriter(Path(place) / "trace.jsonl")
            text = " one two" * (context // 2)
            run = ex.generate(model, text, seed=7, max_tokens=TOKENS, raw=True, trace=trace)
            times = [time.perf_counter() for _ in run]
        (end,) = (record for record in run.records if isinstance(record, ex.End))
        found[f"prompt of {context}"] = context / end.prefill_seconds
        found[f"decode after {context}"] = (len(times) - 1) / (times[-1] - times[0])
    return found


def ours(folder: Path, contexts: list[int]) -> Figures:
    """Everything on; then many rows, and the memory that all of it has to be read from."""
    import mlx.core as mx
    from memory import Reader

    import entropix_mlx as ex

    model = ex.load(str(folder), device="cpu")
    found = everything_on(model, contexts)
    for rows in (1, ROWS):
        cache = model.new_cache()
        last = mx.ones((rows, 64), mx.int32)
        times = []
        for _ in range(TOKENS):
            mx.eval(model.network(last, cache=cache))
            times.append(time.perf_counter())
            last = mx.ones((rows, 1), mx.int32)
        found[f"steps of {rows}"] = (len(times) - 1) / (times[-1] - times[0])
    found["roof"] = Reader().rate(model.info.parameters * 4)
    return found


def before(folder: Path, contexts: list[int]) -> Figures:
    import entropix_mlx as ex

    return everything_on(ex.load(str(folder), device="cpu"), contexts)


def bare(folder: Path, contexts: list[int]) -> Figures:
    """mlx-lm's greedy loop with OpenBLAS under it, as ours had it before its own products."""
    import mlx.core as mx
    from mlx_lm.generate import generate_step
    from mlx_lm.utils import load_model

    from entropix_models import blas
    from entropix_models.products import library

    library.load = lambda: None
    mx.set_default_device(mx.cpu)
    assert blas.use_openblas()
    network, _ = load_model(folder)

    def tokens(context: int) -> Iterator[object]:
        ids = mx.full((context,), 100, mx.int32)
        return generate_step(ids, network, max_tokens=TOKENS, prefill_step_size=CHUNK)

    return timed(tokens, contexts)


def transformers(folder: Path, contexts: list[int]) -> Figures:
    """Greedy and eager; each token's attentions are asked for."""
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache

    torch.set_grad_enabled(False)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )

    def tokens(context: int) -> Iterator[object]:
        cache, ids = DynamicCache(), torch.full((1, context), 100)
        for part in ids[:, :-1].split(CHUNK, dim=1):
            model(part, past_key_values=cache, logits_to_keep=1)
        last = ids[:, -1:]
        while True:
            said = model(last, past_key_values=cache, output_attentions=True)
            last = said.logits[:, -1:].argmax(-1)
            yield last.item()

    return timed(tokens, contexts)


def llama_cpp(folder: Path, contexts: list[int]) -> Figures:
    import llama_cpp
    import numpy as np

    model = llama_cpp.Llama(
        str(folder / "dense.gguf"),
        n_ctx=max(contexts) + TOKENS,
        n_threads=os.cpu_count(),
        n_threads_batch=os.cpu_count(),
        verbose=False,
    )

    def tokens(context: int) -> Iterator[object]:
        model.reset()
        model.eval([100] * context)
        while True:
            logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
            last = int(np.ctypeslib.as_array(logits, (model.n_vocab(),)).argmax())
            yield last
            model.eval([last])

    return timed(tokens, contexts)


KINDS: dict[str, tuple[str, Callable[[Path, list[int]], Figures]]] = {
    "ours": ("ours, everything on", ours),
    "before": ("the same at the commit before", before),
    "mlx-lm": ("mlx-lm, greedy, with OpenBLAS", bare),
    "transformers": ("transformers, greedy, eager, attentions", transformers),
    "llama.cpp": ("llama.cpp, greedy", llama_cpp),
}


def timed(tokens: Callable[[int], Iterator[object]], contexts: list[int]) -> Figures:
    found: Figures = {}
    for context in (contexts[0], *contexts):
        began = time.perf_counter()
        times = [time.perf_counter() for _ in islice(tokens(context), TOKENS)]
        found[f"prompt of {context}"] = context / (times[0] - began)
        found[f"decode after {context}"] = (len(times) - 1) / (times[-1] - times[0])
    return found


# Turns.


def once(kind: str, options: argparse.Namespace, folder: Path) -> Figures | None:
    """A process of its own; nothing if it can't be had."""
    checkout = options.against.resolve() if kind == "before" else HERE
    path = os.pathsep.join(str(checkout / part) for part in (".", "models"))
    python = options.llama if kind == "llama.cpp" else sys.executable
    contexts = [str(context) for context in options.contexts]
    done = subprocess.run(
        [python, "-P", __file__, "--child", kind, "--folder", folder, "--contexts", *contexts],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((path, str(Path(__file__).parent)))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{kind}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))


def tell(turns: list[dict[str, Figures]]) -> None:
    kinds = list(turns[0])
    names = [KINDS[kind][0] for kind in kinds]
    over = [f"ours over {kind}" for kind in kinds[1:]]
    print(f"| tokens/s | {' | '.join([*names, *over])} |")
    print("|---" * (1 + len(names) + len(over)) + "|")
    for what in (name for name in turns[0][kinds[-1]]):
        cells = [f"{median(turn[kind][what] for turn in turns):.1f}" for kind in kinds]
        cells += [
            f"{median(turn['ours'][what] / turn[kind][what] for turn in turns):.2f}"
            for kind in kinds[1:]
        ]
        print(f"| {what} | {' | '.join(cells)} |")

    def of_ours(ratio: Callable[[Figures], float]) -> float:
        return median(ratio(turn["ours"]) for turn in turns)

    first = next(what for what in turns[0]["ours"] if what.startswith("decode"))
    roof = of_ours(lambda ours: ours["roof"])
    print(
        f"\nReading as many bytes as the weights have: {roof:.1f} times a second; {first}, "
        f"{of_ours(lambda ours: ours[first] / ours['roof']):.2f} of it. A step of {ROWS} rows: "
        f"{of_ours(lambda ours: ours['steps of 1'] / ours[f'steps of {ROWS}']):.2f} of one row's."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shape", action="store_true", help="Llama-3.2-1B's, random weights")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--llama", metavar="PYTHON", help="a Python that has llama-cpp-python")
    parser.add_argument("--contexts", type=int, nargs="+", default=[64, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        found: Any = KINDS[options.child][1](options.folder, options.contexts)
        print(json.dumps(found))
        return

    import dense  # of this commit alone

    kinds = ["ours", *(["before"] if options.against else []), "mlx-lm", "transformers"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dense"
        print(dense.write(folder, shape=options.shape), end="\n\n", flush=True)
        if options.llama:
            dense.write_gguf(folder)
            kinds.append("llama.cpp")
        turns = []
        for _ in range(options.rounds):
            turn = {kind: found for kind in kinds if (found := once(kind, options, folder))}
            kinds = list(turn)
            turns.append(turn)
            print(json.dumps(turn), file=sys.stderr, flush=True)
    tell(turns)


if __name__ == "__main__":
    main()
