"""What our CPU runtime gains over plain mlx-lm on the same dense float32 weights.

`python benchmarks/runtime.py`: processes take turns; ours is instrumented, mlx-lm's is bare.
Prints a Markdown table, and the peak memory of our process beside its bound.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

PROMPT, TOKENS = 256, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", choices=("ours", "stock"))
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    if options.child:
        child = _ours if options.child == "ours" else _stock
        print(json.dumps(child(options.weights)))
        return

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "dense"
        line = _write_dense(weights)
        runs = [
            {kind: _run(kind, weights) for kind in ("ours", "stock")} for _ in range(options.rounds)
        ]
    print(line)
    print()
    print("| | ours, everything on | mlx-lm, bare | ratio | wanted |")
    print("|---|---|---|---|---|")
    for key, name, unit, wanted in (
        ("decode", "decode", "tokens/s", 1.6),
        ("prefill", f"prompt of {PROMPT} tokens", "tokens/s", 10),
    ):
        ours = median(run["ours"][key] for run in runs)
        stock = median(run["stock"][key] for run in runs)
        ratio = median(run["ours"][key] / run["stock"][key] for run in runs)
        print(f"| {name} | {ours:.1f} {unit} | {stock:.1f} {unit} | {ratio:.1f} | {wanted} |")
    peak = max(run["ours"]["peak"] for run in runs)
    dense = runs[0]["ours"]["dense"]
    print(
        f"\nPeak memory {peak:.0f} MB; bound 1.3 x {dense:.0f} MB of weights + 300 MB = "
        f"{1.3 * dense + 300:.0f} MB"
    )


def _write_dense(folder: Path) -> str:
    """The embedded model's weights as dense float32, for both; a line on the machine."""
    import mlx.core as mx
    from machine import describe

    from entropix_models import devices, joined_layer, loader
    from entropix_models.sources import sources

    source = sources.resolve("smollm2-135m")
    model = loader.load(source, devices.choose("cpu"))
    folder.mkdir()
    config = json.loads((source.path / "config.json").read_text())
    config.pop("quantization", None)
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source.path / name).read_bytes())
    mx.save_safetensors(str(folder / "model.safetensors"), joined_layer.weights(model.network))
    return describe(model)


def _run(kind: str, weights: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", kind, "--weights", str(weights)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _ours(_weights: Path) -> dict[str, float]:
    """From the packed weights, as users run it: loading counts for the memory."""
    import entropix_mlx as ex
    from entropix_mlx.checks import speed
    from entropix_mlx.records.record import End
    from entropix_mlx.sampling.settings import Settings
    from entropix_mlx.session.session import Session

    model = ex.load("smollm2-135m", device="cpu")
    rate = speed.instrumented(model, PROMPT, TOKENS)
    session = Session(model, Settings.make("calibrated"), seed=7)
    *_, end = session.send(speed.prompt(model, PROMPT), max_tokens=1, raw=True)
    assert isinstance(end, End)
    return {
        "decode": rate,
        "prefill": PROMPT / end.prefill_seconds,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "dense": model.info.parameters * 4 / 1e6,
    }


def _stock(weights: Path) -> dict[str, float]:
    import mlx.core as mx
    from mlx_lm.generate import generate_step
    from mlx_lm.utils import load_model

    mx.set_default_device(mx.cpu)
    network, _ = load_model(weights)
    ids = mx.array([(i * 7919) % 40_000 + 100 for i in range(PROMPT)])

    def tokens() -> Iterator[float]:
        for _ in generate_step(ids, network, max_tokens=TOKENS + 1):
            yield time.perf_counter()

    began = time.perf_counter()
    times = list(tokens())
    return {
        "prefill": PROMPT / (times[0] - began),
        "decode": TOKENS / (times[-1] - times[0]),
    }


if __name__ == "__main__":
    main()
