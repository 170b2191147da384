"""What the samplers of the guide "Entropixplained" share: the metrics steer the draw.

They differ in their thresholds, and in how the metrics enter the formulas.
"""

import dataclasses
import textwrap
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import CLARIFY, REGIONS, Region, TokenRecord
from entropix_mlx.sampling import clarification, explanation, rules
from entropix_mlx.sampling.calibration import METRICS, Calibration
from entropix_mlx.sampling.explanation import Checks, Line, Told
from entropix_mlx.sampling.parameters import absent, choice, number, threshold
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.rules import METRIC_OF, RULES, STRATEGY_OF, Entered, Rules
from entropix_mlx.sampling.settings import Settings, Strategy, Support
from entropix_mlx.sampling.vocabulary import Vocabulary

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Outcome, Seen

_GREEDY, _HELV, _RESAMPLE, _ADAPTIVE = map(REGIONS.index, ("LELV", "HELV", "HEHV", "MID"))
"""Regions and their strategies are listed in the same order."""


class State(NamedTuple):
    """Arrays, never read back.

    `steps` int32; `means` float32 `[6]`: the rolling metrics; then what the way to clarify
    remembers.
    """

    steps: "mx.array"
    means: "mx.array"
    memory: "tuple[mx.array, ...]"

    @staticmethod
    def of(arrays: "tuple[mx.array, ...]") -> "State":
        return State(arrays[0], arrays[1], arrays[2:])

    @property
    def arrays(self) -> "tuple[mx.array, ...]":
        return self.steps, self.means, *self.memory


class Fixed(NamedTuple):
    """The best of so many draws at most is kept; how to clarify, if anything is put in."""

    best_of: int
    way: clarification.Way | None


