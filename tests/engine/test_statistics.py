"""Intervals and differences of an evaluation, against SciPy, theory and synthetic answers."""

import math

import numpy as np
import pytest
from scipy import stats

from entropix_mlx.evaluation import statistics
from entropix_mlx.evaluation.statistics import (
    CONFIDENCE,
    DRAWS,
    ByItem,
    Interval,
    Values,
    difference,
    interval,
)


def spread(seed: int, items: int, samples: int) -> Values:
    """Shares of items of very different difficulty."""
    chance = np.random.default_rng(seed)
    return chance.binomial(samples, chance.beta(0.5, 0.5, items)) / samples


def found(values: Values, level: float = CONFIDENCE) -> Interval:
    made = interval(values, level)
    assert made is not None
    return made


def wander(values: Values, tail: float, draws: int) -> float:
    """The standard deviation of the quantile `tail` of as many drawn means: sqrt(q (1 - q) / B)
    over the density there, which is about the normal one.
    """
    scale = float(np.std(values)) / math.sqrt(values.size)
    density = stats.norm.pdf(stats.norm.ppf(tail)) / scale
    return math.sqrt(tail * (1 - tail) / draws) / density


class TestInterval:
    def test_by_hand(self) -> None:
        """Of three items, one right: how many right ones are drawn is binomial (3, 1/3)."""
        values = np.array([0.0, np.nan, 0.0, 1.0])
        none, all_three = (2 / 3) ** 3, (1 / 3) ** 3
        assert none > 0.05 > all_three > 0.025
        assert found(values) == Interval(1 / 3, 0.0, 1.0, 0.95, 3)
        assert found(values, 0.9) == Interval(1 / 3, 0.0, 2 / 3, 0.9, 3)

    def test_nothing(self) -> None:
        assert interval(np.array([np.nan, np.nan])) is None
        assert interval(np.array([])) is None

    @pytest.mark.parametrize("level", [0.95, 0.994])
    def test_like_scipy(self, level: float) -> None:
        values = spread(3, 120, 5)
        made = found(values, level)
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=DRAWS, confidence_level=level, method="percentile"
        ).confidence_interval
        assert made.mean == pytest.approx(values.mean())
        tail = (1 - level) / 2
        # Both wander; means of five samples' shares lie on a grid.
        bound = 5 * math.sqrt(2) * wander(values, tail, DRAWS) + 1 / (120 * 5)
        assert made.low == pytest.approx(theirs.low, abs=bound)
        assert made.high == pytest.approx(theirs.high, abs=bound)

    def test_always_the_same_whatever_is_held_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        values = np.random.default_rng(1).random(50)
        whole = found(values)
        monkeypatch.setattr(statistics, "_HELD", 1000)
        assert found(values) == whole
        assert found(values[::-1]) == whole

    @pytest.mark.parametrize("items", [1, 5, 300])
    def test_all_alike(self, items: int) -> None:
        """Nothing can be drawn from them: Clopper and Pearson's limit."""
        exact = stats.binomtest(items, items).proportion_ci(CONFIDENCE, "exact")
        made = found(np.ones(items))
        assert (made.mean, made.high) == (1.0, 1.0)
        assert made.low == pytest.approx(exact.low)
        none = found(np.zeros(items))
        assert (none.low, none.high) == (0.0, pytest.approx(1 - exact.low))

    @pytest.mark.slow
    def test_covers_the_truth_as_often_as_it_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By item: as if each answer stood for itself, it would be far too narrow."""
        monkeypatch.setattr(statistics, "DRAWS", 1000)
        runs, items, samples, truth = 400, 100, 4, 0.5
        covered = alone = 0
        for seed in range(runs):
            values = spread(seed, items, samples)
            by_item = found(values)
            right = round(values.sum() * samples)
            answers = np.repeat([1.0, 0.0], [right, items * samples - right])
            by_answer = found(answers)
            covered += by_item.low <= truth <= by_item.high
            alone += by_answer.low <= truth <= by_answer.high
        # A percentile interval of n items is too narrow by sqrt((n - 1) / n).
        narrow = 2 * stats.norm.cdf(stats.norm.ppf(0.975) * math.sqrt(1 - 1 / items)) - 1
        wander = math.sqrt(narrow * (1 - narrow) / runs)
        assert abs(covered / runs - narrow) < 5 * wander + 0.01
        assert alone / runs < 0.85


class TestDifference:
    def pair(self, one: Values, other: Values, comparisons: int = 1) -> statistics.Difference:
        return difference(("one", one), ("other", other), comparisons)

    def test_like_scipys_of_pairs(self) -> None:
        one, other = spread(1, 120, 5), spread(2, 120, 5)
        other = np.clip((one + other) / 2, 0, 1)
        made = self.pair(one, other).interval
        theirs = stats.bootstrap(
            (one, other),
            lambda a, b, axis: np.mean(a - b, axis=axis),
            n_resamples=DRAWS,
            paired=True,
            method="percentile",
        ).confidence_interval
        bound = 5 * math.sqrt(2) * wander(one - other, 0.025, DRAWS) + 1 / (120 * 10)
        assert made.low == pytest.approx(theirs.low, abs=bound)
        assert made.high == pytest.approx(theirs.high, abs=bound)

    def test_over_what_both_have_answered(self) -> None:
        one = np.array([1.0, 1.0, np.nan, 0.0])
        other = np.array([0.0, np.nan, 1.0, 0.0])
        made = self.pair(one, other)
        assert (made.interval.mean, made.interval.items, made.differing) == (0.5, 2, 1)

    def test_more_comparisons_are_wider(self) -> None:
        one, other = spread(1, 200, 3), spread(2, 200, 3)
        alone, of_eight = self.pair(one, other).interval, self.pair(one, other, 8).interval
        assert of_eight.level == pytest.approx(1 - 0.05 / 8)
        assert of_eight.low < alone.low < alone.high < of_eight.high

    @pytest.mark.parametrize(
        ("differing", "alike", "comparisons", "seen"),
        [
            (5, 0, 1, 0),  # all five of five one way: once in 16 times by chance
            (6, 0, 1, 1),  # once in 32 times
            (4, 1, 1, 0),  # the interval does not hold nothing, and still
            (5, 95, 1, 0),
            (20, 80, 1, 1),
            (8, 0, 8, 0),
            (9, 0, 8, 1),
        ],
    )
    def test_a_few_items_show_nothing(
        self, differing: int, alike: int, comparisons: int, seen: int
    ) -> None:
        one = np.repeat([1.0, 0.0], [differing, alike])
        other = np.zeros(differing + alike)
        assert self.pair(one, other, comparisons).sign == seen
        assert self.pair(other, one, comparisons).sign == -seen

    @pytest.mark.slow
    def test_nothing_is_seen_where_there_is_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Eight samplers that are as good as the baseline: in at most one run of twenty."""
        monkeypatch.setattr(statistics, "DRAWS", 4000)
        runs, others, items, samples, false = 60, 8, 60, 3, 0
        for seed in range(runs):
            chance = np.random.default_rng(seed)
            p = chance.beta(0.5, 0.5, items)
            made = chance.binomial(samples, p, (others + 1, items)) / samples
            signs = [self.pair(values, made[0], others).sign for values in made[1:]]
            false += any(signs)
        assert stats.binomtest(false, runs, 0.05, alternative="greater").pvalue > 1e-4


def test_shares_by_item() -> None:
    shares = ByItem(3)
    for item, right in ((0, True), (2, False), (0, False), (0, True)):
        shares.add(item, right)
    np.testing.assert_equal(shares.means(), [2 / 3, np.nan, 0.0])
