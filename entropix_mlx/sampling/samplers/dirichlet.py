"""What is usual of late decides: the entropy, and a Dirichlet fitted to the favourites' odds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from entropix_mlx.records.measures import Measure, sampled
from entropix_mlx.sampling import explanation
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import LISTED, Past
from entropix_mlx.sampling.settings import Settings, Strategy, Support
from entropix_mlx.sampling.vocabulary import Vocabulary

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Outcome, Seen

_BITS = 1.4426950408889634
_LEAST = -27.6
"""The logarithm of a probability is not taken for less: 1e-12."""
_SOON = 3
"""So many tokens come before anything is unusual."""
_COLD, _HOT, _HALVINGS = -2.3, 1.1, 24
"""Logarithms of the lowest and the highest temperature, between which one is searched for."""

USUAL, LEVEL, SCORE = sampled("usual_entropy"), sampled("dirichlet_level"), sampled("outlier")
_GREEDY, _RESTORE, _MIX, _TEMPER = range(4)
_WORDS = {
    "greedy": "as usual, and surer than usual: greedy",
    "restore": "as usual: at the temperature that brings back the usual entropy",
    "mix": "unusual: tempered to the usual entropy, and mixed with the usual odds",
    "temper": "unusual, and so are the odds: tempered to the usual entropy",
}


class State(NamedTuple):
    """Exponentially weighted over the past; nats. `count` int32; `odds` `[8]`: logarithms of the
    probabilities of the eight most likely, by rank, among themselves; `center` `[2]` and `spread`
    `[3]` of entropy and varentropy: means, variances and covariance; `usual`: the entropy of what
    can be drawn, `level`: of the odds' likelihood.
    """

    count: Any
    odds: Any
    center: Any
    spread: Any
    usual: Any
    level: Any


@dataclass(frozen=True, kw_only=True)
class Dirichlet(Settings):
    """The family's third sampler as it was meant, over the most likely tokens by their rank."""

    top_k: int = number(8, 256, default=64, doc="how many can be drawn", step=(1, 16))
    weight: float = number(0.01, 1, default=0.7, doc="of the newest", step=(0.05, 0.25))
    unusual: float = number(
        0.0, 1e6, default=2.0, doc="score from which a token is unusual", step=(0.1, 1.0)
    )
    calm: float = number(
        0.0, 1.0, default=0.5, doc="greedy below this share of the usual entropy", step=(0.05, 0.25)
    )
    strange: float = number(
        0.0, 1e6, default=6.0, doc="odds are, so far below the level (nats)", step=(0.5, 5.0)
    )

    summary: ClassVar[str] = "what is usual of late decides: entropy, and a Dirichlet of the odds"
    strategies: ClassVar[Mapping[str, Strategy]] = {
        "greedy": Strategy("LELV", random=False),
        "restore": Strategy(),
        "mix": Strategy("LEHV"),
        "temper": Strategy("HEHV"),
    }
    measures: ClassVar[tuple[Measure, ...]] = (USUAL, LEVEL, SCORE)

    def support(self) -> Support:
        return Support(self.top_k)

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        import mlx.core as mx
        import numpy as np

        del vocabulary
        weight = np.float32(self.weight)
        pasts = [past for past in path if past.measured is not None and past.logprobs]
        count = len(pasts)
        odds = np.zeros(LISTED, np.float32)
        center, spread = np.zeros(2, np.float32), np.zeros(3, np.float32)
        usual = level = np.float32(0)
        for n, past in enumerate(pasts):
            h, v = (np.float32(each) for each in (past.measured or ())[:2])
            seen = np.array([h / np.float32(_BITS), v / np.float32(_BITS * _BITS)], np.float32)
            listed = np.full(LISTED, -np.inf, np.float32)
            listed[: len(past.logprobs)] = past.logprobs
            listed = np.maximum(
                listed - np.log(np.exp(listed - listed[0]).sum()) - listed[0], _LEAST
            )
            away = seen - center
            products = np.array([away[0] ** 2, away[1] ** 2, away[0] * away[1]], np.float32)
            spread = weight * products + (1 - weight) * spread if n else spread
            center = weight * seen + (1 - weight) * center if n else seen
            odds = weight * listed + (1 - weight) * odds if n else listed
            usual = np.float32(past.measures.get(USUAL.name) or usual)
            level = np.float32(past.measures.get(LEVEL.name) or level)
        arrays = (odds, center, spread, usual, level)
        made = (mx.array(np.asarray(each, np.float32)) for each in arrays)
        return (mx.array(count, mx.int32), *made)

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        from entropix_mlx.sampling import dirichlet, draw
        from entropix_mlx.sampling.filters import SamplingParams, Stage

        past, p, weight = State(*seen.state), seen.p, seen.p["weight"]
        known, soon = past.count > 0, past.count < _SOON
        left = mx.where(mx.arange(seen.logits.shape[0]) < p["top_k"], seen.logits, -mx.inf)
        left = left - mx.max(left)

        now = seen.measured[:2] / mx.array([_BITS, _BITS * _BITS])
        away = now - past.center
        score = mx.where(soon, 0.0, _score(away, past.spread))
        odds = _among(left)
        mean = mx.where(known, past.odds, odds)
        alpha = dirichlet.fit(mean)
        likelihood = dirichlet.log_likelihood(alpha, odds)
        own, usual = _entropy(left), mx.where(known, past.usual, _entropy(left))

        is_unusual = score > p["unusual"]
        is_strange = likelihood < past.level - p["strange"]
        strategy = mx.where(
            is_unusual,
            mx.where(is_strange, _TEMPER, _MIX),
            mx.where(own < p["calm"] * usual, _GREEDY, _RESTORE),
        )
        t = _temperature(left, usual)
        tempered = mx.softmax(left / t)
        # Within the favourites, the mean odds come in as far as the two are alike.
        first = mx.arange(left.shape[0]) < LISTED
        share = mx.sum(mx.where(first, tempered, 0.0))
        its = tempered[:LISTED] / share
        typical = (alpha / mx.sum(alpha))[: its.shape[0]]
        ratio = dirichlet.filled(mx.maximum(its, 1e-30) / typical, 1.0)
        apart = mx.sum(its * mx.log(ratio)[: its.shape[0]])
        own_part = 1 - mx.exp(-mx.maximum(apart, 0.0))
        mixed = mx.concatenate(
            [share * (own_part * its + (1 - own_part) * typical), tempered[LISTED:]]
        )
        mixed = mx.where(left > -mx.inf, mixed, 0.0)
        mixed = mx.where(strategy == _MIX, mixed / mx.sum(mixed), tempered)

        drawn = draw.of_odds(mixed, 1, seen.key)
        greedy = strategy == _GREEDY
        drawn = mx.where(greedy, 0, drawn)
        one, off = mx.array(1.0), mx.array(0.0)

        def newest(new: mx.array, old: mx.array) -> mx.array:
            return mx.where(known, weight * new + (1 - weight) * old, new)

        products = mx.stack([away[0] * away[0], away[1] * away[1], away[0] * away[1]])
        spread = mx.where(known, weight * products + (1 - weight) * past.spread, past.spread)
        level = mx.where(soon, likelihood, weight * likelihood + (1 - weight) * past.level)
        after = State(
            past.count + 1,
            newest(odds, past.odds),
            newest(now, past.center),
            spread,
            newest(own, past.usual),
            level,
        )
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], p),
            strategy=strategy,
            params=SamplingParams(t, p["top_k"], one, off),
            stages=(
                Stage("top-k", p["top_k"], left),
                Stage("temperature", t, left / t),
                Stage("dirichlet", own_part, mx.log(mixed)),
            ),
            drawn=drawn,
            looked=mx.array(1),
            chosen=drawn[0],
            final=mx.where(greedy, draw.one_hot(0, left.shape[0]), mixed),
            state=tuple(after),
            measures=(after.usual, after.level, score),
        )

    def explain(self, told: Told) -> list[Line]:
        record = told.record
        words = _WORDS.get(record.strategy or "", f"{record.strategy}")
        lines = [Line("rule", words)]
        score = (record.measures or {}).get(SCORE.name)
        if score is not None:
            lines.append(Line("note", f"score {score:.2f}, unusual from {self.unusual:g} on"))
        if record.temperature is None or record.forced is not None:
            return [*lines, *explanation.draw(record, self.to_dict())]
        text = f"T {record.temperature:.4g}, found for the usual entropy"
        return [*lines, Line("draw", text), *explanation.filters(record, self.to_dict())]


