"""Whether a sampler keeps to what every sampler is held to: anybody can run it on one of their own.

On made-up logits without a model. What it finds is told in sentences, the right and the wrong.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.analysis.explain import why
from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL
from entropix_mlx.sampling.parameters import Number
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_mlx.session.resume import settings_of
from entropix_models.errors import EntropixError

_IDS, _ROWS, _DRAWS, _KEYS = 24, 12, 3000, 10
_ATTENTION = (2.5, 1.0, 0.5, 4.0)
_FAR = 4.5
"""Standard deviations that no right sampler is off by: 3 in a million."""


class Finding(NamedTuple):
    """`wrong`: what is, None if nothing is."""

    what: str
    wrong: str | None


def examine(settings: Settings) -> Iterator[Finding]:
    """Each rule, and what is wrong with it."""
    bench = _Bench(settings)
    for what, rule in _RULES.items():
        try:
            yield Finding(what, rule(bench))
        except EntropixError as error:
            yield Finding(what, str(error))
        except Exception as error:
            yield Finding(what, " ".join(f"{type(error).__name__}: {error}".split()))


class _Bench:
    """A sampler, and rows of logits from even ones to steep ones."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sampler = Sampler(settings, PROVISIONAL, Vocabulary(), attention=True)
        spread = np.linspace(0.02, 6, _ROWS)[:, None]
        rows = np.random.default_rng(4).normal(0, 1, (_ROWS, _IDS)) * spread
        self.rows = [mx.array(row.astype(np.float32)) for row in rows]

    def decided(self, logits: mx.array, key: mx.array, *state: mx.array) -> tuple[mx.array, ...]:
        """Ints, floats and the next state of one row."""
        made = self.sampler.decide(logits, mx.array(_ATTENTION), _KEYS, state, key)
        return made.ints, made.floats, *made.state

    def at(self, row: int, state: tuple[mx.array, ...], key: int) -> tuple[mx.array, ...]:
        """What `decided` is given."""
        return self.rows[row], draw_key(6, key), *state

    def path(self) -> tuple[list[Choice], list[tuple[mx.array, ...]]]:
        """Choices along the rows, and the state after each."""
        state, found, states = self.sampler.state(()), [], []
        for n, row in enumerate(self.rows):
            attention = mx.array(_ATTENTION)
            decision = self.sampler.decide(row, attention, _KEYS, state, draw_key(3, n))
            state = decision.state
            found.append(choice.drawn(decision, attention=True))
            states.append(state)
        return found, states

    def draws(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids `[draws]`, and the probabilities that each was drawn by, `[draws, ids]`."""
        state = self.sampler.state(())

        def drawn(key: mx.array) -> tuple[mx.array, mx.array]:
            seen = self.sampler.stages(self.rows[row], mx.array(_ATTENTION), _KEYS, state, key)
            return seen.ids[seen.outcome.chosen], seen.outcome.final

        keys = mx.stack([draw_key(11, n) for n in range(_DRAWS)])
        ids = np.array(
            self.sampler.stages(self.rows[row], mx.array(_ATTENTION), _KEYS, state, keys[0]).ids
        )
        tokens, final = (np.array(each) for each in mx.vmap(drawn)(keys))
        finals = np.zeros((_DRAWS, _IDS))
        finals[:, ids] = final
        return tokens, finals


def _finite(bench: _Bench) -> str | None:
    for n, one in enumerate(bench.path()[0]):
        ps = [p for _, _, p in one.candidates]
        if not all(math.isfinite(p) and 0 <= p <= 1 + 1e-5 for p in ps):
            return f"row {n}: its final probabilities are {ps}"
    return None


def _kept(bench: _Bench) -> str | None:
    for row in range(0, _ROWS, 3):
        tokens, finals = bench.draws(row)
        if abs(finals.sum(axis=1) - 1).max() > 1e-4:
            return f"row {row}: final probabilities add up to {finals.sum(axis=1)[0]:.6f}"
        drawn = finals[np.arange(_DRAWS), tokens]
        if (drawn <= 0).any():
            return f"row {row}: id {tokens[drawn.argmin()]} was drawn, whose probability is 0"
    return None


def _frequent(bench: _Bench) -> str | None:
    """Pearson's statistic, made normal as Wilson and Hilferty did."""
    for row in range(0, _ROWS, 3):
        tokens, finals = bench.draws(row)
        observed = np.bincount(tokens, minlength=_IDS).astype(float)
        expected = finals.sum(axis=0)
        often = expected >= 5
        f, e = (np.append(x[often], x[~often].sum()) for x in (observed, expected))
        f, e = f[e >= 1], e[e >= 1]
        if (degrees := len(f) - 1) < 1:
            continue
        statistic = (((f - e) ** 2) / e).sum() / degrees
        off = (statistic ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
        if off > _FAR:
            return f"row {row}: of {_DRAWS} draws not as many as told ({off:.1f} deviations off)"
    return None


def _best(bench: _Bench) -> str | None:
    if bench.settings.takes_best:
        return None  # it says so
    for n, one in enumerate(bench.path()[0]):
        if one.forced is None and one.candidates[0][2] <= 0:
            return f"row {n}: the most likely token cannot be drawn, and takes_best is not declared"
    return None


def _mapped(bench: _Bench) -> str | None:
    states = bench.path()[1]
    given = [bench.at(row, states[row], row) for row in range(0, _ROWS, 4)]
    alone = [bench.decided(*one) for one in given]
    rows = mx.vmap(bench.decided)(*(mx.stack(list(each)) for each in zip(*given, strict=True)))
    for part, each in zip(rows, zip(*alone, strict=True), strict=True):
        if part.tolist() != [one.tolist() for one in each]:
            return "three rows mapped by mx.vmap are not what each is alone, bit for bit"
    return None


def _compiled(bench: _Bench) -> str | None:
    states, compiled = bench.path()[1], mx.compile(bench.decided)
    for row in range(0, _ROWS, 3):
        given = bench.at(row, states[row], row)
        (ints, floats, *_), (others, near, *_) = bench.decided(*given), compiled(*given)
        if ints.tolist() != others.tolist() or not mx.allclose(floats, near, atol=1e-4).item():
            return f"row {row}: compiled it decides otherwise"
    return None


def _remembered(bench: _Bench) -> str | None:
    found, states = bench.path()
    for n, state in enumerate(states):
        again = bench.sampler.state([one.past for one in found[: n + 1]])
        if len(again) != len(state):
            return f"state gives {len(again)} arrays, step {len(state)}"
        for key in range(3):
            one, other = (bench.decided(*bench.at(n, made, key))[0] for made in (state, again))
            if one.tolist() != other.tolist():
                return f"after {n + 1} tokens the state of the path is not that of the steps"
    return None


def _round_trip(bench: _Bench) -> str | None:
    kind = type(bench.settings)
    for name, field in kind.parameters().items():
        declared = field.metadata["kind"]
        value: Any = field.default
        if isinstance(declared, Number):
            value = min((value or 0) + declared.step[0], declared.high)
        made = kind(**{name: value}).bind(PROVISIONAL)
        told = json.loads(json.dumps(made.to_dict(), allow_nan=False))
        if settings_of(told, Path("a trace")).bind(PROVISIONAL) != made:
            return f"{name}={value} does not come back from a trace"
    return None


def _explained(bench: _Bench) -> str | None:
    for n, one in enumerate(bench.path()[0]):
        lines = why(_record(one), bench.sampler.settings, keys=_KEYS)
        if not any(line.kind == "rule" and line.text for line in lines):
            return f"row {n}: explain has no line of the kind 'rule'"
        if one.temperature is not None and not any(line.kind == "draw" for line in lines):
            return f"row {n}: explain has no line of the kind 'draw'"
    return None


def _record(one: Choice) -> TokenRecord:
    told: dict[str, Any] = {
        name: getattr(one, name)
        for name in (
            *("id", "logprob", "rank", "quadrant", "region", "strategy", "forced"),
            *("temperature", "top_k", "top_p", "min_p"),
        )
    }
    told |= zip(METRICS, one.past.measured or (), strict=True)
    told["candidates"] = [(id, str(id), logprob, p) for id, logprob, p in one.candidates]
    told["measures"] = dict(one.measures)
    return TokenRecord(index=0, parent=-1, text="a", bytes="61", **told)


_RULES: dict[str, Callable[[_Bench], str | None]] = {
    "its probabilities are finite": _finite,
    "only what is kept is drawn": _kept,
    "draws are as frequent as told": _frequent,
    "the most likely token is kept, or it says that it may not be": _best,
    "rows are decided together as alone": _mapped,
    "compiled it decides the same": _compiled,
    "its memory follows from the path alone": _remembered,
    "its settings come back from a trace": _round_trip,
    "it explains what it did": _explained,
}
