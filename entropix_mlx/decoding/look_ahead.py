"""A step further after each of several candidates, of which one becomes the next step.

So what is looked at is not computed twice, and the host never asks which it was.
"""

from typing import Any, NamedTuple

import mlx.core as mx

from entropix_mlx.decoding.row import Row
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.decision import Decision, Ints
from entropix_models.attention import Reducer
from entropix_models.language_model import Cache, LanguageModel

_MIDDLE = REGIONS.index("MID")
_REGION, _FORCED = (Ints._fields.index(name) for name in ("region", "forced"))


class Probe(NamedTuple):
    """One step of rows, lazy: `ids` int32 `[candidates]`, `logits` `[candidates, vocabulary]`,
    `attention` `[layers, candidates, n]` or None; `cache` holds the rows' own keys and values.
    """

    ids: mx.array
    logits: mx.array
    attention: mx.array | None
    cache: Cache

    @staticmethod
    def of(
        model: LanguageModel,
        cache: Cache,
        made: Decision,
        likely: mx.array,
        reducer: Reducer | None,
    ) -> "Probe":
        """After the `likely` ids, in the middle; elsewhere, or where it is forced, each after the
        one that was `made`. `cache` stays as it is.

        Raises UnsupportedError for caches that rows cannot share.
        """
        free = (made.ints[_REGION] == _MIDDLE) & (made.ints[_FORCED] == 0)
        ids = mx.where(free, likely, made.token)
        rows = model.rows_after(cache, ids.size)
        step = model.step(ids[:, None], rows, reducer)
        attention = None if step.attention is None else step.attention[:, :, -1]
        return Probe(ids, step.logits[:, -1], attention, rows)

    def measured(self, row: Row) -> mx.array:
        """Float32 `[candidates, 6]` in the order of `METRICS`."""
        moments = metrics.moments(self.logits)
        known = mx.stack([moments.entropy, moments.varentropy], axis=-1)
        attention = row.over_layers(self.attention)
        if attention is None:
            attention = mx.zeros((known.shape[0], 4))
        return mx.concatenate([known, attention], axis=-1)

    def taken(self, cache: Cache, token: mx.array) -> tuple[mx.array, mx.array | None]:
        """Logits and attention after `token`, one of the ids, which `cache` holds from here on."""
        which = mx.argmax(self.ids == token)
        layers: Any = zip(cache, self.cache, strict=True)
        for held, rows in layers:
            keys, values = (part[which][None, :, : rows.own] for part in rows.state)
            held.update_and_fetch(keys, values)
        return self.logits[which], None if self.attention is None else self.attention[:, which]
