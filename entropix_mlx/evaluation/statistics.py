"""What answers come to by item: means with intervals, and how far two samplers lie apart.

The answers to one item depend on it, so intervals are over items drawn anew (a percentile
bootstrap), and all answers to an item move together. The same values always have the same interval.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
"""One for each item; NaN where there is none."""

DRAWS = 10_000
CONFIDENCE = 0.95
SHARE = (0.0, 1.0)
"""Between which the values of an item lie."""
_HELD = 1 << 20
"""Counts in memory at once."""


class Interval(msgspec.Struct, frozen=True):
    """A mean over `items`, and between what it lies, with the confidence `level`."""

    mean: float
    low: float
    high: float
    level: float
    items: int


class Difference(msgspec.Struct, frozen=True):
    """Of the means of `sampler` and `against`, over the items that both have answered.

    `differing`: those items on which they differ.
    """

    sampler: str
    against: str
    interval: Interval
    differing: int

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below nothing, 0 where no difference is seen.

        If all of k differing items point one way, that still happens once in 2^(k-1) by chance:
        where that is more than the level allows, there are too few items to see anything.
        """
        found = self.interval
        if 2.0 ** (1 - self.differing) > 1 - found.level:
            return 0
        return int(found.low > 0) - int(found.high < 0)


class ByItem:
    """A measure's mean by item, from answers as they come; their items are numbers from 0."""

    def __init__(self, items: int) -> None:
        self._totals = np.zeros(items)
        self._counts = np.zeros(items)

    def add(self, item: int, value: float) -> None:
        self._totals[item] += value
        self._counts[item] += 1

    def means(self) -> Values:
        """NaN for an item without an answer."""
        found = np.full(len(self._totals), np.nan)
        np.divide(self._totals, self._counts, out=found, where=self._counts > 0)
        return found


def interval(
    values: Values, level: float = CONFIDENCE, bounds: tuple[float, float] = SHARE
) -> Interval | None:
    """The mean of the values that are there, and its interval; None if there is none.

    `bounds`: of what a value can be. They matter where all values are alike: drawing those anew
    tells nothing, so the limits are what a share of items that came out otherwise could make of the
    mean, the share being the greatest that n items without one leave possible.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    distinct, counts = np.unique(known, return_counts=True)
    mean = float(counts @ distinct / known.size)
    tail = (1 - level) / 2
    if distinct.size == 1:
        unseen = 1 - tail ** (1 / known.size)
        low, high = (mean + unseen * (bound - mean) for bound in bounds)
    else:
        drawn = np.concatenate(list(_drawn(distinct, counts)))
        low, high = (float(limit) for limit in np.quantile(drawn, (tail, 1 - tail)))
    return Interval(mean, low, high, level, int(known.size))


def _drawn(distinct: Values, counts: npt.NDArray[np.int64]) -> Iterator[Values]:
    """Means of as many items drawn anew.

    How often each value comes among n drawn items is multinomial, and few values differ where
    answers are right or wrong: that is less work than drawing the items.
    """
    chance, items = np.random.default_rng(0), int(counts.sum())
    rows = max(1, _HELD // distinct.size)
    for at in range(0, DRAWS, rows):
        times = chance.multinomial(items, counts / items, min(rows, DRAWS - at))
        yield times @ distinct / items


def difference(
    sampler: tuple[str, Values], against: tuple[str, Values], comparisons: int
) -> Difference:
    """Of two samplers, each with its name and the values of the same items, of which at least one
    has both. So wide that all of so many comparisons hold together with `CONFIDENCE` (Bonferroni).
    """
    apart = sampler[1] - against[1]
    found = interval(apart, 1 - (1 - CONFIDENCE) / comparisons, (-1.0, 1.0))
    assert found is not None
    differing = int(np.count_nonzero(apart[np.isfinite(apart)]))
    return Difference(sampler[0], against[0], found, differing)
