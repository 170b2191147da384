"""The Dirichlet distribution against SciPy, and what the sampler makes of what is usual."""

import math
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from scipy import optimize, special, stats

from entropix_mlx.decoding import choice
from entropix_mlx.sampling import dirichlet
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.past import LISTED
from entropix_mlx.sampling.sampler import Sampler, Stages, draw_key
from entropix_mlx.sampling.samplers.dirichlet import State
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.support import CANDIDATES
from entropix_mlx.sampling.vocabulary import Vocabulary

Rows = np.ndarray[Any, np.dtype[Any]]


class TestGamma:
    X = np.geomspace(1e-3, 1e4, 400).astype(np.float32)

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (dirichlet.digamma, special.digamma),
            (dirichlet.trigamma, lambda x: special.polygamma(1, x)),
            (dirichlet.log_gamma, special.gammaln),
        ],
    )
    def test_functions(self, ours: Any, theirs: Any) -> None:
        found = np.array(ours(mx.array(self.X)))
        # Six terms are taken off a sum of their size; roundings of float32 stay.
        np.testing.assert_allclose(found, theirs(self.X.astype(np.float64)), rtol=2e-5, atol=3e-5)

    def test_likelihood(self) -> None:
        rng = np.random.default_rng(3)
        for _ in range(20):
            alpha = rng.gamma(2, 3, LISTED).astype(np.float32)
            p = rng.dirichlet(np.full(LISTED, 2.0))
            found = dirichlet.log_likelihood(
                mx.array(alpha), mx.array(np.log(p).astype(np.float32))
            )
            expected = stats.dirichlet.logpdf(p / p.sum(), alpha.astype(np.float64))
            assert found.item() == pytest.approx(expected, rel=1e-3, abs=2e-3)


class TestFit:
    def test_it_solves_its_equations(self) -> None:
        rng = np.random.default_rng(5)
        for size in (0.5, 2.0, 20.0):
            true = rng.gamma(2, size, LISTED) + 0.2
            mean = special.digamma(true) - special.digamma(true.sum())
            found = np.array(dirichlet.fit(mx.array(mean.astype(np.float32))), np.float64)
            np.testing.assert_allclose(found, true, rtol=2e-2)

    def test_it_is_the_likeliest_of_a_sample(self) -> None:
        rng = np.random.default_rng(7)
        logs = np.log(rng.dirichlet([4, 3, 2, 1, 1, 0.8, 0.6, 0.5], 40))

        def unlikely(log_alpha: Rows) -> float:
            alpha = np.exp(log_alpha)
            each = special.gammaln(alpha.sum()) - special.gammaln(alpha).sum()
            return float(-(each + ((alpha - 1) * logs.mean(axis=0)).sum()))

        best = np.exp(optimize.minimize(unlikely, np.zeros(LISTED)).x)
        found = np.array(dirichlet.fit(mx.array(logs.mean(axis=0).astype(np.float32))))
        np.testing.assert_allclose(found, best, rtol=5e-3)

    @pytest.mark.parametrize(
        "p", [np.full(8, 1 / 8), np.array([1 - 7e-9] + [1e-9] * 7), 0.5 ** np.arange(1, 9)]
    )
    def test_one_sample_has_no_fit_and_gives_its_own_odds(self, p: Rows) -> None:
        alpha = np.array(dirichlet.fit(mx.array(np.log(p / p.sum()).astype(np.float32))))
        assert np.isfinite(alpha).all()
        assert (alpha > 0).all()
        mean = alpha / alpha.sum()
        assert mean.argmax() == p.argmax()


def sampler(**values: str) -> Sampler:
    made = Settings.make("dirichlet", values)
    return Sampler(made, PROVISIONAL, Vocabulary(), attention=False)


def row_of(spread: float, seed: int, size: int = 200) -> mx.array:
    return mx.array(np.random.default_rng(seed).normal(0, spread, size).astype(np.float32))


def run(
    made: Sampler, rows: Sequence[mx.array]
) -> tuple[list[choice.Choice], tuple[mx.array, ...]]:
    state, found = made.state(()), []
    for n, row in enumerate(rows):
        decision = made.decide(row, None, n, state, draw_key(1, n))
        state = decision.state
        found.append(choice.drawn(decision, attention=False))
    return found, state