@dataclass(frozen=True, kw_only=True)
class Entropix(Settings):
    """A region calls for a strategy, which brings its temperature and filters."""

    temperature: float = number(
        0.01, 10, default=0.7, doc="base temperature T0", step=(0.05, 0.25), tune=(0.1, 2.0)
    )
    top_p: float = number(
        0.01, 1, default=0.9, doc="base nucleus mass", step=(0.01, 0.1), tune=(0.5, 1.0)
    )
    top_k: int = number(1, 100, default=27, doc="base number of candidates", step=(1, 10))
    min_p: float = number(
        0, 1, default=0.03, doc="base share of the top probability", step=(0.01, 0.05)
    )
    draws: int = number(1, 64, default=12, doc="draws in the middle, best one kept", step=(1, 4))
    lelv_entropy: float | None = threshold("greedy below this entropy (bits)")
    lelv_varentropy: float | None = threshold("... and below this varentropy (bits^2)")
    helv_entropy: float | None = threshold("clarify above this entropy")
    helv_varentropy: float | None = threshold("... and below this varentropy")
    lehv_entropy: float | None = threshold("explore below this entropy")
    lehv_varentropy: float | None = threshold("... and above this varentropy")
    hehv_entropy: float | None = threshold("resample above this entropy")
    hehv_varentropy: float | None = threshold("... and above this varentropy")
    resamples: int = number(
        *(1, 64), default=1, doc="draws when resampling, best one kept", step=(1, 4), group="limits"
    )
    min_temperature: float | None = absent("limits")
    max_temperature: float | None = absent("limits")
    resample_floor: float = number(
        0, 10, default=0.0, doc="floor when resampling", step=(0.1, 0.5), group="limits"
    )
    rolling: float = number(
        *(0.01, 1),
        default=1.0,
        doc="weight of the newest in rolling metrics; 1: no past",
        step=(0.05, 0.25),
        group="limits",
    )
    clarify: str = choice(
        *clarification.WAYS,
        doc="text put in to clarify",
        group="limits",
        switched=("off", "guide"),
    )

    strategies: ClassVar[Mapping[str, Strategy]] = {
        name: Strategy(next((q for q in QUADRANTS if q == region), None), name != "greedy")
        for region, name in STRATEGY_OF.items()
    }
    inserts: ClassVar[str | None] = CLARIFY
    rules: ClassVar[Rules] = RULES

    def support(self) -> Support:
        return Support(max(128, self.top_k * 3 // 2))  # the formulas widen it by up to a half

    def fixed(self, vocabulary: Vocabulary) -> Fixed:
        most = max(self.draws, self.resamples)
        return Fixed(most, clarification.way(self.clarify, vocabulary))

    def lacks(self, vocabulary: Vocabulary) -> str | None:
        if self.clarify == "off" or clarification.way(self.clarify, vocabulary):
            return None
        if self.clarify == "ask":
            return "the model has no token that ends a turn, so clarify=ask asks nothing"
        return f"the model has no clarifying text, so clarify={self.clarify} puts nothing in"

    def scalars(self, calibration: Calibration) -> dict[str, float | list[float]]:
        limits = {
            "min_temperature": self.min_temperature or 0.0,
            "max_temperature": self.max_temperature or float("inf"),
        }
        return {**super().scalars(calibration), **limits, **self.scaling(calibration)}

    @abstractmethod
    def scaling(self, calibration: Calibration) -> dict[str, float | list[float]]:
        """`floors` and `scales` of each of `METRICS`, and the `ceiling` of all: a metric enters as
        `(metric - floor) * scale`, from 0 to the ceiling.
        """

    @classmethod
    def agreement(cls, scaled: "mx.array", seen: "Seen") -> "mx.array":
        """How the agreement enters."""
        del seen
        return scaled

    @classmethod
    def region(cls, means: "mx.array", seen: "Seen") -> "mx.array":
        """A number in `records.REGIONS`; `means` float32 `[6]`: what rules."""
        from entropix_mlx.sampling import draw

        return draw.region(means[0], means[1], seen.p)

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        import mlx.core as mx
        import numpy as np

        measured = [past.measured for past in path if past.measured is not None]
        means = np.zeros(len(METRICS), np.float32)
        weight = np.float32(self.rolling)
        for n, metrics in enumerate(measured[-1:] if self.rolling == 1 else measured):
            newest = np.array(metrics, np.float32)
            means = weight * newest + (1 - weight) * means if n else newest
        way = clarification.way(self.clarify, vocabulary)
        remembered = way.remembered(path) if way else ()
        return State(
            steps=mx.array(len(measured), mx.int32),
            means=mx.array(means),
            memory=tuple(mx.array(value, mx.int32) for value in remembered),
        ).arrays

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        from entropix_mlx.sampling import draw, filters

        past, p, fixed = State.of(seen.state), seen.p, seen.fixed
        newest = p["rolling"]
        means = newest * seen.measured + (1 - newest) * past.means
        means = mx.where(past.steps == 0, seen.measured, means)
        region = cls.region(means, seen)
        inputs = cls._inputs(means, seen)
        params = rules.computed(cls.rules, region, inputs, p, attention=seen.attention)
        stages = filters.filtered(seen.logits, params, ordered=True)
        may = None if fixed.way is None else fixed.way.follows(seen.ids, past.memory)
        if may is not None:
            stages = (*stages, filters.following(stages, may))
        if seen.ahead is not None:
            nearest = mx.arange(seen.ids.shape[0]) < seen.ahead.shape[0]
            among = mx.where(nearest | (region != _ADAPTIVE), stages[-1].weights, -mx.inf)
            stages = (*stages, filters.Stage("looked at", mx.array(seen.ahead.shape[0]), among))
        log_p = filters.log_p(stages)
        first = mx.argmax(log_p > -mx.inf)
        greedy, resampled, middle = (region == n for n in (_GREEDY, _RESAMPLE, _ADAPTIVE))
        drawn = draw.places(log_p, fixed.best_of, seen.key)
        drawn = mx.where(greedy, first, drawn)
        looked = mx.where(middle, p["draws"], mx.where(resampled, p["resamples"], 1.0))
        counts = mx.arange(fixed.best_of) < looked
        scores = None
        if seen.ahead is None:
            # Scores are log p plus a confidence that all candidates of a step share, so the best of
            # the drawn is the one that comes first in the order.
            final = filters.best_of(mx.exp(log_p), looked)
            chosen = mx.min(mx.where(counts, drawn, log_p.shape[0]))
        else:
            scores = cls._with_what_follows(log_p, middle, seen)
            order = mx.argsort(-scores)
            ranks = mx.argsort(order)
            final = filters.best_of(mx.exp(log_p)[order], looked)[ranks]
            best = mx.min(mx.where(counts, ranks[drawn].astype(mx.int32), log_p.shape[0] - 1))
            chosen = order[best]
        inserted, memory = None, past.memory
        if fixed.way is not None:
            drawn_id, calls = seen.ids[chosen], region == _HELV
            inserted, memory = fixed.way.step(seen, drawn_id, calls, memory)
        return draw.Outcome(
            region=region,
            strategy=region,
            params=params,
            stages=stages,
            drawn=drawn,
            looked=looked,
            chosen=chosen,
            final=mx.where(greedy, draw.one_hot(first, final.shape[0]), final),
            state=State(past.steps + 1, means, memory).arrays,
            inserted=inserted,
            scores=scores,
        )

    @classmethod
    def _inputs(cls, measured: "mx.array", seen: "Seen") -> "dict[str, mx.array]":
        """Metrics by symbol as they enter the formulas; `measured` float32 `[..., 6]`."""
        import mlx.core as mx

        p = seen.p
        scaled = mx.clip((measured - p["floors"]) * p["scales"], 0.0, p["ceiling"])
        inputs = {symbol: scaled[..., METRICS.index(name)] for symbol, name in METRIC_OF.items()}
        inputs["G"] = cls.agreement(inputs["G"], seen)
        return inputs

    @classmethod
    def _with_what_follows(cls, log_p: "mx.array", middle: "mx.array", seen: "Seen") -> "mx.array":
        """Log-probabilities, in the middle with how sure the model would be after each."""
        import mlx.core as mx

        assert seen.ahead is not None
        trust = rules.confidence(cls._inputs(seen.ahead, seen), attention=seen.attention)
        rest = mx.zeros((log_p.shape[0] - trust.shape[0],))
        return log_p + mx.where(middle, mx.concatenate([trust, rest]), 0.0)

    # What it says.

    @classmethod
    def documentation(cls) -> list[str]:
        lines = []
        for region, strategy in STRATEGY_OF.items():
            formulas = [f"{name} = {text}" for name, text in rules.documented(strategy, cls.rules)]
            for text in formulas or ["the most likely token"]:
                line = f"{region:<5} {strategy:<10} {text}"
                lines += textwrap.wrap(line, 80, subsequent_indent=" " * 17)
        return lines

    def explain(self, told: Told) -> list[Line]:
        record, ruled = told.record, self.ruled(told.record)
        if record.forced is None:
            return [*ruled, *self._drawn(told)]
        if record.forced != CLARIFY:
            return ruled
        alone = self._alone(record)
        goes_on = self.rolling == 1 and (alone is None or alone[0] != "HELV")
        what = "a question to you" if self.clarify == "ask" else "a clarifying text"
        text = (
            f"inserted: {what}, begun at a token before this one, goes on"
            if goes_on
            else "inserted to clarify, not drawn"
        )
        return [Line("rule", text), *ruled]

    def _alone(self, record: TokenRecord) -> tuple[Region, Checks] | None:
        """The region of the token's own figures, and the inequalities; None if some are unknown."""
        corners = bounds(dataclasses.asdict(self))
        if len(corners) < len(QUADRANTS) or record.entropy is None or record.varentropy is None:
            return None
        own = region_of(record.entropy, record.varentropy, corners)
        return own, explanation.checks(record.entropy, record.varentropy, corners)

    def ruled(self, record: TokenRecord) -> list[Line]:
        """Which region, and by what."""
        if record.region is None:
            return []
        end = explanation.ruling(record.region)
        alone = self._alone(record)
        if alone is None:
            return [Line("rule", f"{end} (the thresholds are not known)")]
        own, corners = alone
        if self.rolling < 1:
            also = "the same" if own == record.region else STRATEGY_OF[own]
            return [
                Line("rule", f"{end} (the past counted)"),
                Line("note", f"means over past tokens ruled (newest: {self.rolling:g})"),
                Line(
                    "check",
                    f"this token alone would be {also}: {explanation.reason(own, corners)}",
                ),
            ]
        if own != record.region:
            return [
                Line("rule", end),
                Line(
                    "note", "these settings do not explain it: they were others when it was drawn"
                ),
            ]
        if own == "MID":
            checks = explanation.not_left(corners)
            return [Line("rule", end), *(Line("check", text) for text in checks)]
        return [Line("rule", f"{explanation.reason(own, corners)}: {end}")]

    def _drawn(self, told: Told) -> list[Line]:
        record, lines = told.record, []
        if record.strategy == "clarify":
            lines.append(Line("note", f"drawn hotter{clarification.NOT_INSERTED[self.clarify]}"))
        entered = {symbol: self.entered(symbol, told) for symbol in METRIC_OF}
        settings = self.to_dict()
        formula = rules.temperature(record, settings, entered, self.rules)
        if formula is None:
            return [*lines, *explanation.draw(record, settings)]
        lines.append(Line("draw", formula.text))
        if formula.symbols:
            lines.append(Line("note", self.legend(formula.symbols)))
        lines += [Line("note", note) for note in formula.notes]
        lines += explanation.filters(record, settings)
        if record.strategy == "adaptive":
            best = f"the most likely of {self.draws} draws"
            if self.look_ahead:
                best = (
                    f"of {self.draws} draws among the {self.look_ahead} most likely the best by "
                    "likelihood and by how sure the model would be next"
                )
            lines.append(Line("draw", best))
        if record.strategy == "resample" and self.resamples > 1:
            lines.append(Line("draw", f"the most likely of {self.resamples} draws"))
        return lines

    @abstractmethod
    def entered(self, symbol: str, told: Told) -> Entered:
        """What stands in a formula for a metric that the record has."""

    @abstractmethod
    def legend(self, symbols: list[str]) -> str:
        """What the symbols stand for that are still in a formula."""
