"""Answers to one prompt by several samplers and seeds, decoded side by side.

A step of one row reads all weights, as a step of many does: side by side they take a fifth of the
time. Each row is decided alone, as `Decoder` does it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import prefill
from entropix_mlx.sampling.metrics import attention_statistics
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_models.attention import Tap
from entropix_models.language_model import Cache, LanguageModel


@dataclass(eq=False)
class Row:
    """An answer in the making: who draws it, and what has come."""

    sampler: Sampler
    seed: int
    state: tuple[mx.array, ...] = ()
    choices: list[Choice] = field(default_factory=list)


def decode(
    model: LanguageModel,
    prompt: Sequence[int],
    rows: Sequence[Row],
    ends: Callable[[Sequence[Choice]], bool],
) -> Iterator[Row]:
    """Each row once its choices say that it `ends`."""
    alone = model.new_cache()
    prefill(model, alone, prompt[:-1])
    cache = _taken(model, alone, [0] * len(rows))
    for row in rows:
        row.state = row.sampler.state([Past(prompt[-1])])
    last = [prompt[-1]] * len(rows)
    while rows:
        logits, attention = _step(model, last, cache)
        keys = model.cached(cache)
        decisions = [
            row.sampler.decide(logits[n], attention[n], keys, row.state, draw_key(row.seed, keys))
            for n, row in enumerate(rows)
        ]
        mx.eval([(d.ints, d.floats, d.state) for d in decisions])
        for row, decision in zip(rows, decisions, strict=True):
            row.state = decision.state
            row.choices.append(choice.drawn(decision, attention=True))
        going_on = [n for n, row in enumerate(rows) if not ends(row.choices)]
        if len(going_on) < len(rows):
            yield from (row for n, row in enumerate(rows) if n not in going_on)
            rows, cache = [rows[n] for n in going_on], _taken(model, cache, going_on)
        last = [row.choices[-1].id for row in rows]


def _step(model: LanguageModel, last: Sequence[int], cache: Cache) -> tuple[mx.array, mx.array]:
    """Logits `[rows, vocabulary]`, attention float32 `[rows, 4]`, averaged over layers."""
    count = len(last)

    def by_row(scores: mx.array, weights: mx.array, valid: mx.array | None) -> mx.array:
        layers, _, queries, keys = scores.shape
        parts = (part.reshape(layers * count, -1, queries, keys) for part in (scores, weights))
        return attention_statistics(*parts, valid).reshape(layers, count, -1)

    with Tap(model.network, manual=not model.device.is_gpu).open(by_row, 1) as capture:
        logits = model.network(mx.array(last)[:, None], cache=cache)[:, -1]
    return logits, mx.mean(capture.statistics(model.info.layers), axis=0)


def _taken(model: LanguageModel, cache: Cache, rows: Sequence[int]) -> Cache:
    """Some rows of a cache of plain keys and values."""
    taken, chosen = model.new_cache(), mx.array(list(rows), mx.int32)
    if rows:
        for layer, kept in zip(taken, cache, strict=True):
            keys, values = (part[..., : kept.offset, :] for part in (kept.keys, kept.values))
            layer.state = (keys[chosen], values[chosen], kept.offset)
    return taken
