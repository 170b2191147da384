"""How fast a model decodes here, instrumented and bare; for `doctor` and `benchmarks/`."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel


class Pair(NamedTuple):
    """Median tokens per second of both, and the median of the ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float


def compare(model: LanguageModel, context: int, *, tokens: int, rounds: int) -> Pair:
    """Everything on (metrics, attention of all layers, `calibrated`, a trace) against mlx-lm's
    greedy loop on the same weights, taking turns, after `context` tokens of prompt."""
    pairs = []
    for i in range(rounds + 1):
        pair = (instrumented(model, context, tokens), bare(model, context, tokens))
        if i:  # the first is a warm-up
            pairs.append(pair)
    return Pair(
        median(ours for ours, _ in pairs),
        median(theirs for _, theirs in pairs),
        median(ours / theirs for ours, theirs in pairs),
    )


def instrumented(model: LanguageModel, context: int, tokens: int) -> float:
    """Tokens per second of a session that writes a trace; the first token is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        trace = TraceWriter(Path(folder) / "trace.jsonl")
        session = Session(model, Settings.make("calibrated"), seed=7, trace=trace)
        turn = session.send(prompt(model, context), max_tokens=tokens + 1, raw=True)
        rate = _rate(record.index for record in turn if isinstance(record, TokenRecord))
        session.close()
    return rate


def bare(model: LanguageModel, context: int, tokens: int) -> float:
    """Tokens per second of mlx-lm's own loop, greedy; the first token is not counted."""
    from mlx_lm.generate import generate_step  # language_model was the first to import mlx-lm

    ids = mx.array(model.tokenizer.encode(prompt(model, context)))
    return _rate(token for token, _ in generate_step(ids, model.network, max_tokens=tokens + 1))


def prompt(model: LanguageModel, context: int) -> str:
    """A text of `context` tokens that goes on and on."""
    words = (" one two three four five six seven eight nine ten" * (context // 10 + 1)).split(" ")
    text = " ".join(words[: context + 1])
    assert len(model.tokenizer.encode(text)) == context
    return text


def _rate(tokens: Iterator[object]) -> float:
    next(tokens)
    began, count = time.perf_counter(), 0
    for _ in tokens:
        count += 1
    return count / (time.perf_counter() - began)
