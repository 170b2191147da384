"""From a distribution to a decision: pure functions, branch-free, without host synchronisation."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple, cast

import mlx.core as mx

from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import metrics, strategies
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.filters import Filtered, best_of, filtered
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.state import FORCED, LONG_AGO, State
from entropix_mlx.sampling.strategies import SamplingParams

CANDIDATES = 8
"""How many of the most likely tokens a decision lists."""


class Decision(NamedTuple):
    """What a sampler made of one distribution, lazy.

    `token` int32 `[]`. `ints` int32: id, rank, quadrant, region, strategy, forced, top-k used,
    then the candidates' ids. `floats` float32: entropy, varentropy, the four attention metrics,
    temperature, top-p and min-p used, log-probability and final probability of the token, then
    the candidates' log-probabilities and final probabilities.
    """

    token: mx.array
    ints: mx.array
    floats: mx.array
    state: State


@dataclass(frozen=True)
class _Program:
    """What is fixed when a decision is compiled; everything else is an argument.

    `support` and `ordered` are those of `_support`.
    """

    entropix: bool
    greedy: bool
    literal: bool
    attention: bool
    draws: int
    support: int | None
    ordered: bool
    clarify: tuple[int, ...]


class Sampler:
    """A preset bound to a model's calibration."""

    def __init__(
        self,
        settings: Settings,
        calibration: Calibration,
        clarify: tuple[int, ...],
        *,
        attention: bool,
    ) -> None:
        bound = settings.bind(calibration)
        self.settings = bound
        support, ordered = _support(bound)
        self._program = program = _Program(
            entropix=bound.is_entropix,
            greedy=bound.temperature is None,
            literal=bound.is_literal,
            attention=attention,
            draws=bound.draws or 1,
            support=support,
            ordered=ordered,
            clarify=clarify if bound.clarify else (),
        )
        # Nothing is compiled on the CPU (devices.choose says why), whoever chose it.
        on_gpu = mx.default_device().type == mx.gpu
        self._decide = _compiled(program) if on_gpu else partial(_decide, program)
        self._parameters = strategies.parameters(bound, calibration)

    def decide(
        self,
        logits: mx.array,
        attention: mx.array | None,
        keys: int,
        state: State,
        key: mx.array,
        force: int | None = None,
        banned: Sequence[int] = (),
    ) -> Decision:
        """Decide on one token.

        `logits` `[vocabulary]`; `attention` float32 `[4]`, or None where none was measured;
        `keys`: how many the last query attended to; `key` uint32 `[2]` (see `draw_key`); `force`:
        the id that the user wants, whatever would be drawn; `banned`: ids that cannot be drawn, and
        count for nothing in what the filters see. All measures are of the raw distribution.
        """
        arguments = (
            logits[None],
            mx.zeros(4) if attention is None else attention,
            mx.array(keys, mx.float32),
            self._parameters,
            *state,
            key,
            mx.array(-1 if force is None else force),
        )
        if banned:  # rare, and as long as it likes: not worth a compiled program
            forbidden = _forbidden(logits, banned)
            token, ints, floats, counts, means = _decide(
                self._program, *arguments, forbidden, len(banned)
            )
        else:
            token, ints, floats, counts, means = self._decide(*arguments)
        return Decision(token, ints, floats, State(counts, means))

    def stages(
        self,
        logits: mx.array,
        keys: int,
        state: State,
        key: mx.array,
        banned: Sequence[int] = (),
    ) -> "Stages":
        """How `decide` came to its token; `state` is the one that it returned."""
        program, p = self._program, self._parameters
        region, draw = _intended(program, state.means, mx.array(keys, mx.float32), p)
        forbidden = _forbidden(logits, banned) if banned else None
        ids, values, _, _ = _supported(program, logits[None], forbidden, len(banned))
        left, drawn, chosen, final = _drawn(program, draw, values, key)
        return Stages(region, draw, ids, values, left, drawn, chosen, final)


