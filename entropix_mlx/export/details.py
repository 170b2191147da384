"""What a page knows of each token, as data that it reads a piece at a time.

A piece is a JSON object: `t` has the texts that its rows mention by number; `r` has a row for each
token, in the order of `FIELDS`. Nothing in it can end the element that it stands in.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

from entropix_mlx.export.passage import Cell, Passage, number
from entropix_mlx.export.template import data
from entropix_mlx.records.measures import probability
from entropix_mlx.terminal.glyphs import one_line, shown

PIECE = 1000
"""Tokens in a piece."""

FIELDS = (
    *("index", "nth", "id", "text", "bytes", "role", "quadrant", "strategy", "forced"),
    *("surprisal", "p", "rank", "entropy", "varentropy", "attn_entropy", "attn_varentropy"),
    *("agreement", "interaction_strength", "temperature", "top_k", "top_p", "min_p", "ms"),
    *("valley", "drawn", "candidates"),
)
"""Texts by number; `bytes` null where they are the text's own; `surprisal` in bits; probabilities
in `UNITS` of 1; `rank` from 1. `drawn` is the place of the token among its `candidates`, which are
text, raw probability and that of the final draw, three by three.
"""

UNITS = 10_000

_named = lru_cache(16384)(one_line)
_measured = attrgetter(*FIELDS[FIELDS.index("entropy") : FIELDS.index("valley")])


def pieces(passage: Passage) -> Iterator[str]:
    """As JSON, for the inside of a script element of type `application/json`."""
    cells = passage.cells
    for begin in range(0, len(cells), PIECE):
        texts: dict[str, int] = {}
        rows = [_row(passage, cell, texts) for cell in cells[begin : begin + PIECE]]
        yield data({"t": list(texts), "r": rows})


def _row(passage: Passage, cell: Cell, texts: dict[str, int]) -> list[Any]:
    token = cell.token

    def text(value: str | None) -> int | None:
        return None if value is None else texts.setdefault(value, len(texts))

    logprob, said = token.logprob, shown(token.text)
    candidates: list[Any] = []
    drawn = None
    for place, (id, other, raw, p) in enumerate(token.candidates):
        candidates += (text(_named(other)), _units(probability(raw)), _units(p))
        if id == token.id:
            drawn = place
    return [
        cell.index,
        cell.nth,
        token.id,
        text(said),
        None if token.bytes == said.encode().hex() else text(token.bytes),
        text(one_line(cell.role)),
        text(token.quadrant),
        text(token.strategy),
        text(token.forced),
        None if logprob is None else _rounded(-logprob / math.log(2)),
        None if logprob is None else _units(probability(logprob)),
        None if token.rank is None else token.rank + 1,
        *map(_rounded, _measured(token)),
        passage.is_valley(cell),
        drawn,
        candidates,
    ]


def _rounded(value: float | None) -> float | int | None:
    """With as many digits as are shown."""
    if value is None:
        return None
    if -1e15 < value < 1e15:
        return round(value, 3) or 0
    return number(value)


def _units(p: float) -> float:
    """Of what a file may say, only what can be a probability; by half a unit off nothing or all,
    if rounding would make it so.
    """
    if 0.0 < p < 1.0:
        return min(max(round(UNITS * p), 0.5), UNITS - 0.5)
    return UNITS * (p >= 1.0)
