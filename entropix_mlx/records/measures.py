"""What can be read off a token's record as a number: each measure is defined once, here or beside
the sampler that makes it.

Conditions compare them, exports have a column for those that a record holds, and those with a
`Scale` are strips and colours on screens.
"""

import math
import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from entropix_mlx.records.record import TokenRecord

Value = Callable[[TokenRecord], float | None]


class Scale(NamedTuple):
    """How a measure is drawn, the same in every strip, colour and legend: from 0 to `top`, in
    `unit`; `value`: what is drawn, if it is not the measure itself.

    `name` and `symbol` are what screens call it, `meaning` says in a line what it tells.
    """

    name: str
    symbol: str
    unit: str
    top: float
    meaning: str
    value: Value = lambda _record: None


_BELOW_ONE = math.nextafter(1.0, 0.0)
_RARE = 1e-6

CLASSES = 5
"""Into so many equal parts a scale is divided where colours stand for it."""


def limits(scale: Scale) -> list[float]:
    """Where each class of a scale but the first begins."""
    return [scale.top * n / CLASSES for n in range(1, CLASSES)]


def class_of(scale: Scale, value: float) -> int:
    """In which class of a scale a value is, from 0; the last one goes on beyond its end."""
    return sum(value >= limit for limit in limits(scale))


class Measure(NamedTuple):
    """`value`: of a record, None where it does not have it. `scale`: None for what is not drawn."""

    name: str
    value: Value
    scale: Scale | None = None


def probability(logprob: float) -> float:
    """From nats, to be told: neither 0 nor 1, which no token has, whatever was rounded."""
    return min(max(_p(logprob), sys.float_info.min), _BELOW_ONE)


def _p(logprob: float) -> float:
    """From nats, to be compared; a rounding above 1 is 1."""
    return math.exp(min(logprob, 0.0))


def favourite(record: TokenRecord) -> float:
    """The probability of the most likely token; 1 where nothing else was possible or known."""
    return max((probability(logprob) for _, _, logprob, _ in record.candidates), default=1.0)


def percent(share: float, decimals: int = 0, *, brief: bool = False) -> str:
    """`12 %`, with so many decimals at most, for every text that tells a share in percent.

    What isn't all or nothing is not told so: it is over 99 %, and of what is rare the first digit
    is told, or `brief`ly >99 % and <1 %.
    """
    if share <= 0 or share >= 1:
        return "100 %" if share > 0 else "0 %"
    hundredths, last = 100 * share, 10.0**-decimals
    rounded = round(hundredths, decimals)
    if rounded >= 100:
        return f"{'>' if brief else 'over '}{100 - last:g} %"
    if rounded >= last and (brief or hundredths >= last):
        return f"{rounded:g} %"
    if brief:
        return f"<{last:g} %"
    if share < _RARE:
        return f"under {100 * _RARE:.4f} %"
    return f"{float(f'{hundredths:.1g}'):.4f}".rstrip("0").rstrip(".") + " %"


def surprisal(record: TokenRecord) -> float | None:
    """Bits; the infinitely surprising does not occur in a trace."""
    return None if record.logprob is None else -record.logprob / math.log(2)


def shown(record: TokenRecord, name: str) -> Any:
    """One of a record's fields as screens have it: ranks count from 1. None if there is none."""
    value = getattr(record, name, None)
    return value + 1 if name == "rank" and value is not None else value


def sampled(name: str, scale: Scale | None = None) -> Measure:
    """What a sampler makes itself: it travels in a record's `measures`."""

    def value(record: TokenRecord) -> float | None:
        return (record.measures or {}).get(name)

    return Measure(name, value, scale and scale._replace(value=value))


def _field(name: str) -> Measure:
    """What a record has a field for."""
    return Measure(name, operator.attrgetter(name))


def _drawn(
    name: str,
    symbol: str,
    unit: str,
    top: float,
    meaning: str,
    *,
    called: str | None = None,
    value: Value | None = None,
) -> Measure:
    """What is a strip and a colour too; `called` where it has another name there."""
    value = value or operator.attrgetter(name)
    drawn = _log2(value) if unit == "log2" else value
    return Measure(name, value, Scale(called or name, symbol, unit, top, meaning, drawn))


def _log2(value: Value) -> Value:
    def drawn(record: TokenRecord) -> float | None:
        number = value(record)
        return None if number is None else math.log2(number)

    return drawn


_DEFINED = (
    _drawn(
        *("entropy", "H", "bits", 12.0),
        # Ordinary text stays under 11 bits; 15.6 (49k vocabulary) and 17 (128k) are the ends of
        # the world and would press everything real into the lower half.
        "how undecided: 0 when certain, 3 when eight tokens would do alike",
    ),
    _drawn(
        *("varentropy", "V", "bits²", 30.0),  # ordinary text stays under 25 bits^2
        "how uneven the indecision: high when favourites stand before a long tail",
    ),
    _drawn(
        *("attn_entropy", "A", "bits", 8.0),
        "over how much of the text the attention was spread, mean of all heads",
        called="attn entropy",
    ),
    _drawn(
        *("attn_varentropy", "B", "bits²", 6.0),
        "how uneven that spread was, mean of all heads",
        called="attn varentropy",
    ),
    _drawn(
        *("agreement", "G", "", 1.0),
        "how alike the heads looked: 1 when all at the same tokens",
    ),
    _drawn(
        *("interaction_strength", "I", "", 8.0),
        "how strongly the attention's scores differ",
        called="interaction",
    ),
    _field("logprob"),
    Measure("p", lambda r: None if r.logprob is None else _p(r.logprob)),
    _drawn(
        *("surprisal", "S", "bits", 16.0),
        "how unexpected the token itself was: 1 for a probability of 1/2, 10 for 1/1024",
        value=surprisal,
    ),
    _drawn(
        *("rank", "R", "log2", 10.0),
        "the token's place among the candidates; the most likely is 1",
        # A record counts from 0. Drawn are 0 for the most likely token, 1 for the second.
        value=lambda r: None if r.rank is None else r.rank + 1,
    ),
    Measure("rank0", operator.attrgetter("rank")),
    *map(_field, ("temperature", "top_k", "top_p", "min_p", "ms")),
)


MEASURES = {measure.name: measure for measure in _DEFINED}
"""Numbers that can be null, by name, in the units of the trace."""
