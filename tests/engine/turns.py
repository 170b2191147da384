"""Turns of a conversation: how tests make them, and what they look for in them."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.records.record import End, TokenRecord, TurnRecord
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.journal import Storage
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import Trace, read_trace
from entropix_models.language_model import LanguageModel

DATE = datetime.date(2026, 1, 2)


def session(model: LanguageModel, preset: str = "calibrated", **others: Any) -> Session:
    overrides = others.pop("overrides", {})
    kept = {
        name: others.pop(name) for name in ("trace", "attention", "cache_file") if name in others
    }
    options: dict[str, Any] = {"seed": 7, "date": DATE, "trace": Storage(**kept)} | others
    return Session(model, Settings.make(preset, overrides), **options)


def turn(
    made: Session, text: str = "Hello", max_tokens: int = 12, **options: Any
) -> list[TurnRecord]:
    return list(made.send(text, max_tokens=max_tokens, **options))


def tokens(records: Iterable[TurnRecord]) -> list[TokenRecord]:
    return [record for record in records if isinstance(record, TokenRecord)]


def end(records: Sequence[TurnRecord]) -> End:
    assert isinstance(records[-1], End)
    assert sum(isinstance(record, End) for record in records) == 1
    return records[-1]


def timeless(records: Iterable[TurnRecord]) -> list[Any]:
    """Everything but times."""
    return [
        {
            k: v
            for k, v in msgspec.to_builtins(r).items()
            if k not in ("ms", "seconds", "prefill_seconds")
        }
        for r in records
    ]


def plain(model: LanguageModel, records: Iterable[TokenRecord], stop_ids: bool = False) -> str:
    ids = [r.id for r in records if stop_ids or r.id not in model.tokenizer.stop_ids]
    return b"".join(model.tokenizer.token_bytes(id) for id in ids).decode(errors="replace")


def whole(file: Path) -> Trace:
    """A trace that nothing is wrong with."""
    trace = read_trace(file)
    assert trace.problems == []
    return trace


def first_of(model: LanguageModel, ids: list[int]) -> Choice:
    """What comes after these ids, read afresh."""
    decoder = Decoder(model, Settings.make("greedy"), PROVISIONAL, 0)
    decoder.prefill(ids[:-1])
    return next(decoder.generate(ids[-1], 1))
