"""Records of a run: its header, and its tokens in their places."""

import datetime
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.records.record import Candidate, RunHeader, TokenRecord
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL, Calibration, key, stored
from entropix_mlx.sampling.settings import Settings
from entropix_models.language_model import LanguageModel
from entropix_models.tokenizer.tokenizer import Tokenizer
from entropix_models.tokenizer.utf8 import Utf8Stream

Attend = Callable[[int, npt.NDArray[np.float32]], None]
"""Told a record's index and `[layers, heads]`, the entropy of each head's attention in bits."""

_UNMEASURED: dict[str, Any] = dict.fromkeys(
    ("logprob", "rank", *METRICS, "quadrant", "region", "strategy")
)


def token_record(
    tokenizer: Tokenizer, choice: Choice, index: int, parent: int, text: str, ms: float | None
) -> TokenRecord:
    """A choice in its place; `text` is what the stream gains, `ms` the time since the last."""
    attention = choice.attention or (None, None, None, None)
    candidates: list[Candidate] = [
        (id, tokenizer.token_text(id), logprob, p) for id, logprob, p in choice.candidates
    ]
    return TokenRecord(
        index=index,
        parent=parent,
        id=choice.id,
        text=text,
        bytes=tokenizer.token_bytes(choice.id).hex(),
        logprob=choice.logprob,
        rank=choice.rank,
        entropy=choice.entropy,
        varentropy=choice.varentropy,
        attn_entropy=attention[0],
        attn_varentropy=attention[1],
        agreement=attention[2],
        interaction_strength=attention[3],
        quadrant=choice.quadrant,
        region=choice.region,
        strategy=choice.strategy,
        temperature=choice.temperature,
        top_k=choice.top_k,
        top_p=choice.top_p,
        min_p=choice.min_p,
        forced=choice.forced,
        candidates=candidates,
        ms=ms,
        measures=dict(choice.measures) or UNSET,
    )


def given_records(
    tokenizer: Tokenizer,
    ids: Sequence[int],
    choices: Iterator[Choice],
    unmeasured: int,
    attend: Attend | None = None,
) -> Iterator[TokenRecord]:
    """Records of a given text, numbered from 0, for as long as there are choices.

    The first `unmeasured` ids met no distribution and have no choice: their measures are None.
    """
    utf8 = Utf8Stream()
    for n, id in enumerate(ids):
        raw = tokenizer.token_bytes(id)
        if n < unmeasured:
            yield TokenRecord(
                index=n, parent=n - 1, id=id, text=utf8.feed(raw), bytes=raw.hex(), **_UNMEASURED
            )
        elif (choice := next(choices, None)) is not None:
            if attend is not None and choice.heads is not None:
                attend(n, choice.heads)
            yield token_record(tokenizer, choice, n, n - 1, utf8.feed(raw), None)
    next(choices, None)  # so that the reading comes to its end


def calibration_of(model: LanguageModel) -> Calibration:
    """The user's for exactly these weights, or the program's, or `PROVISIONAL`.

    Raises what `stored` raises.
    """
    info = model.info
    return stored(key(info.name, info.revision, info.quantization)) or PROVISIONAL


def header_of(
    model: LanguageModel,
    settings: Settings | None,
    calibration: Calibration,
    *,
    seed: int | None,
    date: datetime.date | None,
    split: QuadrantSplit | None = None,
) -> RunHeader:
    """The first line of a trace; without settings nothing is sampled.

    `date`: the one that a template prints, if it prints any; `split`: by which quadrants are told,
    if not by the calibrated one.
    """
    tokenizer = model.tokenizer
    prints = tokenizer.has_chat_template and tokenizer.template_prints_date
    return RunHeader(
        model=model.info.name,
        revision=model.info.revision,
        device=model.device.kind,
        dtype=model.info.dtype,
        sampler=settings.to_dict() if settings else {},
        calibration=None if calibration is PROVISIONAL else calibration.name,
        seed=seed,
        date=date.isoformat() if date and prints else None,
        versions=versions(),
        created=now(),
        quadrant_split=split or calibration.split_of("calibrated"),
        prefill_chunk=model.prefill_chunk,
    )


def versions() -> dict[str, str]:
    """What a run's numbers may depend on."""
    packages = ("entropix-mlx", "mlx", "mlx-lm")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {**found, "python": platform.python_version()}


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
