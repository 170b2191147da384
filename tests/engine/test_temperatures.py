"""Temperatures that follow from the entropy, against their definitions in NumPy (float64)."""

import math
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from oracles import log_softmax
from test_links import normalised

from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary

Rows = np.ndarray[Any, np.dtype[Any]]


def nats(x: Rows) -> float:
    p = log_softmax(x)
    return float(-(np.exp(p) * p).sum())


def dynatemp(x: Rows, middle: float, by: float, exponent: float) -> float:
    low, high = max(0.0, middle - by), middle + by
    share = nats(x) / math.log(x.size)
    return float(max(low + (high - low) * share**exponent, 0.01))


def edt(x: Rows, t0: float, theta: float) -> float:
    return max(t0 * 0.8 ** (theta / nats(x)), 0.01)


def adaptive(x: Rows) -> float:
    h = nats(x)
    fit = -0.037 * h**4 + 0.481 * h**3 - 2.3 * h**2 + 4.917 * h - 1.791
    return 1 / max(fit, 1) if h > 0.5 else 1.0


def flow(x: Rows, cool: float, heat: float) -> float:
    low, high = PROVISIONAL.entropy.low, PROVISIONAL.entropy.high
    return float(np.interp(nats(x) / math.log(2), (low, high), (cool, heat)))


KINDS = {
    "dynatemp=0.8:0.5:1.3": lambda x: dynatemp(x, 0.8, 0.5, 1.3),
    "dynatemp=0.3:0.9": lambda x: dynatemp(x, 0.3, 0.9, 1.0),
    "edt": lambda x: edt(x, 0.8, 1.0),
    "edt=1.5:3": lambda x: edt(x, 1.5, 3.0),
    "adaptive-temperature": adaptive,
    "flow=0.4:1.3": lambda x: flow(x, 0.4, 1.3),
}


@pytest.mark.parametrize("text", KINDS)
def test_the_temperature(text: str) -> None:
    found = []
    for spread in (0.05, 0.5, 1.0, 2.0, 4.0, 9.0):
        x = np.random.default_rng(int(10 * spread)).normal(0, spread, 300)
        made = Sampler(Settings.make(text), PROVISIONAL, Vocabulary(), attention=False)
        logits = mx.array(x.astype(np.float32))
        ints, floats = made.decide(logits, None, 9, made.state(()), draw_key(1, 1)).read()
        expected = KINDS[text](x)
        assert floats.temperature == pytest.approx(expected, rel=1e-4)
        p = np.exp(normalised(x / expected))
        np.testing.assert_allclose(floats.ps, p[ints.listed], atol=1e-4)
        found.append(expected)
    assert max(found) - min(found) > 0.05


def test_what_is_left_counts() -> None:
    """After top-k the greatest entropy is that of so many."""
    x = np.zeros(500)
    made = Sampler(
        Settings.make("top-k=8,dynatemp=0.8:0.5"), PROVISIONAL, Vocabulary(), attention=False
    )
    floats = made.decide(mx.array(x), None, 9, made.state(()), draw_key(1, 1)).read()[1]
    assert floats.temperature == pytest.approx(1.3)


def test_a_certain_one_is_no_division_by_zero() -> None:
    x = np.full(50, -1e4)
    x[7] = 0
    for text in KINDS:
        made = Sampler(Settings.make(text), PROVISIONAL, Vocabulary(), attention=False)
        decision = made.decide(mx.array(x), None, 9, made.state(()), draw_key(1, 1))
        ints, floats = decision.read()
        assert (ints.id, floats.p) == (7, pytest.approx(1))
        assert math.isfinite(floats.temperature)
        assert floats.temperature > 0


def test_temperatures_multiply() -> None:
    made = Sampler(
        Settings.make("edt=0.8:0,temperature=0.5"), PROVISIONAL, Vocabulary(), attention=False
    )
    decision = made.decide(mx.array(np.arange(9.0)), None, 9, made.state(()), draw_key(1, 1))
    assert decision.read()[1].temperature == pytest.approx(0.4)
