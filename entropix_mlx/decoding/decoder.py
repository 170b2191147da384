"""One sequence: what a model has read of it, and the one loop over its next tokens.

The loop keeps one step in flight (`batch.py`): while the caller looks at token n, the device
computes token n+1.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.batch import Batch, PendingStep
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.row import STATISTICS, Row
from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Stages, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_models.language_model import Cache, LanguageModel, Stopped

OnChunk = Callable[[int, int], bool]
"""Told `(done, total)` ids of a text that is being read; False stops the reading."""


def prefill(
    model: LanguageModel, cache: Cache, ids: Sequence[int], on_chunk: OnChunk = lambda *_: True
) -> int:
    """Read ids into a cache, in chunks.

    How many: fewer than there are if `on_chunk` said to stop, which is asked before each chunk and,
    where a chunk can take long, again and again within it (`LanguageModel.asking`).
    """
    chunk = model.prefill_chunk
    for start in range(0, len(ids), chunk):
        go_on = partial(on_chunk, start, len(ids))
        if not go_on():
            return start
        try:
            with model.asking(cache, go_on):
                model.step(mx.array(list(ids[start : start + chunk])), cache)
        except Stopped:
            return start
        mx.eval([layer.state for layer in cache])
        mx.clear_cache()
    return len(ids)


class Decoder:
    """A model, its cache and a sampler: a batch of one row. Belongs to the thread that made it.

    With `heads`, choices come with the entropy of every attention head.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        calibration: Calibration,
        seed: int,
        *,
        heads: bool = False,
        split: QuadrantSplit | None = None,
    ) -> None:
        self.model = model
        self.calibration = calibration
        self.row = Row(model, settings, calibration, seed, split)
        self.batch = Batch(model, [self.row], model.new_cache(), heads=heads)
        """The row of it, in which its step is under way."""
        self._heads = heads
        self.read = 0
        """How many ids were read in all, whatever became of them."""

    def use(self, settings: Settings) -> None:
        """Decide by other settings from the next token on; what stays is told by `Row.use`."""
        self.row.use(settings)
        if self.pending is not None:
            self.batch.pending = [self.pending._replace(state=self.row.state)]
        self._decide_again()

    def remember(self, path: Sequence[Past]) -> None:
        """Be at the end of a path: the sampler's state follows from it alone."""
        self.row.remember(path)

    def reseed(self, seed: int) -> None:
        """Draw by another seed from the next token on."""
        self.row.seed = seed
        self._decide_again()

    @property
    def settings(self) -> Settings:
        """Those of the next token, thresholds filled in."""
        return self.row.settings

    @property
    def cache(self) -> Cache:
        """What was read; another one may take its place."""
        return self.batch.cache

    @cache.setter
    def cache(self, cache: Cache) -> None:
        self.batch.cache = cache

    @property
    def pending(self) -> PendingStep | None:
        """The next token's step, if it is under way: the cache holds all ids before that token."""
        return self.batch.pending[0] if self.batch.pending else None

    @property
    def length(self) -> int:
        """How many ids the cache holds."""
        return self.model.cached(self.cache)

    def forget(self) -> None:
        """Start with an empty cache: everything has to be read again."""
        self.batch.pending = []
        self.cache = self.model.new_cache()

    def rewind(self, length: int) -> None:
        """Keep the first `length` ids at most; a cache that can't be trimmed is emptied."""
        excess = self.length - length
        if excess > 0:
            self.batch.pending = []
        if excess > 0 and not (length and self.model.trim(self.cache, excess)):
            self.forget()

    def prefill(self, ids: Sequence[int], on_chunk: OnChunk = lambda _done, _total: True) -> bool:
        """Read ids in chunks of bounded time; False if `on_chunk` said to stop.

        What was read stays read: the cache then holds fewer ids than were given.
        """
        if ids:
            self.batch.pending = []
        read = prefill(self.model, self.cache, ids, on_chunk)
        self.read += read
        return read == len(ids) and on_chunk(read, len(ids))

    def measure(
        self, ids: Sequence[int], on_chunk: OnChunk = lambda _done, _total: True
    ) -> Generator[Choice]:
        """Read all ids but the last; a choice for each but the first, as it met the ones before.

        Like `prefill`, in memory bounded by a chunk; ends early if `on_chunk` says so.
        """
        self.batch.pending = []
        chunk, total = self.model.prefill_chunk, len(ids) - 1
        for start in range(0, total, chunk):
            if not on_chunk(start, total):
                return
            targets = ids[start + 1 : start + 1 + chunk]
            read = mx.array(list(ids[start : start + len(targets)]))
            try:
                with self.model.asking(self.cache, partial(on_chunk, start, total)):
                    step = self.model.step(read, self.cache, self.batch.reducer)
            except Stopped:
                return
            self.read += read.size
            attention = self.row.over_layers(step.attention)
            choices = choice.given(step.logits, attention, targets, self.row.sampler.scalars)
            if self._heads and step.attention is not None:
                heads = np.array(step.attention)[..., STATISTICS:].swapaxes(0, 1)
                choices = [one._replace(heads=of) for one, of in zip(choices, heads, strict=True)]
            mx.eval([layer.state for layer in self.cache])
            mx.clear_cache()
            yield from choices
        on_chunk(total, total)

    def begin(self, last: int) -> None:
        """Hand the step after the id `last`, which the cache doesn't hold yet, to the device."""
        self.read += 1
        self.batch.begin([last])

    def reconsider(
        self, force: int | None = None, redraw: int = 0, banned: tuple[int, ...] = ()
    ) -> None:
        """Decide on the step under way anew, see `Batch.reconsider`."""
        self.batch.reconsider(force, redraw, banned)

    def _decide_again(self) -> None:
        if (pending := self.pending) is not None:
            self.reconsider(pending.force, pending.redraw, pending.banned)

    def stages(self, pending: PendingStep) -> Stages:
        """How the proposal of a step came about."""
        logits, attention, keys = pending.distribution
        key = draw_key(self.row.seed, keys, pending.redraw)
        return self.row.sampler.stages(
            logits,
            self.row.over_layers(attention),
            keys,
            pending.state,
            key,
            pending.banned,
            None if pending.probe is None else pending.probe.measured(self.row),
        )

    def peek(self) -> Choice:
        """What the step under way proposes."""
        return self.batch.peek()

    def generate(
        self, last: int | None, max_tokens: int, force: Sequence[int] = ()
    ) -> Generator[Choice]:
        """Up to `max_tokens` choices after the id `last`; None goes on with the step under way.

        The first ones are the ids `force`. While the caller has a token, the step of the next one
        is under way and can be reconsidered. When the caller stops, the cache holds every id that
        was yielded, but for the last one if that was the last allowed.
        """
        if max_tokens < 1:
            return
        if last is not None:
            self.begin(last)
        given = list(force)
        for n in range(max_tokens):
            if given:
                self.reconsider(given.pop(0))
            more = n + 1 < max_tokens
            self.read += more
            yield from self.batch.land(more=more)
