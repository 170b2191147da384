"""The narrow waist: one core of two calls, and the one loop over them.

`advance` reads ids and gives a distribution; `decide` makes a proposal of it. Neither waits. The
loop keeps one step in flight: while the caller looks at token n, the device computes token n+1.
"""

import dataclasses
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.decision import Decision
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Sampler, Stages, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.language_model import Cache, LanguageModel, Stopped

_CLEAR_EVERY = 256
"""Tokens between two releases of MLX's unused buffers, which grow with the attention's length."""

STATISTICS = len(metrics.ATTENTION)
"""So many statistics come before what is told of the heads."""

State = tuple[mx.array, ...]
"""A sampler's memory, which it alone can read."""

OnChunk = Callable[[int, int], bool]
"""Told `(done, total)` ids of a text that is being read; False stops the reading."""


class Distribution(NamedTuple):
    """The model's state after some ids, lazy.

    `logits` `[vocabulary]`; `attention` float32 `[layers, 4]` (order of `metrics.ATTENTION`), or
    `[layers, 4 + heads]`, or None; `keys`: how many ids were read in all.
    """

    logits: mx.array
    attention: mx.array | None
    keys: int


class PendingStep(NamedTuple):
    """A step that was handed to the device: a distribution, and what the sampler made of it.

    `state` is that before the step. `force`, `redraw` and `banned` say how it was decided, see
    `Decoder.reconsider`.
    """

    distribution: Distribution
    state: State
    proposal: Decision
    force: int | None = None
    redraw: int = 0
    banned: tuple[int, ...] = ()


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
    """A model, its cache and a sampler. Belongs to the thread that made it.

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
        self.split = split or calibration.split_of(settings.quadrants)
        """By which quadrants are told, for as long as the decoder lives."""
        self._quadrants = settings.quadrants
        self.seed = seed
        self._heads = heads
        self.cache = model.new_cache()
        self.path: list[Past] = []
        """What the sampler's state follows from."""
        self.read = 0
        """How many ids were read in all, whatever became of them."""
        self.captures = settings.capture
        statistics = partial(metrics.attention_statistics, by_head=heads)
        self._reducer = statistics if settings.capture else None
        self._vocabulary = Vocabulary.of(model.tokenizer, model.info.clarify)
        self.calibration = calibration
        self.pending: PendingStep | None = None
        """The next token's step, if it is under way: the cache holds all ids before that token."""
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Decide by other settings from the next token on.

        Whether to capture, and by which split quadrants are told, stays as it is.
        """
        settings = dataclasses.replace(settings, quadrants=self._quadrants)
        self._layers = settings.layer_indices(self.model.info.layers)
        self._sampler = Sampler(
            settings,
            self.calibration,
            self._vocabulary,
            attention=self.captures,
            split=self.split,
        )
        self.settings = self._sampler.settings
        self.remember(self.path)
        if self.pending is not None:
            self.pending = self.pending._replace(state=self.state)
        self._decide_again()

    @property
    def lacks(self) -> str | None:
        """What the settings ask for that this model cannot do, see `Settings.lacks`."""
        return self.settings.lacks(self._vocabulary)

    def remember(self, path: Sequence[Past]) -> None:
        """Be at the end of a path: the sampler's state follows from it alone."""
        self.path = list(path)
        self.state = self._sampler.state(self.path)

    def reseed(self, seed: int) -> None:
        """Draw by another seed from the next token on."""
        self.seed = seed
        self._decide_again()

    @property
    def length(self) -> int:
        """How many ids the cache holds."""
        return self.model.cached(self.cache)

    def forget(self) -> None:
        """Start with an empty cache: everything has to be read again."""
        self.pending = None
        self.cache = self.model.new_cache()

    def rewind(self, length: int) -> None:
        """Keep the first `length` ids at most; a cache that can't be trimmed is emptied."""
        excess = self.length - length
        if excess > 0:
            self.pending = None
        if excess > 0 and not (length and self.model.trim(self.cache, excess)):
            self.forget()

    def advance(self, ids: mx.array) -> Distribution:
        """Read `ids` (int `[n]`, n >= 1); the distribution is that of the token after them."""
        step = self.model.step(ids, self.cache, self._reducer)
        self.read += ids.size
        attention = None if step.attention is None else step.attention[:, -1]
        return Distribution(step.logits[-1], attention, self.length)

    def decide(
        self,
        distribution: Distribution,
        state: State,
        force: int | None = None,
        redraw: int = 0,
        banned: tuple[int, ...] = (),
    ) -> PendingStep:
        """Hand to the device what the sampler proposes; the rest as in `reconsider`."""
        logits, attention, keys = distribution
        attention, key = self._over_layers(attention), draw_key(self.seed, keys, redraw)
        made = self._sampler.decide(logits, attention, keys, state, key, force, banned)
        mx.async_eval(made.ints, made.floats, *made.state)  # type: ignore[no-untyped-call]
        return PendingStep(distribution, state, made, force, redraw, banned)

    def _over_layers(self, attention: mx.array | None) -> mx.array | None:
        """The statistics of `[layers, ...]`, averaged over the layers that the settings name."""
        if attention is None:
            return None
        statistics = attention[..., :STATISTICS]
        return mx.mean(statistics if self._layers is None else statistics[self._layers], axis=0)

    def prefill(self, ids: Sequence[int], on_chunk: OnChunk = lambda _done, _total: True) -> bool:
        """Read ids in chunks of bounded time; False if `on_chunk` said to stop.

        What was read stays read: the cache then holds fewer ids than were given.
        """
        if ids:
            self.pending = None
        read = prefill(self.model, self.cache, ids, on_chunk)
        self.read += read
        return read == len(ids) and on_chunk(read, len(ids))

    def measure(
        self, ids: Sequence[int], on_chunk: OnChunk = lambda _done, _total: True
    ) -> Generator[Choice]:
        """Read all ids but the last; a choice for each but the first, as it met the ones before.

        Like `prefill`, in memory bounded by a chunk; ends early if `on_chunk` says so.
        """
        self.pending = None
        chunk, total = self.model.prefill_chunk, len(ids) - 1
        for start in range(0, total, chunk):
            if not on_chunk(start, total):
                return
            targets = ids[start + 1 : start + 1 + chunk]
            read = mx.array(list(ids[start : start + len(targets)]))
            try:
                with self.model.asking(self.cache, partial(on_chunk, start, total)):
                    step = self.model.step(read, self.cache, self._reducer)
            except Stopped:
                return
            self.read += read.size
            attention = self._over_layers(step.attention)
            choices = choice.given(step.logits, attention, targets, self._sampler.scalars)
            if self._heads and step.attention is not None:
                heads = np.array(step.attention)[..., STATISTICS:].swapaxes(0, 1)
                choices = [one._replace(heads=of) for one, of in zip(choices, heads, strict=True)]
            mx.eval([layer.state for layer in self.cache])
            mx.clear_cache()
            yield from choices
        on_chunk(total, total)

    def begin(self, last: int) -> PendingStep:
        """Hand the step after the id `last`, which the cache doesn't hold yet, to the device."""
        self.pending = self.decide(self.advance(mx.array([last])), self.state)
        return self.pending

    def reconsider(
        self, force: int | None = None, redraw: int = 0, banned: tuple[int, ...] = ()
    ) -> None:
        """Decide on the step under way anew.

        `force`: the id to take whatever would be drawn; `redraw`: another key than that of the
        draw (0); `banned`: ids that cannot be drawn here.
        """
        assert self.pending is not None
        distribution, state = self.pending.distribution, self.pending.state
        self.pending = self.decide(distribution, state, force, redraw, banned)

    def _decide_again(self) -> None:
        if (pending := self.pending) is not None:
            self.reconsider(pending.force, pending.redraw, pending.banned)

    def stages(self, pending: PendingStep) -> Stages:
        """How the proposal of a step came about."""
        logits, attention, keys = pending.distribution
        key = draw_key(self.seed, keys, pending.redraw)
        return self._sampler.stages(
            logits, self._over_layers(attention), keys, pending.state, key, pending.banned
        )

    def peek(self) -> Choice:
        """What the step under way proposes."""
        assert self.pending is not None
        return self._read(self.pending.proposal)

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
            assert self.pending is not None
            landed, attention = self.pending.proposal, self.pending.distribution.attention
            self.pending = None
            if n + 1 < max_tokens:
                self.pending = self.decide(self.advance(landed.token[None]), landed.state)
            result = self._read(landed)
            if self._heads and attention is not None:
                # Cut on the host: a kernel more would wait for the step that is under way.
                result = result._replace(heads=np.array(attention)[:, STATISTICS:])
            self.state = landed.state
            self.path.append(result.past)
            if n % _CLEAR_EVERY == _CLEAR_EVERY - 1:
                mx.clear_cache()
            yield result

    def _read(self, decision: Decision) -> Choice:
        """The one place of the loop where the host waits for the device."""
        return choice.drawn(decision, attention=self.captures)
