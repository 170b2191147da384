"""What a trace costs to write, to read and to verify.

`python benchmarks/traces.py`: an answer decoded with and without a trace, taking turns in it; a
trace of 100,000 tokens read; a scored text verified, beside a bare prefill of the same ids. On the
embedded model. Prints a Markdown table.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from statistics import median

import msgspec
from machine import describe

import entropix_mlx as ex
from entropix_mlx.checks.verify import verify
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.make_records import header_of
from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import Record, TokenRecord
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import Trace, TraceWriter, read_trace
from entropix_models.devices import release_thread
from entropix_models.language_model import LanguageModel

PROMPT = "Write a short story about a robot that learns to paint."


class ByTurns:
    """A trace that keeps the records of every other run of four, so that both ways share one answer
    and whatever else the machine does meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._trace = TraceWriter(path)

    @staticmethod
    def keeps(index: int) -> bool:
        return index // 4 % 2 == 0

    @property
    def count(self) -> int:
        return self._trace.count

    def write(self, record: Record) -> None:
        if not isinstance(record, TokenRecord) or self.keeps(record.index):
            self._trace.write(record)

    def close(self) -> None:
        self._trace.close()


def overhead(model: LanguageModel, path: Path, tokens: int) -> float:
    """Speed of decoding with a trace over that without, by the median time of a token."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for seed in count():
        session = Session(model, Settings.make("calibrated"), seed=seed, trace=ByTurns(path))
        told = session.send(PROMPT, max_tokens=tokens)
        # A record is written in the time of the token after it.
        for before, record in pairwise(r for r in told if isinstance(r, TokenRecord)):
            assert record.ms is not None
            times[ByTurns.keeps(before.index)].append(record.ms)
        session.close()
        if len(times[True]) + len(times[False]) >= tokens:
            break
    return median(times[False]) / median(times[True])


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256, help="decoded a round")
    parser.add_argument("--saved", type=int, default=100_000, help="tokens of the long trace")
    parser.add_argument("--scored", type=int, default=2000, help="tokens of the verified text")
    options = parser.parse_args()

    model = ex.load("smollm2-135m")
    print(describe(model), "\n")
    print("| | measured | wanted |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        ratios = [overhead(model, path, options.tokens) for _ in range(options.rounds)]
        ratio = f"{median(ratios):.3f} (rounds: {min(ratios):.3f} to {max(ratios):.3f})"
        print(f"| decoding with a trace over without | {ratio} | >= 0.98 |")
        writing(path, options.saved)
        taken = min(seconds(lambda: read_trace(path)) for _ in range(3))
        size = path.stat().st_size / 1e6
        print(f"| reading {options.saved:,} tokens, {size:.0f} MB | {taken:.2f} s | < 2 s |")
    verifying(model, options.scored)
    release_thread()


def writing(path: Path, wanted: int) -> None:
    """Make a long trace of the records of a short one; a row on what a record costs."""
    short = read_trace(path)
    tokens = [record for record in short.records if isinstance(record, TokenRecord)]
    long = [
        msgspec.structs.replace(tokens[n % len(tokens)], index=n, parent=n - 1)
        for n in range(wanted)
    ]
    with TraceWriter(path) as writer:
        writer.write(short.header)
        taken = seconds(lambda: [writer.write(record) for record in long])
    print(f"| writing a record, flushed | {1e6 * taken / wanted:.0f} us | |")


def verifying(model: LanguageModel, tokens: int) -> None:
    """A row on verifying beside reading the same ids bare."""
    ids = [id % 40000 + 100 for id in range(7, 7 + 13 * tokens, 13)]
    header = header_of(model, None, PROVISIONAL, seed=None, date=None)
    trace = Trace(header, b"", list(score(model, ids, PROVISIONAL)))
    settings = Settings.make("greedy", {"capture": "false"})

    def prefill() -> None:
        Decoder(model, settings, PROVISIONAL, 0).prefill(ids)

    def verified() -> None:
        verify(model, trace, Settings.make("greedy"))

    pairs = [(seconds(prefill), seconds(verified)) for _ in range(3)]
    ratio = median(bare / full for bare, full in pairs)
    rate = tokens / median(full for _, full in pairs)
    print(f"| verifying {tokens:,} tokens, over a bare prefill (no logits, no metrics) |", end="")
    print(f" {ratio:.2f} ({rate:.0f} tokens/s) | |")


if __name__ == "__main__":
    main()
