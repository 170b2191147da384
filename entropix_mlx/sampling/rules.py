"""The rules of the guide "Entropixplained": which strategy a region calls for, and its formulas.

The one table that computes a draw, explains it with a record's numbers, and is documented.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from entropix_mlx.records.record import Region, TokenRecord

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Scalars
    from entropix_mlx.sampling.filters import SamplingParams

_HOT = 1.5
"""The guide's cap on the temperature when clarifying and exploring."""


class Rule(NamedTuple):
    """`base * (constant + sum of factor * metrics)` for one setting, kept from `low` to `high`.

    Without a constant the terms are added to the base. Numbers of tokens are made `whole`: by
    round, or by int, which cuts off.

    `terms`: factors, and the symbols of the metrics that are summed before, see `METRIC_OF`. A
    term whose metrics were not measured is dropped. `low` may be the name of a setting.
    """

    setting: str
    terms: tuple[tuple[float, str], ...]
    constant: float | None = 1.0
    low: float | str | None = None
    high: float | None = None
    whole: str = "round"


Rules = Mapping[str, tuple[Rule, ...]]
"""By strategy."""

CONFIDENCE = ((-0.1, "H"), (-0.2, "A"), (-0.3, "V"), (-0.4, "B"), (0.5, "G"), (0.6, "I"))
"""Factors of metrics in the guide's score of a candidate, but for a constant. The guide takes the
metrics of the step that the candidates are of, which are the same for all of them; those of the
steps that would follow them tell candidates apart.
"""

RULES: Rules = {
    "greedy": (),
    "clarify": (Rule("temperature", ((0.2, "A"),), 1.3, high=_HOT),),
    "explore": (
        Rule("temperature", ((0.3, "I"),), 1.2, high=_HOT),
        Rule("top_k", ((0.5, "D"),), low=5),
    ),
    "resample": (
        Rule("temperature", ((0.5, "B"),), 2.0, low="resample_floor"),
        Rule("top_p", ((-0.2, "A"),), None, low=0.5),
    ),
    "adaptive": (
        Rule("temperature", ((0.3, "HV"), (0.2, "AB"), (-0.2, "G"))),
        Rule("top_k", ((0.3, "I"), (-0.2, "G")), low=1, high=100),
        Rule("top_p", ((0.1, "B"),), low=0.1, high=1),
        Rule("min_p", ((-0.5, "HV"),), low=0.01, high=0.5),
    ),
}
"""The guide's."""

STRATEGY_OF: dict[Region, str] = dict(
    zip(("LELV", "HELV", "LEHV", "HEHV", "MID"), RULES, strict=True)
)

METRIC_OF = {
    "H": "entropy",
    "V": "varentropy",
    "A": "attn_entropy",
    "B": "attn_varentropy",
    "G": "agreement",
    "I": "interaction_strength",
    "D": "agreement",  # what the heads lack of it, 1 - G
}
_MEASURED = {"H", "V"}
"""Known without looking at attention."""

_DOCUMENTED = {**METRIC_OF, "H": "H", "V": "V", "I": "interaction", "D": "(1 - agreement)"}
_BASES = {"temperature": "T0", "top_k": "k0", "top_p": "p0", "min_p": "m0"}
_CLOSE = 2e-3
"""Relative; records hold float32, texts four digits."""
UNFIT = "these settings do not explain it: they were others when it was drawn"


# It computes.


def computed(
    table: Rules,
    region: "mx.array",
    inputs: "dict[str, mx.array]",
    p: "Scalars",
    *,
    attention: bool,
) -> "SamplingParams":
    """What the region's strategy wants drawn with; `inputs`: metrics by symbol, as they enter."""
    import mlx.core as mx

    from entropix_mlx.sampling.filters import SamplingParams

    inputs = {**inputs, "D": 1 - inputs["G"]}
    values = {}
    for setting in _BASES:
        found = [
            (number, _value(rule, inputs, p, attention))
            for number, rules in enumerate(table.values())
            for rule in rules
            if rule.setting == setting
        ]
        # Every strategy that draws has a temperature of its own: the last needs no condition.
        value = found.pop()[1] if setting == "temperature" else p[setting]
        for number, own in found:
            value = mx.where(region == number, own, value)
        values[setting] = value
    low, high = p["min_temperature"], p["max_temperature"]
    return SamplingParams(**{**values, "temperature": mx.clip(values["temperature"], low, high)})


def confidence(inputs: "dict[str, mx.array]", *, attention: bool) -> "mx.array":
    """By `CONFIDENCE`, of metrics by symbol as they enter; without what was not measured."""
    known = CONFIDENCE if attention else [term for term in CONFIDENCE if term[1] in _MEASURED]
    (factor, symbol), *others = known
    return sum((f * inputs[s] for f, s in others), factor * inputs[symbol])


