"""Records with chosen figures, for tests of single instruments."""

from typing import Any

import msgspec
import numpy as np

from entropix_mlx.records.quadrants import quadrant_of
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings

SETTINGS = Settings.make(
    "calibrated",
    {
        "lelv_entropy": "1.5",
        "lelv_varentropy": "3",
        "helv_entropy": "4",
        "helv_varentropy": "6",
        "lehv_entropy": "2",
        "lehv_varentropy": "8",
        "hehv_entropy": "5",
        "hehv_varentropy": "10",
    },
)


assert PROVISIONAL.split is not None
SPLIT = PROVISIONAL.split
"""As a screen has it before it knows better."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def token(index: int, entropy: float | None = 1.0, **fields: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "parent": index - 1,
        "id": 7,
        "text": " word",
        "bytes": b" word".hex(),
        "logprob": -0.5,
        "rank": 0,
        "varentropy": 2.0,
        "attn_entropy": 2.5,
        "attn_varentropy": 0.75,
        "agreement": 0.625,
        "interaction_strength": 4.25,
        "region": "MID",
        "strategy": "adaptive",
        "ms": 20.0,
    }
    values |= fields
    if entropy is not None and values["varentropy"] is not None:
        values.setdefault("quadrant", quadrant_of(entropy, values["varentropy"], SPLIT))
    return TokenRecord(index=index, entropy=entropy, **({"quadrant": None} | values))


def prompt(index: int, *entropies: float | None, scored: bool = True) -> PromptRecord:
    records = [token(i, entropy) for i, entropy in enumerate(entropies)]
    return PromptRecord(
        index=index,
        parent=index - 1,
        role="user",
        ids=[1] * len(entropies),
        text="hello",
        records=records if scored else None,
    )


def story(count: int, first: int = 0) -> list[TokenRecord]:
    """Tokens of all kinds, the same ones at every call."""
    rng = np.random.default_rng(5)
    entropies, varentropies = rng.exponential(2.0, count), rng.exponential(5.0, count)
    return [
        token(
            first + i,
            round(float(h), 3),
            varentropy=round(float(v), 3),
            logprob=-float(h) / 2,
            region=("MID", "LELV", "HELV", "LEHV", "HEHV")[i % 5 if i % 2 else 0],
        )
        for i, (h, v) in enumerate(zip(entropies, varentropies, strict=True))
    ]


def long_story(count: int) -> list[TokenRecord]:
    """The same thousand again and again."""
    few = story(1000)
    return [msgspec.structs.replace(few[i % 1000], index=i, parent=i - 1) for i in range(count)]
