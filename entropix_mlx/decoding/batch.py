"""The narrow waist: one core of two calls, for rows, of which there may be one.

One reads an id a row and gives distributions, the other makes proposals of them; neither waits.
`Batch.land` keeps one step in flight: while the caller looks at the rows' tokens, the device
computes those that follow.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.look_ahead import Probe
from entropix_mlx.decoding.row import STATISTICS, Row, State
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.decision import Decision
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_models import row_cache
from entropix_models.attention import Reducer
from entropix_models.errors import UnsupportedError
from entropix_models.language_model import Cache, LanguageModel

_CLEAR_EVERY = 256
"""Steps between two releases of MLX's unused buffers, which grow with the attention's length."""


class Distribution(NamedTuple):
    """The model's state after some ids, lazy.

    `logits` `[vocabulary]`; `attention` float32 `[layers, 4]` (order of `metrics.ATTENTION`), or
    `[layers, 4 + heads]`, or None; `keys`: how many ids were read in all.
    """

    logits: mx.array
    attention: mx.array | None
    keys: int


class PendingStep(NamedTuple):
    """A row's step that was handed to the device: a distribution, and what the sampler made of it.

    `state` is that before the step; `probe`: the steps after its candidates, if it looks ahead.
    `force`, `redraw` and `banned` say how it was decided, see `Batch.reconsider`.
    """

    distribution: Distribution
    state: State
    proposal: Decision
    force: int | None = None
    redraw: int = 0
    banned: tuple[int, ...] = ()
    probe: Probe | None = None


class Batch:
    """Rows that share each step of a model, and their cache. Belongs to the thread that made it.

    With `heads`, choices come with the entropy of every attention head.
    """

    def __init__(
        self, model: LanguageModel, rows: Sequence[Row], cache: Cache, *, heads: bool = False
    ) -> None:
        """`cache`: of so many rows, all of which capture or none."""
        self.model, self.rows, self.cache = model, list(rows), cache
        self.pending: list[PendingStep] = []
        """The rows' next tokens, if their step is under way: the cache holds all ids before it."""
        self._heads = heads
        self._last: list[int] = []
        """The ids that rows without a step under way, which are the last ones, read next."""
        self._steps = 0

    @property
    def reducer(self) -> Reducer | None:
        """What is made of a step's attention."""
        if not all(row.captures for row in self.rows):
            return None
        return partial(metrics.attention_statistics, by_head=self._heads)

    def advance(self, ids: mx.array) -> list[Distribution]:
        """Read `ids` (int `[rows, n]`, n >= 1); the distributions are of the tokens after them."""
        logits, statistics = self.model.step(ids, self.cache, self.reducer)
        keys = row_cache.lengths(self.cache)
        return [
            Distribution(
                logits[n, -1], None if statistics is None else statistics[:, n, -1], keys[n]
            )
            for n in range(len(self.rows))
        ]

    def decide(
        self, distributions: Sequence[Distribution], states: Sequence[State]
    ) -> list[PendingStep]:
        """Hand to the device what each row's sampler proposes, from the state that it is in.

        Rows that share a sampler are decided in one go.
        """
        made: dict[int, PendingStep] = {}
        groups: dict[Sampler, list[int]] = {}
        for n, row in enumerate(self.rows):
            groups.setdefault(row.sampler, []).append(n)
        for sampler, group in groups.items():
            if len(group) == 1:
                n = group[0]
                made[n] = self._alone(n, distributions[n], states[n])
                continue
            of = [distributions[n] for n in group]
            attention = [self.rows[n].over_layers(distributions[n].attention) for n in group]
            captured = [statistics for statistics in attention if statistics is not None]
            decisions = sampler.decide_rows(
                mx.stack([one.logits for one in of]),
                mx.stack(captured) if captured else None,
                [one.keys for one in of],
                [states[n] for n in group],
                [draw_key(self.rows[n].seed, distributions[n].keys) for n in group],
            )
            for n, decision in zip(group, decisions, strict=True):
                made[n] = PendingStep(distributions[n], states[n], decision)
        return _handed([made[n] for n in range(len(self.rows))])

    def begin(self, last: Sequence[int]) -> None:
        """Hand the step after each row's id `last`, which the cache doesn't hold yet, to the
        device.
        """
        ids = mx.array(list(last))[:, None]
        self.pending = self.decide(self.advance(ids), [row.state for row in self.rows])

    def land(self, *, more: bool = True) -> list[Choice]:
        """The tokens of the step under way; before the host waits for them, the next step is handed
        to the device, if there are to be `more`, or rows that joined. These have no choice yet.
        """
        landed, self.pending = self.pending, []
        proposals = [step.proposal for step in landed]
        if more or self._last:
            states = [made.state for made in proposals]
            states += [row.state for row in self.rows[len(landed) :]]
            self.pending = self.decide(self._next(landed), states)
        under_way = self.rows[: len(landed)]
        choices = [self._read(row, step) for row, step in zip(under_way, landed, strict=True)]
        for row, made, proposal in zip(under_way, choices, proposals, strict=True):
            row.state = proposal.state
            row.path.append(made.past)
        self._steps += 1
        if self._steps % _CLEAR_EVERY == 0:
            mx.clear_cache()
        return choices

    def _next(self, landed: Sequence[PendingStep]) -> list[Distribution]:
        """Read what is proposed, and what rows that joined read first; what has looked ahead has
        read it.
        """
        probe = landed[0].probe if landed else None
        if probe is None:
            ids = [step.proposal.token for step in landed]
            ids += [mx.array(id, mx.int32) for id in self._last]
            self._last = []
            return self.advance(mx.stack(ids)[:, None])
        logits, attention = probe.taken(self.cache, landed[0].proposal.token)
        return [Distribution(logits, attention, self.model.cached(self.cache))]

    def peek(self, row: int = 0) -> Choice:
        """What the step under way proposes."""
        return choice.drawn(self.pending[row].proposal, attention=self.rows[row].captures)

    def reconsider(
        self,
        force: int | None = None,
        redraw: int = 0,
        banned: tuple[int, ...] = (),
        *,
        row: int = 0,
    ) -> None:
        """Decide on a row's step under way anew.

        `force`: the id to take whatever would be drawn; `redraw`: another key than that of the
        draw (0); `banned`: ids that cannot be drawn here.
        """
        distribution, state = self.pending[row].distribution, self.pending[row].state
        made = self._alone(row, distribution, state, force, redraw, banned)
        (self.pending[row],) = _handed([made])

    def leave(self, rows: Sequence[int]) -> None:
        """Go on without some rows, whose step under way comes to nothing."""
        staying = [n for n in range(len(self.rows)) if n not in rows]
        begun = len(self.rows) - len(self._last)
        self.cache = row_cache.taken(self.cache, staying) if staying else []
        self._last = [self._last[n - begun] for n in staying if n >= begun]
        self.pending = [self.pending[n] for n in staying if n < begun] if self.pending else []
        self.rows = [self.rows[n] for n in staying]

    def join(self, rows: Sequence[Row], cache: Cache, last: Sequence[int]) -> None:
        """Have rows come with the next step, in which each reads its id of `last`; `cache` is
        theirs. All capture or none do, as those that are here.
        """
        self.cache = row_cache.joined(self.cache, cache) if self.rows else cache
        self.rows += rows
        self._last += last

    def _alone(
        self,
        n: int,
        distribution: Distribution,
        state: State,
        force: int | None = None,
        redraw: int = 0,
        banned: tuple[int, ...] = (),
    ) -> PendingStep:
        """What row number `n`'s sampler proposes; the rest as in `reconsider`."""
        row, (logits, attention, keys) = self.rows[n], distribution
        decide = partial(
            row.sampler.decide,
            logits,
            row.over_layers(attention),
            keys,
            state,
            draw_key(row.seed, keys, redraw),
            force,
            banned,
        )
        made, probe = decide(), None
        if count := row.settings.look_ahead:
            if len(self.rows) > 1:
                raise UnsupportedError("a row that looks ahead has no others beside it")
            likely = row.sampler.candidates(logits, count, banned)
            probe = Probe.of(self.model, self.cache, made, likely, self.reducer)
            made = decide(ahead=probe.measured(row))
        return PendingStep(distribution, state, made, force, redraw, banned, probe)

    def _read(self, row: Row, step: PendingStep) -> Choice:
        """The one place of the loop where the host waits for the device."""
        made = choice.drawn(step.proposal, attention=row.captures)
        if self._heads and (attention := step.distribution.attention) is not None:
            # Cut on the host: a kernel more would wait for the step that is under way.
            made = made._replace(heads=np.array(attention)[:, STATISTICS:])
        return made


def _handed(steps: list[PendingStep]) -> list[PendingStep]:
    """Have the device begin with what the host will ask for."""
    asked = [part for step in steps for part in (step.proposal.ints, step.proposal.floats)]
    asked += [part for step in steps for part in step.proposal.state]
    mx.async_eval(asked)  # type: ignore[no-untyped-call]
    return steps
