"""Random search over a sampler's settings: the same number of trials for each, the first untouched.

Bergstra and Bengio, 2012: where few of the parameters matter, random trials find good ones sooner
than a grid.
"""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from entropix_mlx.evaluation.sampler_text import settings_of
from entropix_mlx.sampling.parameters import Number, did_you_mean
from entropix_models.errors import UsageError

_LOGARITHMIC = 10
"""Of a range whose ends differ by so many times, magnitudes are equally likely."""


_TRIES = 100
"""Draws for a trial that is like no other; there may be no more of a whole number."""


class Range(NamedTuple):
    """Values from `low` to `high`, whole ones if `whole`."""

    low: float
    high: float
    whole: bool

    def drawn(self, chance: random.Random) -> float:
        """To three digits."""
        if self.low > 0 and self.high / self.low >= _LOGARITHMIC:
            value = math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = chance.uniform(self.low, self.high)
        value = min(max(float(f"{value:.3g}"), self.low), self.high)
        return round(value) if self.whole else value


def ranges(sampler: str, over: Mapping[str, tuple[float, float]] = {}) -> dict[str, Range]:
    """What of a sampler is varied: what declares a range, or what is named in `over`, in that one.

    Raises UsageError for a setting that it doesn't have, and for a range beyond its bounds.
    """
    settings = settings_of(sampler)
    parameters, fixed = settings.parameters(), {w.partition("=")[0] for w in sampler.split()[1:]}
    found = {}
    for name, declared in parameters.items():
        kind, own = declared.metadata["kind"], declared.metadata.get("tune")
        if isinstance(kind, Number) and own is not None and name not in fixed and not over:
            low, high = own
            found[name] = Range(low, high, kind.whole)
    for name, (low, high) in over.items():
        kind = parameters[name].metadata["kind"] if name in parameters else None
        if not isinstance(kind, Number):
            raise UsageError(
                f"{sampler} has no number {name!r}{did_you_mean(name, parameters)} to look for"
            )
        if not kind.low <= low < high <= kind.high:
            raise UsageError(f"{name}: give LOW:HIGH within {kind.low:g} to {kind.high:g}")
        found[name] = Range(low, high, kind.whole)
    return found


def trials(
    sampler: str, count: int, seed: int, over: Mapping[str, tuple[float, float]] = {}
) -> list[str]:
    """Samplers as text: the one that is given, then others of its settings, `count` in all; fewer
    where nothing of it is varied. Always the same ones for a seed. Raises UsageError as `ranges`.
    """
    varied = ranges(sampler, over)
    place = int.from_bytes(hashlib.blake2b(f"{seed}/{sampler}".encode(), digest_size=8).digest())
    chance, untouched = random.Random(place), " ".join(sampler.split())
    found = {untouched: None}
    for _ in range(count * _TRIES if varied else 0):
        if len(found) == count:
            break
        values = (f"{name}={range_.drawn(chance):g}" for name, range_ in varied.items())
        found[" ".join((untouched, *values))] = None
    return list(found)


def best(right: Mapping[str, float], tried: Sequence[str]) -> str:
    """The one with the most right answers, the first of equals."""
    return max(tried, key=lambda sampler: right[sampler])
