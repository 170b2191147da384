"""Made-up inspections: a whole distribution and its attention, without a model."""

import numpy as np
import numpy.typing as npt

from entropix_mlx.records.inspection import HEAD, TAIL, Attention, Inspection
from entropix_mlx.records.record import Candidate, TokenRecord

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "[/red]",
    "[@click=app.quit]x[/]",
    "שלום",
    "\u202eabc",
    "👨‍👩‍👧‍👦",
    "\n",
    "\t",
    "",
    "  ",
    "\u0301",
    "a" * 2000,
    "\x9b2J",
    "漢字",
]
"""Texts that must not reach a terminal as they are, and some that are merely hard."""

NORMALISER = 12.5


def logprobs(vocabulary: int = 5000, seed: int = 1) -> npt.NDArray[np.float32]:
    """Float32 `[vocabulary]`, descending, normalised; a heavy tail, as models have it."""
    ordered = np.sort(np.random.default_rng(seed).gumbel(0, 1.2, vocabulary))[::-1]
    return np.asarray(ordered - np.logaddexp.reduce(ordered), np.float32)


def below(record: TokenRecord, vocabulary: int) -> npt.NDArray[np.float32]:
    """The same, but begun like the record's candidates, as far as they are in order."""
    own = np.array([logprob for _, _, logprob, _ in record.candidates], np.float32)[:vocabulary]
    rest = logprobs(vocabulary - len(own)) + np.log(max(1e-3, 1 - np.exp(own).sum()))
    ordered = np.minimum.accumulate(np.concatenate([own, rest]))
    return np.asarray(ordered - np.logaddexp.reduce(ordered), np.float32)


def attention(keys: int = 40, layers: int = 6, heads: int = 9, seed: int = 1) -> Attention:
    """Heads from one place to everywhere alike; the first is collapsed, the last overloaded."""
    rng = np.random.default_rng(seed)
    top = np.log2(keys)
    entropy = rng.uniform(0.1, 0.9, (layers, heads)) * top
    entropy[0, 0], entropy[-1, -1] = 0.01 * top, 0.99 * top
    weights = rng.gamma(0.3, 1.0, keys)
    weights[0] = weights.sum()
    strongest = rng.integers(0, keys, (layers, heads, 4))
    return Attention(
        entropy=entropy.astype(np.float32),
        keys=keys,
        weights=(weights / weights.sum()).astype(np.float32),
        strongest=strongest.astype(np.int32),
    )


def inspection(
    record: TokenRecord,
    *,
    vocabulary: int = 5000,
    texts: list[str] | None = None,
    with_attention: bool = True,
    keys: int = 40,
) -> Inspection:
    """Of a record: its candidates' ids first; the others are named after their rank.

    Position i of the context is the i-th id of record 0, a prompt.
    """
    values = below(record, vocabulary)
    named = [(id_, text) for id_, text, _, _ in record.candidates]
    named += [(10_000 + i, text) for i, text in enumerate(texts or [])]
    taken = len(named)
    named += [(20_000 + i, f" w{i + 1}") for i in range(taken, vocabulary)]
    listed: list[Candidate] = [
        (id_, text, float(value), float(np.exp(np.float64(value))))
        for (id_, text), value in zip(named, values, strict=True)
    ]
    return Inspection(
        index=record.index,
        logprobs=values,
        normaliser=NORMALISER,
        head=listed[:HEAD],
        tail=listed[max(HEAD, vocabulary - TAIL) :],
        attention=attention(keys) if with_attention else None,
        places=[(0, i) for i in range(keys)],
    )
