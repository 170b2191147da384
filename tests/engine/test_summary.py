"""The summary of a run, against NumPy over the same records."""

import math

import msgspec
import numpy as np
import pytest
from traces import HEADER

from entropix_mlx.records.quadrants import Quadrant
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.sampling.calibration import PROVISIONAL

FIRST = TokenRecord(
    index=0,
    parent=-1,
    id=5,
    text="first",
    bytes="6669727374",
    logprob=None,
    rank=None,
    entropy=None,
    varentropy=None,
    attn_entropy=None,
    attn_varentropy=None,
    agreement=None,
    interaction_strength=None,
    quadrant=None,
    region=None,
    strategy=None,
)

RNG = np.random.default_rng(2)
LOGPROBS = -RNG.exponential(2.0, 50)
ENTROPIES = RNG.uniform(0, 6, 50)
SIZES = RNG.integers(1, 6, 50)
REGIONS = ["LELV"] * 30 + ["MID"] * 20
CODES: list[Quadrant | None] = ["LEHV"] * 25 + ["HEHV"] * 20 + [None] * 5


def records() -> list[TokenRecord]:
    return [
        msgspec.structs.replace(
            FIRST,
            index=i + 1,
            logprob=float(logprob),
            entropy=float(entropy),
            region=region,
            quadrant=quadrant,
            bytes="00" * int(size),
        )
        for i, (logprob, entropy, region, quadrant, size) in enumerate(
            zip(LOGPROBS, ENTROPIES, REGIONS, CODES, SIZES, strict=True)
        )
    ]


def test_figures() -> None:
    summary = Summary()
    summary.add(PromptRecord(index=0, parent=-1, role="user", ids=[1], text="x"))
    for record in (FIRST, *records()):
        summary.add(record)
    summary.add(Event(kind="valley", index=20, at=15))
    summary.add(Event(kind="setting", index=21))
    summary.add(End(leaf=51, finish_reason="stop", tokens=51, seconds=12.0, prefill_seconds=2.0))
    bits = -LOGPROBS.sum() / math.log(2)
    assert summary.tokens == 51
    assert summary.mean_entropy == pytest.approx(ENTROPIES.mean())
    assert summary.perplexity == pytest.approx(np.exp(-LOGPROBS.mean()))
    assert summary.bits_per_byte == pytest.approx(bits / SIZES.sum())
    assert summary.excess == pytest.approx(bits / 50 - ENTROPIES.mean())
    assert summary.valleys == 1
    assert summary.quadrants == {"LEHV": 25, "HEHV": 20, None: 6}
    assert summary.rate == pytest.approx(5.1)
    assert summary.mean_attn_entropy is None
    line = summary.line(7)
    assert "\n" not in line
    for word in ("51 tokens", "5.1 tokens/s", "perplexity", "1 valley", "seed 7", "stop"):
        assert word in line


def test_quadrants_are_called_what_the_header_says() -> None:
    summary = Summary.of([HEADER, *records()])
    assert " · fork 50 % lost 40 % in none 10 %" in summary.line(), "of all tokens"
    split = PROVISIONAL.split_of("calibrated")
    summary.add(msgspec.structs.replace(HEADER, quadrant_split=split))
    assert " · favoured 50 % scattered 40 % in none 10 %" in summary.line()


def test_nothing_happened() -> None:
    summary = Summary()
    assert summary.line() == "0 tokens"
    summary.add(End(leaf=0, finish_reason="length", tokens=0, seconds=0.0, prefill_seconds=0.0))
    summary.add(FIRST)
    assert summary.perplexity is None
    assert summary.mean_entropy is None
    assert summary.bits_per_byte is None
    assert summary.excess is None
    assert summary.line().endswith("length")


def test_an_impossible_token_overflows_nothing() -> None:
    summary = Summary()
    summary.add(msgspec.structs.replace(records()[0], logprob=-1e30))
    assert summary.perplexity is not None
    assert math.isfinite(summary.perplexity)


def test_attention_is_averaged_where_it_was_measured() -> None:
    summary = Summary()
    values = [2.0, None, 3.5, 1.25]
    for record, value in zip(records(), values, strict=False):
        summary.add(msgspec.structs.replace(record, attn_entropy=value))
    assert summary.mean_attn_entropy == pytest.approx(np.mean([2.0, 3.5, 1.25]))


def test_the_rate_of_several_turns_and_of_one_that_is_running() -> None:
    summary = Summary()
    timed = [msgspec.structs.replace(record, ms=20.0) for record in records()]
    for record in timed[:10]:
        summary.add(record)
    assert summary.rate == pytest.approx(50)
    end = End(leaf=9, finish_reason="stop", tokens=10, seconds=1.5, prefill_seconds=0.5)
    summary.add(end)  # its clock knows better
    assert summary.rate == pytest.approx(10)
    for record in timed[10:30]:
        summary.add(record)
    assert summary.rate == pytest.approx(30 / 1.4)
    summary.add(End(leaf=29, finish_reason="stop", tokens=20, seconds=2.0, prefill_seconds=1.0))
    assert summary.rate == pytest.approx(30 / 2.0)


def test_where_nothing_was_drawn_no_time_passes() -> None:
    summary = Summary()
    for record in records()[:10]:
        summary.add(record)
    summary.add(End(leaf=9, finish_reason="stop", tokens=10, seconds=1.5, prefill_seconds=0.5))
    summary.add(End(leaf=5, finish_reason="interrupted", tokens=0, seconds=90, prefill_seconds=0))
    assert summary.rate == pytest.approx(10)
