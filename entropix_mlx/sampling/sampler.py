"""From a distribution to a decision: pure functions, branch-free, without host synchronisation."""

import dataclasses
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple, cast

import mlx.core as mx

from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.sampling import draw, metrics
from entropix_mlx.sampling.calibration import METRICS, Calibration
from entropix_mlx.sampling.decision import Decision, Floats, Ints, forces, packed
from entropix_mlx.sampling.draw import Outcome, Scalars, Seen
from entropix_mlx.sampling.filters import Stage
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings, Support
from entropix_mlx.sampling.support import CANDIDATES, Ban, Places, ban_of, places_of
from entropix_mlx.sampling.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Program:
    """What is fixed when a decision is compiled; everything else is an argument."""

    sampler: type[Settings]
    fixed: Hashable
    support: Support
    attention: bool
    looks_ahead: bool = False


class _Given(NamedTuple):
    """What a decision is made from: `logits` `[1, vocabulary]`, `attention` float32 `[4]`, `keys`
    float32, `key` uint32 `[2]`, `forced` int32: the user's id, -1 for none; `ahead` float32
    `[candidates, 6]`: what would be measured after each of the most likely, if that counts.
    """

    logits: mx.array
    attention: mx.array
    keys: mx.array
    key: mx.array
    forced: mx.array
    ahead: mx.array


class Sampler:
    """A preset bound to a model's calibration."""

    def __init__(
        self,
        settings: Settings,
        calibration: Calibration,
        vocabulary: Vocabulary,
        *,
        attention: bool,
        split: QuadrantSplit | None = None,
    ) -> None:
        """`split`: by which quadrants are told, if not by the one that the settings name."""
        bound = settings.bind(calibration)
        self.settings = bound
        self._vocabulary = vocabulary
        size, ordered = bound.support()
        support = Support(size and max(CANDIDATES, size), ordered)
        program = _Program(type(bound), bound.fixed(vocabulary), support, attention)
        self._program = program
        # Nothing is compiled on the CPU (devices.choose says why), whoever chose it.
        on_gpu = mx.default_device().type == mx.gpu
        self._decide = _compiled(program) if on_gpu else partial(_decide, program)
        looking = dataclasses.replace(program, looks_ahead=True)
        self._decide_ahead = _compiled(looking) if on_gpu else partial(_decide, looking)
        self._decide_rows = _compiled(program, rows=True) if on_gpu else _over_rows(program)
        of_split = draw.split_scalars(split or calibration.split_of(bound.quadrants))
        scalars = {**bound.scalars(calibration), **of_split}
        self.scalars: Scalars = {n: mx.array(value, mx.float32) for n, value in scalars.items()}

    def state(self, path: Sequence[Past]) -> tuple[mx.array, ...]:
        """The memory at the end of a path."""
        return self.settings.state(path, self._vocabulary)

    def decide(
        self,
        logits: mx.array,
        attention: mx.array | None,
        keys: int,
        state: tuple[mx.array, ...],
        key: mx.array,
        force: int | None = None,
        banned: Sequence[int] = (),
        ahead: mx.array | None = None,
    ) -> Decision:
        """Decide on one token.

        `logits` `[vocabulary]`; `attention` float32 `[4]`, or None where none was measured;
        `keys`: how many the last query attended to; `key` uint32 `[2]` (see `draw_key`); `force`:
        the id that the user wants, whatever would be drawn; `banned`: ids that cannot be drawn, and
        count for nothing in what the filters see; `ahead` float32 `[n, 6]`: what would be measured
        after each of the `candidates`. All other measures are of the raw distribution.
        """
        given = _given(logits, attention, keys, key, force)
        decide, looks = self._decide, ahead is not None
        if ahead is not None:
            given, decide = given._replace(ahead=ahead), self._decide_ahead
        if banned:  # rare, and as long as it likes: not worth a compiled program
            program = dataclasses.replace(self._program, looks_ahead=looks)
            made = _decide(program, given, state, self.scalars, ban_of(logits, banned))
        else:
            made = decide(given, state, self.scalars)
        token, ints, floats, *new = made
        return Decision(token, ints, floats, tuple(new), self._program.sampler)

    def candidates(self, logits: mx.array, n: int, banned: Sequence[int] = ()) -> mx.array:
        """The `n` most likely ids that can be drawn, int32, in order."""
        ban = ban_of(logits, banned) if banned else None
        return places_of(Support(n), logits[None], ban, logits).ids[:n]

    def decide_rows(
        self,
        logits: mx.array,
        attention: mx.array | None,
        keys: Sequence[int],
        states: Sequence[tuple[mx.array, ...]],
        draw_keys: Sequence[mx.array],
    ) -> list[Decision]:
        """`decide` on a token of each of several rows in one go, each as it would be alone.

        `logits` `[rows, vocabulary]`; `attention` float32 `[rows, 4]`; the rest one a row.
        """
        rows = len(logits)
        given = _Given(
            logits[:, None],
            mx.zeros((rows, 4)) if attention is None else attention,
            mx.array(list(keys), mx.float32),
            mx.stack(list(draw_keys)),
            mx.full((rows,), -1),
            mx.zeros((rows, 1, len(METRICS))),
        )
        state = tuple(map(mx.stack, map(list, zip(*states, strict=True))))
        made = self._decide_rows(given, state, self.scalars)
        tokens, ints, floats, *new = made
        return [
            Decision(
                tokens[n], ints, floats, tuple(part[n] for part in new), self._program.sampler, n
            )
            for n in range(rows)
        ]

    def stages(
        self,
        logits: mx.array,
        attention: mx.array | None,
        keys: int,
        state: tuple[mx.array, ...],
        key: mx.array,
        banned: Sequence[int] = (),
        ahead: mx.array | None = None,
    ) -> "Stages":
        """How `decide` comes to its token; `state` is the one that it is given."""
        given, program = _given(logits, attention, keys, key, None), self._program
        if ahead is not None:
            given = given._replace(ahead=ahead)
            program = dataclasses.replace(program, looks_ahead=True)
        ban = ban_of(logits, banned) if banned else None
        measured, _, odds = _measured(given.logits, given.attention)
        places = places_of(self._program.support, given.logits, ban, odds)
        outcome = _stepped(program, given, places, measured, state, self.scalars)
        everything = dataclasses.replace(program, support=Support(None))  # which is in order
        all_ = places_of(everything.support, given.logits, ban, odds)
        whole = _stepped(everything, given, all_, measured, state, self.scalars)
        return Stages(outcome, places.ids, all_.ids, whole.stages)