def _among(left: "mx.array") -> "mx.array":
    """Logarithms of the first eight's probabilities among themselves, `[8]`."""
    import mlx.core as mx

    some = left[:LISTED]
    some = mx.concatenate([some, mx.full((LISTED - some.shape[0],), -mx.inf)])
    return mx.maximum(some - mx.logsumexp(some), _LEAST)


def _score(away: "mx.array", spread: "mx.array") -> "mx.array":
    """How unusual entropy and varentropy are: half the square of their distance in standard
    deviations, correlation counted, and half of what they are above.
    """
    import mlx.core as mx

    h, v = (away[n] / mx.sqrt(spread[n] + 1e-4) for n in range(2))
    together = mx.clip(spread[2] / mx.sqrt((spread[0] + 1e-4) * (spread[1] + 1e-4)), -0.95, 0.95)
    square = (h * h - 2 * together * h * v + v * v) / (1 - together * together)
    return 0.5 * square + 0.5 * (h + v)


def _entropy(logits: "mx.array") -> "mx.array":
    """Nats."""
    import mlx.core as mx

    log_p = logits - mx.logsumexp(logits)
    return -mx.sum(mx.where(logits > -mx.inf, mx.exp(log_p) * log_p, 0.0))


def _temperature(logits: "mx.array", entropy: "mx.array") -> "mx.array":
    """At which their entropy is this one, as far as that is within the limits: it grows with it."""
    import mlx.core as mx

    low, high = mx.array(_COLD), mx.array(_HOT)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        cooler = _entropy(logits / mx.exp(middle)) < entropy
        low, high = mx.where(cooler, middle, low), mx.where(cooler, high, middle)
    return mx.exp((low + high) / 2)
