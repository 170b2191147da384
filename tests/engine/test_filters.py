"""The filters of a draw against those of transformers, and what they never do."""

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import warped

from entropix_mlx.sampling import filters
from entropix_mlx.sampling.filters import SamplingParams


def draw(temperature: float, top_k: int, top_p: float, min_p: float) -> SamplingParams:
    values = (mx.array(float(x)) for x in (temperature, top_k, top_p, min_p))
    return SamplingParams(*values)


FILTERS = [
    (1.0, 0.0, 0, 1.0),
    (0.3, 0.0, 0, 1.0),
    (3.0, 0.0, 0, 1.0),
    (1.0, 0.05, 0, 1.0),
    (2.5, 0.3, 0, 1.0),
    (1.0, 1.0, 0, 1.0),
    (1.0, 0.0, 1, 1.0),
    (1.3, 0.0, 40, 1.0),
    (1.0, 0.0, 0, 0.9),
    (1.0, 0.0, 0, 0.01),
    (1.5, 0.02, 27, 0.9),
    (0.7, 0.03, 27, 0.9),
    (2.4, 0.01, 60, 0.5),
    (5.0, 0.05, 100, 0.999),
]


class TestFilters:
    @pytest.mark.slow
    @pytest.mark.parametrize(("temperature", "min_p", "top_k", "top_p"), FILTERS)
    @pytest.mark.parametrize("spread", [0.5, 2.0, 8.0])
    def test_they_are_those_of_transformers(
        self, spread: float, temperature: float, min_p: float, top_k: int, top_p: float
    ) -> None:
        logits = np.random.default_rng(int(spread * 10)).normal(0, spread, 700).astype(np.float32)
        descending = np.sort(logits)[::-1].copy()
        expected = warped(descending, temperature, min_p, top_k, top_p)
        found = filters.filtered(
            mx.array(descending), draw(temperature, top_k, top_p, min_p), ordered=True
        )
        p = np.exp(np.array(filters.log_p(found), np.float64))
        np.testing.assert_array_equal(p > 0, expected > 0)
        np.testing.assert_allclose(p, expected, atol=1e-5)
        if top_k == 0 and top_p == 1:
            found = filters.filtered(
                mx.array(logits), draw(temperature, 0, 1, min_p), ordered=False
            )
            p = np.exp(np.array(filters.log_p(found), np.float64))
            np.testing.assert_allclose(p, warped(logits, temperature, min_p, 0, 1), atol=1e-5)

    @given(
        arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32)),
        st.floats(0.01, 100),
        st.integers(0, 100),
        st.floats(0.01, 1),
        st.floats(0, 1),
    )
    def test_the_most_likely_stays_and_probabilities_sum_to_one(
        self, logits: np.ndarray, temperature: float, top_k: int, top_p: float, min_p: float
    ) -> None:
        descending = mx.array(np.sort(logits)[::-1].copy())
        found = filters.filtered(descending, draw(temperature, top_k, top_p, min_p), ordered=True)
        p = np.exp(np.array(filters.log_p(found), np.float64))
        assert p[0] > 0
        assert p.sum() == pytest.approx(1, abs=1e-5)
        assert (np.diff(p) <= 1e-7).all()
        if top_k:
            assert np.count_nonzero(p) <= top_k
        loose = filters.filtered(mx.array(logits), draw(temperature, 0, 1, min_p), ordered=False)
        p = np.exp(np.array(filters.log_p(loose), np.float64))
        assert p[logits.argmax()] > 0
        assert p.sum() == pytest.approx(1, abs=1e-5)

    @given(
        arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 1, width=32)),
        st.integers(1, 64),
    )
    def test_best_of(self, weights: np.ndarray, n: int) -> None:
        weights = weights + np.float32(1e-3)
        p = np.sort(weights / weights.sum())[::-1].astype(np.float64)
        found = np.array(filters.best_of(mx.array(p.astype(np.float32)), mx.array(n)), np.float64)
        # All n draws are at rank r or later, but not all later.
        later = np.array([p[rank:].sum() for rank in range(p.size + 1)]) ** n
        np.testing.assert_allclose(found, later[:-1] - later[1:], atol=2e-4)
        assert found.sum() == pytest.approx(1, abs=1e-4)


class TestFollowing:
    STAGES = filters.filtered(
        mx.array([3.0, 2.0, 1.0, 0.0, -mx.inf]), draw(2.0, 3, 1.0, 0.0), ordered=True
    )

    @pytest.mark.parametrize(
        ("may", "left"),
        [
            ([1, 1, 1, 1, 1], [0, 1, 2]),
            ([0, 1, 1, 1, 1], [1, 2]),
            ([0, 0, 0, 1, 1], [3]),  # beyond what the filters left, but not what is banned
        ],
    )
    def test_what_may_not_follow_is_left_out(self, may: list[int], left: list[int]) -> None:
        weights = filters.following(self.STAGES, mx.array(may) == 1).weights
        assert np.flatnonzero(np.isfinite(np.array(weights))).tolist() == left
        kept = np.array(self.STAGES[-1].weights)
        if left[0] < 3:
            assert np.array(weights)[left] == pytest.approx(kept[left]), "the odds stay"
