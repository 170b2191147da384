"""What can be drawn from a distribution, and what is listed of it."""

from collections.abc import Sequence
from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.settings import Support

CANDIDATES = 8
"""How many of the most likely tokens a decision lists."""


class Ban(NamedTuple):
    """`weights` float32 `[vocabulary]`: -inf for the `banned` ids, which are so many, else 0."""

    weights: mx.array
    banned: int


class Places(NamedTuple):
    """`ids`, `logits` and perhaps `odds` of what can be drawn; `listed`, the most likely ids, and
    their `places`.
    """

    ids: mx.array
    logits: mx.array
    odds: mx.array | None
    listed: mx.array
    places: mx.array


def places_of(support: Support, logits: mx.array, ban: Ban | None, odds: mx.array) -> Places:
    """What can be drawn. Without an order, the `odds` of the whole vocabulary are its own."""
    vocabulary = logits.shape[-1]
    if support.ordered:
        size = min((support.size or vocabulary) + (ban.banned if ban else 0), vocabulary)
        top_ids, top_values = metrics.top(logits, size)
        ids, values = top_ids[0], top_values[0]
        listed, places = ids[:CANDIDATES], mx.arange(min(CANDIDATES, size))
    else:
        ids, values = mx.arange(vocabulary, dtype=mx.int32), logits[0].astype(mx.float32)
        listed = places = metrics.top(logits, min(CANDIDATES, vocabulary))[0][0]
    if ban is not None:
        values = values + ban.weights[ids]
        if support.ordered:
            order = mx.argsort(-values)
            ids, values, places = ids[order], values[order], mx.argsort(order)[places]
    known = None if support.ordered or ban is not None else odds
    return Places(ids, values, known, listed, places)


def ban_of(logits: mx.array, banned: Sequence[int]) -> Ban:
    weights = mx.zeros(logits.shape[-1]).at[mx.array(list(banned))].add(-mx.inf)
    return Ban(weights, len(banned))