class Stages(NamedTuple):
    """How one decision came about, lazy; everything over the ids that can be drawn.

    `ids`, `logits` `[support]`; `left`: what the filters left, None for greedy; `drawn`: the places
    drawn, in their order, `chosen` the one taken; `final` `[support]`: each one's probability.
    """

    region: mx.array
    draw: SamplingParams
    ids: mx.array
    logits: mx.array
    left: Filtered | None
    drawn: mx.array
    chosen: mx.array
    final: mx.array


def _support(settings: Settings) -> tuple[int | None, bool]:
    """How many of the most likely tokens can be drawn (None = all), and whether in order.

    Only a nucleus without top-k, or an enormous top-k, makes the whole vocabulary be sorted.
    """
    top_k = settings.top_k or 0
    if settings.temperature is None:
        return CANDIDATES, True
    if settings.is_entropix:  # the guide's formulas widen the base by up to a half
        return max(128, top_k * 3 // 2), True
    if 0 < top_k <= 1024:
        return max(CANDIDATES, top_k), True
    return None, top_k > 0 or (settings.top_p or 1.0) < 1


@cache
def _compiled(program: _Program) -> Callable[..., tuple[mx.array, ...]]:
    """The decision as one graph of fixed shapes."""
    return cast("Callable[..., tuple[mx.array, ...]]", mx.compile(partial(_decide, program)))


def _decide(
    program: _Program,
    logits: mx.array,
    attention: mx.array,
    keys: mx.array,
    p: strategies.Parameters,
    counts: mx.array,
    means: mx.array,
    key: mx.array,
    given: mx.array,
    forbidden: mx.array | None = None,
    more: int = 0,
) -> tuple[mx.array, ...]:
    """Token, ints, floats and the next state, as `Decision` describes them.

    `forbidden` float32 `[vocabulary]`: -inf where an id is banned, else 0; `more`: how many are.
    """
    entropy, varentropy, log_normaliser = (x[0] for x in metrics.moments(logits))
    measured = mx.concatenate([mx.stack([entropy, varentropy]), attention])
    means = mx.where(counts[2] == 0, measured, p["rolling"] * measured + (1 - p["rolling"]) * means)
    region, draw = _intended(program, means, keys, p)
    ids, values, listed, places = _supported(program, logits, forbidden, more)
    _, _, chosen, final = _drawn(program, draw, values, key)
    token, forced, counts = _force(program, ids[chosen], given, region, counts)
    named = mx.concatenate([token[None], listed])
    log_p_named = logits[0][named].astype(mx.float32) - log_normaliser
    listed_p = final[places]
    own_p = mx.where(forced > 0, 1.0, final[chosen])
    listed_p = mx.where(forced > 0, (listed == token).astype(mx.float32), listed_p)
    ints = mx.concatenate(
        [
            mx.stack(
                [
                    token,
                    metrics.rank(logits, token[None])[0],
                    strategies.quadrants(entropy, varentropy, p),
                    region,
                    draw.strategy,
                    forced,
                    draw.top_k,
                ]
            ).astype(mx.int32),
            listed,
        ]
    )
    floats = mx.concatenate(
        [
            measured,
            mx.stack([draw.temperature, draw.top_p, draw.min_p]),
            log_p_named[:1],
            own_p[None],
            log_p_named[1:],
            listed_p,
        ]
    )
    return token, ints, floats, counts, means


def _intended(
    program: _Program, means: mx.array, keys: mx.array, p: strategies.Parameters
) -> tuple[mx.array, SamplingParams]:
    """The region that the metrics fall into, and how it wants the token drawn."""
    region = strategies.regions(means[0], means[1], p)
    if program.greedy:
        return region, SamplingParams(
            mx.array(strategies.GREEDY), *(mx.array(0.0) for _ in range(4))
        )
    if program.entropix:
        draw = strategies.entropix_draw(
            region, means, keys, p, has_attention=program.attention, literal=program.literal
        )
        return region, draw
    base = (p["temperature"], p["top_k"], p["top_p"], p["min_p"])
    return region, SamplingParams(mx.array(strategies.SAMPLE), *base)


def _supported(
    program: _Program, logits: mx.array, forbidden: mx.array | None, more: int
) -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """Ids and logits that can be drawn; the most likely ids, and where they stand among them."""
    if program.support is None and not program.ordered:
        ids, values = mx.arange(logits.shape[-1], dtype=mx.int32), logits[0]
        values = values.astype(mx.float32)
    else:
        size = min((program.support or logits.shape[-1]) + more, logits.shape[-1])
        top_ids, top_values = metrics.top(logits, size)
        ids, values = top_ids[0], top_values[0]
    listed, places = _candidates(program, logits, ids)
    if forbidden is not None:
        values = values + forbidden[ids]
        if program.ordered:
            order = mx.argsort(-values)
            ids, values, places = ids[order], values[order], mx.argsort(order)[places]
    return ids, values, listed, places


def _drawn(
    program: _Program, draw: SamplingParams, values: mx.array, key: mx.array
) -> tuple[Filtered | None, mx.array, mx.array, mx.array]:
    """What the filters left, the places drawn, the one chosen, and each place's probability."""
    if program.greedy:
        return None, mx.array([0]), mx.array(0), _one_hot(0, values.shape[0])
    left = filtered(values, draw, ordered=program.ordered)
    log_p = left.log_p
    drawn = mx.random.categorical(log_p, num_samples=program.draws, key=key)
    final = mx.exp(log_p)
    if not program.entropix:
        return left, drawn, drawn[0], final
    middle, greedy = draw.strategy == strategies.ADAPTIVE, draw.strategy == strategies.GREEDY
    # Scores are log p plus a confidence that all candidates of a step share, so the best of the
    # drawn is the one that comes first in the order.
    chosen = mx.where(middle, mx.min(drawn), drawn[0])
    final = best_of(final, mx.where(middle, program.draws, 1))
    final = mx.where(greedy, _one_hot(0, values.shape[0]), final)
    return left, drawn, mx.where(greedy, 0, chosen), final


def _candidates(program: _Program, logits: mx.array, ids: mx.array) -> tuple[mx.array, mx.array]:
    """The most likely ids, and where they stand in the support."""
    if program.ordered:
        return ids[:CANDIDATES], mx.arange(min(CANDIDATES, ids.shape[0]))
    listed = metrics.top(logits, min(CANDIDATES, logits.shape[-1]))[0][0]
    return listed, listed


def _force(
    program: _Program, drawn: mx.array, given: mx.array, region: mx.array, counts: mx.array
) -> tuple[mx.array, mx.array, mx.array]:
    """Token, what forced it (an index into `FORCED`), and the new counts.

    What the user gives comes first. In HELV, if none of the last n ids was a forced clarifying
    one (n = the text's length), all n are forced, one a step.
    """
    n = len(program.clarify)
    since, position, steps = counts[0], counts[1], counts[2]
    taken = given >= 0
    token = mx.where(taken, given, drawn)
    since = mx.minimum(since + 1, LONG_AGO)
    forced = mx.where(taken, FORCED.index("user"), 0)
    if n and program.entropix:
        begins = (position == 0) & (region == REGIONS.index("HELV")) & (counts[0] >= n)
        clarifying = (begins | (position > 0)) & ~taken
        text = mx.array(program.clarify, mx.int32)
        token = mx.where(clarifying, text[position], token)
        forced = mx.where(clarifying, FORCED.index("clarify"), forced)
        position = mx.where(clarifying, (position + 1) % n, 0)
        since = mx.where(clarifying, 0, since)
    return token, forced, mx.stack([since, position, steps + 1])


def draw_key(seed: int, depth: int, redraw: int = 0, branch: int = 0) -> mx.array:
    """The random key of one draw, uint32 `[2]`, from its place alone.

    So rewinding, forking, forcing and batching need no stored keys.
    """
    place = f"{seed}/{depth}/{redraw}/{branch}".encode()
    digest = hashlib.blake2b(place, digest_size=8).digest()
    return mx.array([int.from_bytes(digest[:4]), int.from_bytes(digest[4:])], mx.uint32)


def _forbidden(logits: mx.array, banned: Sequence[int]) -> mx.array:
    return mx.zeros(logits.shape[-1]).at[mx.array(list(banned))].add(-mx.inf)


def _one_hot(index: int, size: int) -> mx.array:
    return (mx.arange(size) == index).astype(mx.float32)