def _value(rule: Rule, inputs: "dict[str, mx.array]", p: "Scalars", attention: bool) -> "mx.array":
    import mlx.core as mx

    base = p[rule.setting]
    total: Any = base if rule.constant is None else rule.constant
    for factor, symbols in rule.terms:
        if attention or set(symbols) <= _MEASURED:
            first, *others = (inputs[symbol] for symbol in symbols)
            total = total + factor * sum(others, first)
    value: mx.array = total if rule.constant is None else base * total
    if rule.setting == "top_k":
        value = mx.round(value) if rule.whole == "round" else mx.floor(value)
    if rule.low is not None:
        value = mx.maximum(p[rule.low] if isinstance(rule.low, str) else rule.low, value)
    return value if rule.high is None else mx.minimum(rule.high, value)


# It documents.


def documented(strategy: str, table: Rules = RULES) -> Iterator[tuple[str, str]]:
    """What a strategy sets, and the formula of it."""
    for rule in table[strategy]:
        terms = "".join(
            f" {'-' if factor < 0 else '+'} {abs(factor):g} {_sum(symbols)}"
            for factor, symbols in rule.terms
        )
        base = _BASES[rule.setting]
        text = f"{base}{terms}" if rule.constant is None else f"{base} ({rule.constant:g}{terms})"
        if rule.setting == "top_k":
            text = f"{rule.whole}({text})"
        low = "floor" if isinstance(rule.low, str) else rule.low
        if low is not None and rule.high is not None:
            text = f"clip({text}, {low}, {rule.high})"
        elif low is not None:
            text = f"max({low}, {text})"
        elif rule.high is not None:
            text = f"min({rule.high}, {text})"
        yield rule.setting, text


def documented_confidence() -> str:
    """The formula by which a candidate's next step counts."""
    terms = [
        f"{'-' if f < 0 else '+'} {abs(f):g} {_DOCUMENTED[symbol]}" for f, symbol in CONFIDENCE
    ]
    return " ".join(terms)


def _sum(symbols: str) -> str:
    names = " + ".join(_DOCUMENTED[symbol] for symbol in symbols)
    return f"({names})" if len(symbols) > 1 else names


# It explains.


class Entered(NamedTuple):
    """What stands for a metric in a formula: a number if it is known, else within low to high."""

    shown: str
    low: float
    high: float

    @staticmethod
    def known(value: float) -> "Entered":
        return Entered(f"{value:.4g}", value, value)


class Formula(NamedTuple):
    """An equation whose right side is the record's value; the symbols that are left in it, and
    what has to be said about it.
    """

    text: str
    symbols: list[str]
    notes: list[str]


def temperature(
    record: TokenRecord,
    settings: Mapping[str, Any],
    entered: Mapping[str, Entered],
    table: Rules = RULES,
) -> Formula | None:
    """How the temperature of a drawn token came about; None where no rule says."""
    used, base = record.temperature, settings.get("temperature")
    rules = table.get(record.strategy or "", ())
    rule = next((rule for rule in rules if rule.setting == "temperature"), None)
    if rule is None or used is None or base is None:
        return None
    assert rule.constant is not None
    text, low, high = f"{rule.constant:g}", rule.constant, rule.constant
    left = []
    for factor, symbol in ((factor, s) for factor, symbols in rule.terms for s in symbols):
        if getattr(record, METRIC_OF[symbol]) is None:
            continue
        metric = entered[symbol]
        text += f" {'-' if factor < 0 else '+'} {abs(factor):g} × {metric.shown}"
        ends = sorted((factor * metric.low, factor * metric.high))
        low, high = low + ends[0], high + ends[1]
        if metric.shown == symbol:
            left.append(symbol)
    text = f"{base:g} × ({text})"
    low, high = base * low, base * high
    if rule.high is not None:
        text, low, high = f"min({rule.high}, {text})", min(rule.high, low), min(rule.high, high)
    floor = settings.get(rule.low) if isinstance(rule.low, str) else rule.low
    if floor:
        text, low, high = f"max({floor:g}, {text})", max(floor, low), max(floor, high)
    notes = []
    for name, setting in (("floor", "min_temperature"), ("cap", "max_temperature")):
        if (limit := settings.get(setting)) is None:
            continue
        clip = max if name == "floor" else min
        low, high = clip(limit, low), clip(limit, high)
        if math.isclose(used, limit, rel_tol=1e-6):
            notes.append(f"T is at its {name}, {limit:g}")
    slack = _CLOSE * used
    if not low - slack <= used <= high + slack:
        return Formula(f"T {used:.4g}", [], [UNFIT])
    return Formula(f"T = {text} {'→' if notes else '='} {used:.4g}", left, notes)
