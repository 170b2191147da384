"""A small run and its trace, for the tests that write and read traces."""

from pathlib import Path
from typing import Any

from entropix_mlx.records.record import End, Event, PromptRecord, Record, RunHeader, TokenRecord
from entropix_mlx.trace.trace import TraceWriter

HEADER = RunHeader(
    model="smollm2-135m",
    revision="0.1.2",
    device="cpu",
    dtype="float32",
    sampler={"preset": "calibrated", "temperature": 0.7, "nested": {"top_k": [1, None]}},
    calibration=None,
    seed=7,
    date="2026-01-02",
    versions={"entropix-mlx": "0.1.0"},
    created="2026-01-02T03:04:05+00:00",
)
PROMPT = PromptRecord(index=0, parent=-1, role="user", ids=[1, 2], text="Où? 漢🙂")
END = End(leaf=2, finish_reason="stop", tokens=2, seconds=0.5, prefill_seconds=0.25)


def token(index: int, parent: int | None = None, **changes: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "index": index,
        "parent": index - 1 if parent is None else parent,
        "id": 504,
        "text": " thé\n",
        "bytes": " thé\n".encode().hex(),
        "logprob": -0.5,
        "rank": 0,
        "entropy": 1.25,
        "varentropy": 2.5,
        "attn_entropy": 3.0,
        "attn_varentropy": 0.25,
        "agreement": 0.9,
        "interaction_strength": 1.5,
        "quadrant": "LELV",
        "region": "MID",
        "strategy": "adaptive",
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.9,
        "min_p": 0.03,
        "candidates": [(504 + n, "t" * n, -float(n), 0.1) for n in range(9)],
        "ms": 70.5,
    }
    return TokenRecord(**{**values, **changes})


RECORDS: list[Record] = [PROMPT, token(1), Event(kind="valley", index=1, at=1), token(2), END]


def write(path: Path, *records: Record) -> Path:
    with TraceWriter(path) as writer:
        for record in records:
            writer.write(record)
    return path