def nats(p: Rows) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


class TestSampler:
    USUAL = tuple(row_of(1.5, seed) for seed in range(12))

    def test_as_usual_the_usual_entropy_is_brought_back(self) -> None:
        made = sampler(calm="0", unusual="1e6")
        _, state = run(made, self.USUAL)
        usual = State(*state).usual.item()
        for spread in (1.2, 1.5, 2.0):
            seen: Stages = made.stages(row_of(spread, 40), None, 12, state, draw_key(2, 2))
            assert list(made.settings.strategies)[seen.outcome.strategy.item()] == "restore"
            assert nats(np.array(seen.outcome.final)) == pytest.approx(usual, abs=2e-3)

    def test_surer_than_usual_is_greedy(self) -> None:
        made = sampler(calm="0.9", unusual="1e6")
        _, state = run(made, self.USUAL)
        seen = made.stages(row_of(5, 41), None, 12, state, draw_key(2, 2))
        assert list(made.settings.strategies)[seen.outcome.strategy.item()] == "greedy"
        assert np.array(seen.outcome.final).max() == 1

    @pytest.mark.parametrize(("strange", "strategy"), [("1e6", "mix"), ("0", "temper")])
    def test_what_is_unusual(self, strange: str, strategy: str) -> None:
        made = sampler(strange=strange)
        _, state = run(made, self.USUAL)
        row = mx.concatenate([mx.array([5.0]), mx.zeros(199)])
        seen = made.stages(row, None, 12, state, draw_key(2, 2))
        assert list(made.settings.strategies)[seen.outcome.strategy.item()] == strategy
        final, usual = np.array(seen.outcome.final, np.float64), State(*state).usual.item()
        t = seen.outcome.params.temperature.item()
        left = np.array(row, np.float64)[np.array(seen.ids)] / t
        tempered = np.exp(left - left.max()) / np.exp(left - left.max()).sum()
        assert nats(tempered) == pytest.approx(usual, abs=5e-3)
        if strategy == "temper":
            np.testing.assert_allclose(final, tempered, atol=1e-5)
            return
        alpha = np.array(dirichlet.fit(State(*state).odds), np.float64)
        typical, its = alpha / alpha.sum(), tempered[:LISTED] / tempered[:LISTED].sum()
        own = 1 - math.exp(-(its * np.log(its / typical)).sum())
        assert final[:LISTED].sum() == pytest.approx(tempered[:LISTED].sum(), abs=1e-4)
        np.testing.assert_allclose(final[LISTED:], tempered[LISTED:], atol=1e-5)
        mixed = final[:LISTED] / final[:LISTED].sum()
        np.testing.assert_allclose(mixed, own * its + (1 - own) * typical, atol=1e-4)
        assert np.abs(mixed - its).max() > 0.01

    def test_the_means_are_weighted_by_age(self) -> None:
        made = sampler(weight="0.4")
        found, state = run(made, self.USUAL)
        center = np.zeros(2)
        for n, one in enumerate(found):
            new = np.array([one.entropy * math.log(2), one.varentropy * math.log(2) ** 2])
            center = new if n == 0 else 0.4 * new + 0.6 * center
        np.testing.assert_allclose(np.array(State(*state).center), center, rtol=1e-4)

    def test_a_path_has_the_state_of_its_steps(self) -> None:
        made = sampler()
        found, state = run(made, self.USUAL)
        again = made.state([one.past for one in found])
        for one, other in zip(state, again, strict=True):
            np.testing.assert_allclose(np.array(one), np.array(other), rtol=2e-4, atol=2e-5)
        assert CANDIDATES == LISTED

    @pytest.mark.parametrize("size", [1, 5, 8, 9, 64, 300])
    def test_any_vocabulary(self, size: int) -> None:
        found, _ = run(sampler(), [row_of(2, seed, size) for seed in range(8)])
        assert all(0 <= one.id < size for one in found)
        assert all(math.isfinite(p) for one in found for _, _, p in one.candidates)