class Stages(NamedTuple):
    """How one decision came about, lazy.

    `outcome` is over the `ids` that can be drawn; `stages` are over `order`, the whole vocabulary.
    """

    outcome: Outcome
    ids: mx.array
    order: mx.array
    stages: tuple[Stage, ...]


_Deciding = Callable[..., tuple[mx.array, ...]]


@cache
def _compiled(program: _Program, *, rows: bool = False) -> _Deciding:
    """The decision as one graph of fixed shapes, for one row or several."""
    decide = _over_rows(program) if rows else partial(_decide, program)
    return cast("_Deciding", mx.compile(decide))


def _over_rows(program: _Program) -> _Deciding:
    """`_decide` with a leading axis for rows in everything but the scalars that they share."""
    return mx.vmap(partial(_decide, program), in_axes=(0, 0, None))


def _decide(
    program: _Program,
    given: _Given,
    state: tuple[mx.array, ...],
    p: Scalars,
    ban: Ban | None = None,
) -> tuple[mx.array, ...]:
    """Token, ints, floats and the next state's arrays, as `Decision` describes them."""
    given = _Given(*given)  # a plain tuple, where it was compiled
    logits = given.logits
    measured, log_normaliser, odds = _measured(logits, given.attention)
    drawable = places_of(program.support, logits, ban, odds)
    ids, listed, places = drawable.ids, drawable.listed, drawable.places
    outcome = _stepped(program, given, drawable, measured, state, p)
    token, forced = _forced(program, given.forced, ids[outcome.chosen], outcome.inserted)
    named = mx.concatenate([token[None], listed])
    log_p = logits[0][named].astype(mx.float32) - log_normaliser
    ints = Ints(
        id=token,
        rank=metrics.rank(logits, token[None])[0],
        quadrant=draw.quadrant(measured[0], measured[1], p),
        region=outcome.region,
        strategy=outcome.strategy,
        forced=forced,
        top_k=outcome.params.top_k,
        listed=listed,
    )
    final = outcome.final
    floats = Floats(
        temperature=outcome.params.temperature,
        top_p=outcome.params.top_p,
        min_p=outcome.params.min_p,
        logprob=log_p[0],
        p=mx.where(forced > 0, 1.0, final[outcome.chosen]),
        measured=measured,
        logprobs=log_p[1:],
        ps=mx.where(forced > 0, (listed == token).astype(mx.float32), final[places]),
        measures=outcome.measures,
    )
    return token, packed(ints, mx.int32), packed(floats, mx.float32), *outcome.state


def _measured(logits: mx.array, attention: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Float32 `[6]` in the order of `METRICS`, the log-sum-exp of the logits, and the odds."""
    entropy, varentropy, log_normaliser, odds = (x[0] for x in metrics.moments(logits))
    return mx.concatenate([mx.stack([entropy, varentropy]), attention]), log_normaliser, odds


def _stepped(
    program: _Program,
    given: _Given,
    places: Places,
    measured: mx.array,
    state: tuple[mx.array, ...],
    p: Scalars,
) -> Outcome:
    """What the sampler makes of what can be drawn."""
    return program.sampler.step(
        Seen(
            ids=places.ids,
            logits=places.logits,
            odds=places.odds,
            ordered=program.support.ordered,
            measured=measured,
            attention=program.attention,
            keys=given.keys,
            key=given.key,
            given=given.forced,
            state=state,
            p=p,
            fixed=program.fixed,
            ahead=given.ahead if program.looks_ahead else None,
        )
    )


def _forced(
    program: _Program, given: mx.array, drawn: mx.array, inserted: mx.array | None
) -> tuple[mx.array, mx.array]:
    """Token, and what forced it, a number in `forces`. What the user gives comes first."""
    _, user, own = range(len(forces(program.sampler)))
    taken = given >= 0
    token, forced = mx.where(taken, given, drawn), mx.where(taken, user, 0)
    if inserted is not None:
        inserts = inserted >= 0
        token, forced = mx.where(inserts, inserted, token), mx.where(inserts, own, forced)
    return token, forced


def draw_key(seed: int, depth: int, redraw: int = 0, branch: int = 0) -> mx.array:
    """The random key of one draw, uint32 `[2]`, from its place alone.

    So rewinding, forking, forcing and batching need no stored keys.
    """
    place = f"{seed}/{depth}/{redraw}/{branch}".encode()
    digest = hashlib.blake2b(place, digest_size=8).digest()
    return mx.array([int.from_bytes(digest[:4]), int.from_bytes(digest[4:])], mx.uint32)


def _given(
    logits: mx.array, attention: mx.array | None, keys: int, key: mx.array, force: int | None
) -> _Given:
    return _Given(
        logits[None],
        mx.zeros(4) if attention is None else attention,
        mx.array(keys, mx.float32),
        key,
        mx.array(-1 if force is None else force),
        mx.zeros((1, len(METRICS))),
    )
