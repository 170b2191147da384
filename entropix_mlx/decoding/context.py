"""What a model has read: ids and cache in step, whatever part of a conversation is returned to."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from entropix_mlx.decoding.cache_pool import PromptCachePool, beginning, common
from entropix_mlx.decoding.decoder import Decoder, OnChunk, prefill
from entropix_mlx.decoding.make_records import given_records
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.past import Past
from entropix_models.language_model import Cache

LEAST_KEPT = 256
"""Shorter caches are not worth a file: they are read again in a moment."""


class PromptContext:
    """A decoder and the ids that it stands after; its cache holds a prefix of them."""

    def __init__(self, decoder: Decoder, ids: Sequence[int] = ()) -> None:
        self.decoder = decoder
        self.pool = PromptCachePool()
        self.ids = list(ids)

    def go_to(self, ids: Sequence[int]) -> None:
        """Stand after other ids; as much of them as any cache has is not read again."""
        decoder, model = self.decoder, self.decoder.model
        held = self.ids[: decoder.length]
        shared = common(held, ids)
        number, better = self.pool.best(ids)
        if better > shared and self._trims(self.pool.look(number).cache, better):
            kept = self.pool.look(number)
            # What is longer stays as it is: one may want to return to its end too.
            whole = len(kept.ids) == better
            cache = self.pool.take(number).cache if whole else model.fork(kept.cache)
            self._leave(held, decoder.cache)
            decoder.forget()
            decoder.cache, shared = cache, better
        elif shared < len(held):
            self._leave(held, model.fork(decoder.cache))
        decoder.rewind(shared)
        self.ids = list(ids)

    def _leave(self, held: list[int], cache: Cache) -> None:
        """Keep a cache, unless it is the beginning of one that is kept."""
        number, length = self.pool.best(held)
        if length == len(held) and (not held or self._trims(self.pool.look(number).cache, length)):
            return
        self.pool.put(held, cache)

    def _trims(self, cache: Cache, length: int) -> bool:
        """Whether a cache can be made to hold its first `length` ids."""
        model = self.decoder.model
        excess = model.cached(cache) - length
        return excess == 0 or model.trim(model.fork(cache), excess)

    def add(self, ids: Sequence[int]) -> None:
        """Go on with what is said to the model."""
        self.ids += ids
        if ids:
            self.decoder.remember([*self.decoder.row.path, Past.of_prompt(ids)])

    @property
    def is_under_way(self) -> bool:
        """Whether the next token's distribution is there, or being computed."""
        return self.decoder.pending is not None and self.decoder.length == len(self.ids)

    def read(self, on_chunk: OnChunk) -> bool:
        """Read all ids but the last, or that too if its step is under way; False if stopped."""
        if self.is_under_way:
            return on_chunk(len(self.ids), len(self.ids))
        self.decoder.rewind(len(self.ids) - 1)
        return self.decoder.prefill(self.ids[self.decoder.length : -1], on_chunk)

    def score(self, added: int, on_chunk: OnChunk) -> list[TokenRecord] | None:
        """Like `read`, with a record for each of the last `added` ids; None if that was stopped."""
        tokenizer, ids = self.decoder.model.tokenizer, self.ids[-added:]
        start = max(len(self.ids) - added - 1, 0)  # after it comes the first one to be measured
        self.decoder.rewind(start)
        unread = self.ids[self.decoder.length : start]
        if unread and not self.decoder.prefill(unread, on_chunk):
            return None
        choices = self.decoder.measure(self.ids[start:], on_chunk)
        unmeasured = int(added == len(self.ids))
        records = list(given_records(tokenizer, ids, choices, unmeasured))
        return records if len(records) == len(ids) else None

    def cache_of(self, ids: Sequence[int]) -> Cache:
        """Another cache that holds exactly `ids`; what the present one has is not read again."""
        model = self.decoder.model
        held, source = common(self.ids[: self.decoder.length], ids), self.decoder.cache
        number, better = self.pool.best(ids)
        if better > held:
            held, source = better, self.pool.look(number).cache
        cache = beginning(model, source, held)
        prefill(model, cache, ids[model.cached(cache) :])
        return cache

    def save(self, path: Path) -> bool:
        """Keep the cache in a file; False if it is short, or of a kind that can't be kept."""
        length = self.decoder.length
        if length < LEAST_KEPT:
            return False
        return self.decoder.model.save_cache(self.decoder.cache, path, self._signed(length))

    def load(self, path: Path) -> bool:
        """Take up a kept cache, if it is one of this model after a beginning of these ids."""
        found = self.decoder.model.load_cache(path)
        if found is None:
            return False
        cache, signature = found
        length = self.decoder.model.cached(cache)
        if not 0 < length <= len(self.ids) or signature != self._signed(length):
            return False
        self.decoder.cache = cache
        return True

    def _signed(self, length: int) -> dict[str, str]:
        """What a cache's numbers depend on."""
        info, device = self.decoder.model.info, self.decoder.model.device
        ids = ",".join(map(str, self.ids[:length])).encode()
        return {
            "ids": hashlib.blake2b(ids, digest_size=16).hexdigest(),
            "model": f"{info.name}@{info.revision}@{info.quantization}@{info.dtype}",
            "device": device.kind,
        }
