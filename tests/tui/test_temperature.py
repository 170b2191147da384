"""What-if probabilities against longer arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspections import logprobs

from entropix_tui.look.temperature import HIGHEST, LOWEST, STEP, nearest, tempered


@given(
    st.lists(st.floats(-60, 0, width=32), min_size=1, max_size=60),
    st.floats(LOWEST, HIGHEST),
)
def test_against_exact_sums(values: list[float], temperature: float) -> None:
    weights = [math.exp((value - max(values)) / temperature) for value in values]
    total = math.fsum(weights)
    expected = [weight / total for weight in weights]
    np.testing.assert_allclose(tempered(values, temperature), expected, rtol=1e-12)


def test_a_whole_vocabulary() -> None:
    values = logprobs(128_256)
    longer = values.astype(np.longdouble) / np.longdouble(0.35)
    weights = np.exp(longer - longer.max())
    expected = (weights / weights.sum()).astype(np.float64)
    np.testing.assert_allclose(tempered(values, 0.35), expected, rtol=1e-10)
    some = tempered(values, 0.35, of=values[[0, 5, 90_000]])
    np.testing.assert_allclose(some, expected[[0, 5, 90_000]], rtol=1e-10)


def test_nothing_overflows() -> None:
    values = np.array([-1e-7, -800.0, -3000.0, -np.inf], np.float32)
    cold = tempered(values, LOWEST)
    assert cold.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.isfinite(tempered(values - 5000, HIGHEST)).all()
    assert tempered([], 1.0).size == 0


@pytest.mark.parametrize(
    ("wanted", "found"), [(0.0, LOWEST), (9.0, HIGHEST), (0.52, 0.5), (0.30000000000000004, 0.3)]
)
def test_trial_temperatures_are_steps(wanted: float, found: float) -> None:
    assert nearest(wanted) == found


def test_steps_reach_every_temperature() -> None:
    at, seen = LOWEST, [LOWEST]
    while at < HIGHEST:
        at = nearest(at + STEP)
        seen.append(at)
    assert len(seen) == 60
