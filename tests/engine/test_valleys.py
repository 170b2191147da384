"""Online valleys against scipy, which sees the whole series at once."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks

from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.sampling.valleys import (
    ALPHA,
    DELTA,
    REFRACTORY,
    ValleyDetector,
    ValleyMarks,
    marked,
    places,
    smoothed,
    valley,
)


def averages(series: Iterable[float], alpha: float) -> np.ndarray:
    """The exponential moving average, written down once more."""
    smoothed: list[float] = []
    for entropy in series:
        smoothed.append(
            alpha * entropy + (1 - alpha) * smoothed[-1] if smoothed else float(entropy)
        )
    return np.array(smoothed)


def scipy_valleys(smoothed: np.ndarray, delta: float) -> list[int]:
    if len(smoothed) < 3:
        return []
    return [int(at) for at in find_peaks(-smoothed, prominence=delta)[0]]


def online(detector: ValleyDetector, series: Iterable[float | None]) -> list[tuple[int, int]]:
    """`(confirmed at, minimum at)` of every valley."""
    found = ((now, detector.update(entropy)) for now, entropy in enumerate(series))
    return [(now, at) for now, at in found if at is not None]


def noise(seed: int, length: int = 600) -> np.ndarray:
    """Entropies as a model gives them: skewed, above 0, with slow waves of random depth."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0, 2) * np.sin(np.arange(length) / rng.uniform(5, 40))
    return np.abs(rng.gamma(1.5, 1.0, length) + waves)


@pytest.mark.parametrize("seed", range(100))
def test_without_refractory_it_is_find_peaks(seed: int) -> None:
    series = noise(seed)
    alpha, delta = ((ALPHA, DELTA), (0.08, 0.5), (0.3, 0.2), (1.0, 1.0))[seed % 4]
    found = online(ValleyDetector(alpha, delta, refractory=0), series)
    smoothed = averages(series, alpha)
    assert [at for _, at in found] == scipy_valleys(smoothed, delta)
    if seed < 20:  # and at every moment, not only at the end
        for now in range(0, len(series), 7):
            seen = [at for confirmed, at in found if confirmed <= now]
            assert seen == scipy_valleys(smoothed[: now + 1], delta)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 4))
def test_flat_stretches_and_edges(series: list[int], delta: int) -> None:
    """On integers with alpha 1: plateaus, equal depths, walls of exactly delta."""
    found = [at for _, at in online(ValleyDetector(1.0, delta, refractory=0), series)]
    expected: list[int] = []
    for at in scipy_valleys(np.array(series, dtype=float), delta):
        # Of bottoms of equal depth without a wall of delta between them, the first is reported.
        if expected and series[at] == series[expected[-1]]:
            between = series[expected[-1] : at]
            if max(between) - series[at] < delta:
                continue
        expected.append(at)
    assert found == expected


@pytest.mark.parametrize(
    ("series", "valleys"),
    [
        ([], []),
        ([3], []),
        ([1, 3], []),  # it begins with the rise: no left wall
        ([1, 3, 2, 1], []),  # the rise is still to come
        ([3, 1, 3], [(2, 1)]),
        ([3, 1, 1, 1, 1, 3], [(5, 2)]),  # the middle, rounded down
        ([3, 1, 1.5, 1, 3], [(4, 1)]),
        ([3, 2, 1, 1.9, 1, 2], [(5, 2)]),
        ([1.9, 1, 3], []),  # a left wall below delta
        ([2, 1, 2, 1, 2], [(2, 1), (4, 3)]),
    ],
)
def test_cases_by_hand(series: list[float], valleys: list[tuple[int, int]]) -> None:
    assert online(ValleyDetector(1.0, 1.0, refractory=0), series) == valleys


def test_nulls_are_counted_and_skipped() -> None:
    detector = ValleyDetector(1.0, 1.0, refractory=0)
    assert online(detector, [None, 3, None, 1, None, 3]) == [(5, 3)]
    assert detector.smoothed == 3
    assert ValleyDetector().smoothed is None


def test_a_reported_valley_silences_those_that_follow_closely() -> None:
    series = [2, 1] * 8 + [2]
    minima = [at for _, at in online(ValleyDetector(1.0, 1.0, refractory=0), series)]
    assert minima == list(range(1, 16, 2))
    spaced = [at for _, at in online(ValleyDetector(1.0, 1.0, refractory=4), series)]
    assert spaced == [1, 5, 9, 13]


