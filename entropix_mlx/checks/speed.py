"""How fast a model decodes here, instrumented and bare; for `doctor` and `benchmarks/`."""

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel
from entropix_models.late_package import whole_package


class Pair(NamedTuple):
    """Median tokens per second of both, and the median of the ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float


def compare(
    model: LanguageModel, context: int, *, tokens: int, rounds: int, seconds: float = math.inf
) -> Pair:
    """Everything on (metrics, attention of all layers, `calibrated`, a trace) against mlx-lm's
    greedy loop on the same weights, taking turns, after `context` tokens of prompt.

    Within `seconds`, of fewer tokens and rounds if need be; one round there always is.
    """
    began = time.perf_counter()
    pairs: list[tuple[float, float]] = []
    instrumented(model, context, 2)  # a warm-up
    bare(model, context, 2)
    while len(pairs) < rounds:
        turn, most = time.perf_counter(), seconds / 6
        pairs.append(
            (instrumented(model, context, tokens, most), bare(model, context, tokens, most))
        )
        now = time.perf_counter()
        if now - began + (now - turn) > seconds:
            break
    return Pair(
        median(ours for ours, _ in pairs),
        median(theirs for _, theirs in pairs),
        median(ours / theirs for ours, theirs in pairs),
    )


def instrumented(
    model: LanguageModel, context: int, tokens: int, seconds: float = math.inf
) -> float:
    """Tokens per second of a session that writes a trace; the first token is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        trace = TraceWriter(Path(folder) / "trace.jsonl")
        session = Session(model, Settings.make("calibrated"), seed=7, trace=trace)
        with closing(session.send(prompt(model, context), max_tokens=tokens + 1, raw=True)) as turn:
            made = (record.index for record in turn if isinstance(record, TokenRecord))
            rate = _rate(made, seconds)
        session.close()
    return rate


def bare(model: LanguageModel, context: int, tokens: int, seconds: float = math.inf) -> float:
    """Tokens per second of mlx-lm's own loop, greedy; the first token is not counted."""
    whole_package("mlx_lm")
    from mlx_lm.generate import generate_step

    ids = mx.array(model.tokenizer.encode(prompt(model, context)))
    steps = generate_step(ids, model.network, max_tokens=tokens + 1)
    return _rate((token for token, _ in steps), seconds)


def prompt(model: LanguageModel, context: int) -> str:
    """A text that goes on and on, of `context` tokens; of a few less where a word is several."""
    words = (" one two three four five six seven eight nine ten" * (context // 10 + 1)).split(" ")
    count = context
    while True:
        text = " ".join(words[: count + 1])
        length = len(model.tokenizer.encode(text))
        if length <= context or count == 1:
            return text
        count = max(count * context // length, 1)


def _rate(tokens: Iterator[object], seconds: float) -> float:
    """Tokens per second of those that come within `seconds`: one at least, unless none is left."""
    next(tokens)
    began, count, elapsed = time.perf_counter(), 0, 0.0
    while (elapsed < seconds or not count) and next(tokens, None) is not None:
        count += 1
        elapsed = time.perf_counter() - began
    return count / elapsed if count else 0.0
