"""What a trace costs to write, to read and to verify.

`python benchmarks/traces.py`: the same answer decoded with and without a trace, taking turns; a
trace of 100,000 tokens read; a scored text verified, beside a bare prefill of the same ids. On the
embedded model. Prints a Markdown table.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
from machine import describe

import entropix_mlx as ex
from entropix_mlx.calibration import PROVISIONAL
from entropix_mlx.decoding import Decoder
from entropix_mlx.recording import header_of
from entropix_mlx.records import TokenRecord
from entropix_mlx.scoring import score
from entropix_mlx.session import Session
from entropix_mlx.settings import Settings
from entropix_mlx.trace import Trace, TraceWriter, read_trace
from entropix_mlx.verifying import verify
from entropix_models.devices import release_thread
from entropix_models.language_model import LanguageModel

PROMPT = "Write a short story about a robot that learns to paint."


def decoding(model: LanguageModel, trace: TraceWriter | None, tokens: int) -> float:
    """Tokens per second of one answer."""
    session = Session(model, Settings.make("calibrated"), seed=7, trace=trace)
    records = [r for r in session.send(PROMPT, max_tokens=tokens) if isinstance(r, TokenRecord)]
    session.close()
    return 1000 * (len(records) - 1) / sum(record.ms or 0.0 for record in records[1:])


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=64, help="decoded a round")
    parser.add_argument("--saved", type=int, default=100_000, help="tokens of the long trace")
    parser.add_argument("--scored", type=int, default=2000, help="tokens of the verified text")
    options = parser.parse_args()

    model = ex.load("smollm2-135m")
    print(describe(model), "\n")
    print("| | measured | wanted |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        ratios = []
        for number in range(options.rounds + 1):
            ways = [lambda: TraceWriter(path), lambda: None]
            order = (0, 1) if number % 2 else (1, 0)
            rates = {way: decoding(model, ways[way](), options.tokens) for way in order}
            if number:  # the first round warms up
                ratios.append(rates[0] / rates[1])
        ratio = f"{median(ratios):.3f} (rounds: {min(ratios):.3f} to {max(ratios):.3f})"
        print(f"| decoding with a trace over without | {ratio} | >= 0.98 |")
        writing(path, options.saved)
        taken = min(seconds(lambda: read_trace(path)) for _ in range(3))
        size = path.stat().st_size / 1e6
        print(f"| reading {options.saved:,} tokens, {size:.0f} MB | {taken:.2f} s | < 2 s |")
    verifying(model, options.scored)
    release_thread()


def writing(path: Path, count: int) -> None:
    """Make a long trace of the records of a short one; a row on what a record costs."""
    short = read_trace(path)
    tokens = [record for record in short.records if isinstance(record, TokenRecord)]
    long = [
        msgspec.structs.replace(tokens[n % len(tokens)], index=n, parent=n - 1)
        for n in range(count)
    ]
    with TraceWriter(path) as writer:
        writer.write(short.header)
        taken = seconds(lambda: [writer.write(record) for record in long])
    print(f"| writing a record, flushed | {1e6 * taken / count:.0f} us | |")


def verifying(model: LanguageModel, count: int) -> None:
    """A row on verifying beside reading the same ids bare."""
    ids = [id % 40000 + 100 for id in range(7, 7 + 13 * count, 13)]
    header = header_of(model, None, PROVISIONAL, seed=None, date=None)
    trace = Trace(header, b"", list(score(model, ids, PROVISIONAL)))
    settings = Settings.make("greedy", {"capture": "false"})

    def prefill() -> None:
        Decoder(model, settings, PROVISIONAL, 0).prefill(ids)

    pairs = []
    for _ in range(3):
        bare = seconds(prefill)
        pairs.append((count / seconds(lambda: verify(model, trace, Settings.make("greedy"))), bare))
    rate, ratio = median(r for r, _ in pairs), median(bare * r / count for r, bare in pairs)
    print(f"| verifying {count:,} tokens | {rate:.0f} tokens/s | |")
    print(f"| the same over a bare prefill, no metrics | {ratio:.2f} | |")


if __name__ == "__main__":
    main()
