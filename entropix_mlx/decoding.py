"""The narrow waist: one core of two calls, and the one loop over them.

`advance` reads ids and gives a distribution; `decide` makes a proposal of it. Both are lazy. The
loop keeps one step in flight: while the caller looks at token n, the device computes token n+1.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, cast

import mlx.core as mx

from entropix_mlx import metrics
from entropix_mlx.calibration import Calibration
from entropix_mlx.records import QUADRANTS, REGIONS, Quadrant, Region, Strategy
from entropix_mlx.sampling import Decision, Sampler, State, draw_key
from entropix_mlx.settings import Settings
from entropix_mlx.strategies import STRATEGIES
from entropix_models.language_model import LanguageModel

_CLEAR_EVERY = 256
"""Tokens between two releases of MLX's unused buffers, which grow with the attention's length."""


class Distribution(NamedTuple):
    """The model's state after some ids, lazy.

    `logits` `[vocabulary]`; `attention` float32 `[4]` (order of `metrics.ATTENTION`) or None;
    `keys`: how many ids were read in all.
    """

    logits: mx.array
    attention: mx.array | None
    keys: int


class Choice(NamedTuple):
    """A decision as host values: what a token record says, but for text, places and times.

    `candidates`: `(id, log-probability, final probability)`, most likely first, the chosen one
    last if it is not among them. Attention metrics are None where they were not measured.
    """

    id: int
    rank: int
    logprob: float
    entropy: float
    varentropy: float
    attention: tuple[float, float, float, float] | None
    quadrant: Quadrant
    region: Region
    strategy: Strategy | None
    forced: bool
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    candidates: list[tuple[int, float, float]]


class Decoder:
    """A model, its cache and a sampler. Belongs to the thread that made it."""

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        calibration: Calibration,
        seed: int,
    ) -> None:
        self.model = model
        self.seed = seed
        self.cache = model.new_cache()
        self.state = State.start()
        self._calibration = calibration
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Decide by other settings from the next proposal on."""
        clarify = tuple(self.model.tokenizer.encode(self.model.facts.clarify))
        self._captures = settings.capture
        self._layers = settings.layer_indices(self.model.facts.layers)
        self._sampler = Sampler(settings, self._calibration, clarify, attention=settings.capture)
        self.settings = self._sampler.settings

    @property
    def length(self) -> int:
        """How many ids the cache holds."""
        return self.model.cached(self.cache)

    def forget(self) -> None:
        """Start with an empty cache: everything has to be read again."""
        self.cache = self.model.new_cache()

    def advance(self, ids: mx.array) -> Distribution:
        """Read `ids` (int `[n]`, n >= 1); the distribution is that of the token after them."""
        reducer = metrics.attention_statistics if self._captures else None
        step = self.model.step(ids, self.cache, reducer)
        attention = step.attention
        if attention is not None:
            last = attention[:, -1] if self._layers is None else attention[self._layers, -1]
            attention = mx.mean(last, axis=0)
        return Distribution(step.logits[-1], attention, self.length)

    def decide(self, distribution: Distribution, state: State, key: mx.array) -> Decision:
        return self._sampler.decide(
            distribution.logits, distribution.attention, distribution.keys, state, key
        )

    def prefill(
        self, ids: Sequence[int], on_chunk: Callable[[int, int], bool] = lambda _done, _total: True
    ) -> bool:
        """Read ids in chunks of bounded time; False if `on_chunk(done, total)` said to stop.

        What was read stays read: the cache then holds fewer ids than were given.
        """
        chunk = self.model.prefill_chunk
        for start in range(0, len(ids), chunk):
            if not on_chunk(start, len(ids)):
                return False
            self.model.step(mx.array(list(ids[start : start + chunk])), self.cache)
            mx.eval([layer.state for layer in self.cache])
            mx.clear_cache()
        return on_chunk(len(ids), len(ids))

    def generate(self, last: int, max_tokens: int) -> Generator[Choice]:
        """Up to `max_tokens` choices after the id `last`, which the cache doesn't hold yet.

        When the caller stops, the cache holds every id that was yielded, but for the last one
        if that was the last allowed.
        """
        if max_tokens < 1:
            return
        flight = self._propose(mx.array([last]), self.state)
        for n in range(max_tokens):
            landed = flight
            if n + 1 < max_tokens:
                flight = self._propose(landed.token[None], landed.state)
            choice = self._read(landed)
            self.state = landed.state
            if n % _CLEAR_EVERY == _CLEAR_EVERY - 1:
                mx.clear_cache()
            yield choice

    def _propose(self, ids: mx.array, state: State) -> Decision:
        distribution = self.advance(ids)
        proposal = self.decide(distribution, state, draw_key(self.seed, distribution.keys))
        mx.async_eval(proposal.ints, proposal.floats, *proposal.state)  # type: ignore[no-untyped-call]
        return proposal

    def _read(self, decision: Decision) -> Choice:
        """The one place where the host waits for the device."""
        ints: list[Any] = cast("list[Any]", decision.ints.tolist())
        floats: list[Any] = cast("list[Any]", decision.floats.tolist())
        token, rank, quadrant, region, strategy, forced, top_k, *listed = ints
        logprob, p = floats[9:11]
        listed_logprobs = floats[11 : 11 + len(listed)]
        candidates = list(zip(listed, listed_logprobs, floats[11 + len(listed) :], strict=True))
        if token not in listed:
            candidates.append((token, logprob, p))
        drawn = not forced and STRATEGIES[strategy] != "greedy"
        return Choice(
            id=token,
            rank=rank,
            logprob=logprob,
            entropy=floats[0],
            varentropy=floats[1],
            attention=(floats[2], floats[3], floats[4], floats[5]) if self._captures else None,
            quadrant=QUADRANTS[quadrant],
            region=REGIONS[region],
            strategy="clarify" if forced else STRATEGIES[strategy],
            forced=bool(forced),
            temperature=floats[6] if drawn else None,
            top_k=top_k if drawn else None,
            top_p=floats[7] if drawn else None,
            min_p=floats[8] if drawn else None,
            candidates=candidates,
        )