@pytest.mark.parametrize(
    "arguments", [(0, 1, 0), (1.5, 1, 0), (0.5, 0, 0), (0.5, -1, 0), (0.5, 1, -1)]
)
def test_senseless_settings(arguments: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="alpha must be"):
        ValleyDetector(*arguments)


def test_true_valleys_are_found_with_the_defaults() -> None:
    """Six valleys in 600 tokens of noise: most are found, little else is."""
    hits = found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        centres = np.array([60, 150, 240, 330, 420, 510]) + rng.integers(-15, 16, 6)
        dips = sum(2.2 * np.exp(-0.5 * ((np.arange(600) - c) / 12) ** 2) for c in centres)
        series = np.maximum(3 - dips + rng.normal(0, 0.7, 600), 0)
        valleys = online(ValleyDetector(), series)
        # The average lags behind by about its memory.
        lags = [min(abs(at - c - 1 / ALPHA / 2) for c in centres) for _, at in valleys]
        found += len(valleys)
        hits += len([lag for lag in lags if lag <= 20])
        positions = [at for _, at in valleys]
        assert all(b - a >= REFRACTORY for a, b in pairwise(positions))
    assert hits / 120 > 0.8
    assert hits / found > 0.8


def test_the_course_is_that_on_which_valleys_are_found() -> None:
    series = noise(3)
    course = smoothed(series)
    np.testing.assert_allclose(np.array(course, float), averages(series, ALPHA), rtol=1e-12)
    assert smoothed([None, 2.0, None, 4.0], alpha=0.5) == [None, 2.0, 2.0, 3.0]
    assert smoothed([]) == []


def test_a_valleys_figures_are_its_courses() -> None:
    """By the definition, on the averages written down once more."""
    series = noise(10)
    course, expected = smoothed(series), averages(series, ALPHA)
    found = places(series, DELTA)
    assert len(found) > 5
    since = 0
    for at, confirmed in found:
        fall, rise, delay = valley(course, at, confirmed, since)
        assert fall == pytest.approx(expected[since : at + 1].max() - expected[at])
        assert rise == pytest.approx(expected[confirmed] - expected[at])
        assert fall >= DELTA
        assert rise >= DELTA
        assert delay == confirmed - at > 0
        since = at
    at, confirmed = found[0]
    for wrong in ((confirmed, at), (at, at)):
        with pytest.raises(ValueError, match="no valley"):
            valley(course, *wrong)
    with pytest.raises(ValueError, match="no valley"):
        valley([None, None, 1.0], 1, 2)


@pytest.mark.parametrize("seed", range(20))
def test_a_valley_is_where_one_was_forming(seed: int) -> None:
    """It never goes back, and what is confirmed was forming a moment before."""
    detector, forming = ValleyDetector(), None
    for entropy in noise(seed):
        found = detector.update(entropy)
        if found is not None:
            assert found == forming
        if None not in (forming, detector.forming):
            assert detector.forming >= forming  # type: ignore[operator]
        forming = detector.forming


def token(index: int, entropy: float | None) -> TokenRecord:
    nothing: dict[str, None] = dict.fromkeys(TokenRecord.__struct_fields__[5:16])
    return TokenRecord(
        **{**nothing, "index": index, "parent": index - 1, "id": 1, "text": "a", "bytes": "61"},  # type: ignore[arg-type]
    ).__replace__(entropy=entropy)


def test_a_texts_valleys_follow_what_confirmed_them() -> None:
    series = noise(8)
    records = [token(10 + n, float(entropy)) for n, entropy in enumerate(series)]
    told = list(marked(records, DELTA))
    assert [r for r in told if isinstance(r, TokenRecord)] == records
    events = [(before.index, r) for before, r in pairwise(told) if isinstance(r, Event)]
    assert [(e.kind, e.index - 10, (e.at or 0) - 10) for _, e in events] == [
        ("valley", confirmed, at) for at, confirmed in places(series, DELTA)
    ]
    assert all(index == event.index for index, event in events)
    marks = ValleyMarks(DELTA)
    for record in records[:40]:
        marks.take(record.index, record.entropy)
        assert marks.forming is None or 10 <= marks.forming <= record.index
