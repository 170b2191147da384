"""Decisions: the frequencies of draws against the probabilities that are told."""

import math
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from oracles import log_softmax, warped
from scipy.stats import chisquare

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import draw, metrics, sampler
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL
from entropix_mlx.sampling.decision import Decision, forces
from entropix_mlx.sampling.entropix import State
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.support import CANDIDATES
from entropix_mlx.sampling.vocabulary import Vocabulary

ATTENTION = (2.5, 1.0, 0.5, 4.0)

REGION: dict[str, dict[str, str]] = {
    "LELV": {"lelv_entropy": "1000", "lelv_varentropy": "1000"},
    "HELV": {"helv_entropy": "0", "helv_varentropy": "1000"},
    "LEHV": {"lehv_entropy": "1000", "lehv_varentropy": "0"},
    "HEHV": {"hehv_entropy": "0", "hehv_varentropy": "0"},
    "MID": {},
}
"""Thresholds under which everything is in one region."""

NOWHERE = {
    "lelv_entropy": "0",
    "helv_entropy": "1000",
    "lehv_entropy": "0",
    "hehv_entropy": "1000",
}


def everything_in(region: str, **others: str) -> dict[str, str]:
    return NOWHERE | REGION[region] | others


def bound(
    preset: str,
    overrides: dict[str, str] | None = None,
    clarify: tuple[int, ...] = (),
    *,
    attention: bool = True,
) -> Sampler:
    settings = Settings.make(preset, overrides or {})
    return Sampler(settings, PROVISIONAL, Vocabulary(clarify), attention=attention)


def decide(
    chooser: Sampler, logits: Any, key: mx.array | None = None, state: Any = None
) -> Decision:
    key = draw_key(7, 0) if key is None else key
    seen = mx.array(ATTENTION)
    start = chooser.state(()) if state is None else state
    return chooser.decide(mx.array(logits), seen, 10, start, key)


class Told:
    """A decision's arrays by name."""

    def __init__(self, decision: Decision) -> None:
        ints, floats = decision.read()
        self.id, self.rank, self.top_k, self.ids = ints.id, ints.rank, ints.top_k, ints.listed
        self.quadrant, self.region = QUADRANTS[ints.quadrant], REGIONS[ints.region]
        self.strategy = list(decision.sampler.strategies)[ints.strategy]
        self.forced = forces(decision.sampler)[ints.forced]
        self.measured = floats.measured
        self.temperature, self.top_p, self.min_p = floats.temperature, floats.top_p, floats.min_p
        self.logprob, self.p = floats.logprob, floats.p
        self.logprobs, self.ps = floats.logprobs, floats.ps
        assert decision.token.item() == self.id


LOGITS = np.random.default_rng(2).normal(0, 1.6, 24).astype(np.float32)
"""A small vocabulary, none of it negligible."""

KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "greedy": ("greedy", {}),
    "temperature, whole vocabulary": ("temperature", {"temperature": "1.4"}),
    "temperature, top-k": ("temperature", {"temperature": "1.2", "top_k": "5"}),
    "temperature, long top-k": ("temperature", {"temperature": "2", "top_k": "5000"}),
    "temperature, top-p": ("temperature", {"temperature": "1", "top_p": "0.8"}),
    "temperature, min-p": ("temperature", {"temperature": "1.5", "min_p": "0.1"}),
    "temperature, all": (
        "temperature",
        {"temperature": "1.5", "min_p": "0.05", "top_k": "12", "top_p": "0.9"},
    ),
    **{
        f"{preset}, {region}": (preset, everything_in(region, clarify="false"))
        for preset in ("calibrated", "entropixplained")
        for region in REGIONS
    },
    "calibrated, MID of one draw": ("calibrated", everything_in("MID", draws="1")),
}


def draws(chooser: Sampler, keys: Sequence[mx.array]) -> np.ndarray:
    """The token of each key, all at once."""

    def token(key: mx.array) -> mx.array:
        return decide(chooser, LOGITS, key).token

    found = np.array(mx.vmap(token)(mx.stack(list(keys))))
    one_by_one = [int(token(key).item()) for key in keys[:10]]
    assert found[:10].tolist() == one_by_one
    return found


class TestFrequencies:
    @pytest.mark.parametrize("kind", KINDS)
    def test_draws_are_as_frequent_as_told(self, kind: str) -> None:
        preset, overrides = KINDS[kind]
        chooser = bound(preset, overrides)
        keys = [draw_key(11, depth) for depth in range(4000)]
        counts = np.bincount(draws(chooser, keys), minlength=LOGITS.size)
        told = Told(decide(chooser, LOGITS))
        listed, ps = np.array(told.ids), np.array(told.ps)
        assert listed.tolist() == np.argsort(-LOGITS, kind="stable")[:CANDIDATES].tolist()
        observed = [*counts[listed], len(keys) - counts[listed].sum()]
        expected = np.array([*ps, max(0.0, 1 - ps.sum())])
        assert ps.sum() <= 1 + 1e-5
        possible = expected * len(keys) >= 5
        assert np.array(observed)[expected < 1e-6].sum() == 0
        if possible.sum() > 1:
            rest = ~possible
            f = [*np.array(observed)[possible], np.array(observed)[rest].sum()]
            e = [*(expected * len(keys))[possible], (expected * len(keys))[rest].sum()]
            if e[-1] < 1:
                f, e = f[:-1], e[:-1]
            assert chisquare(f, np.array(e) * sum(f) / sum(e)).pvalue > 1e-3
        else:
            assert observed[int(expected.argmax())] == len(keys)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_told_follows_from_the_settings_used(self, kind: str) -> None:
        """The final probabilities, recomputed from temperature to min-p by transformers."""
        preset, overrides = KINDS[kind]
        told = Told(decide(bound(preset, overrides), LOGITS))
        if told.strategy == "greedy":
            expected = (np.argsort(np.argsort(-LOGITS)) == 0).astype(float)
        else:
            expected = warped(LOGITS, told.temperature, told.min_p, told.top_k, told.top_p)
            draws = {
                "adaptive": int(overrides.get("draws", 12)),
                "resample": 12 if preset == "calibrated" else 1,
            }.get(told.strategy, 1)
            order = np.argsort(-LOGITS)
            later = np.append(np.cumsum(expected[order][::-1])[::-1], 0) ** draws
            expected[order] = later[:-1] - later[1:]
        np.testing.assert_allclose(told.ps, expected[told.ids], atol=2e-5)
        assert told.p == pytest.approx(expected[told.id], abs=2e-5)

    @pytest.mark.slow
    def test_the_chosen_one_need_not_be_listed(self) -> None:
        chooser = bound("temperature", {"temperature": "10"})
        found = [Told(decide(chooser, LOGITS, draw_key(3, i))) for i in range(60)]
        unlisted = [told for told in found if told.id not in told.ids]
        assert unlisted
        expected = warped(LOGITS, 10, 0, 0, 1)
        for told in unlisted:
            assert told.p == pytest.approx(expected[told.id], abs=1e-5)
            assert told.rank >= CANDIDATES

    @pytest.mark.parametrize("kind", KINDS)
    def test_raw_measures_are_of_the_raw_distribution(self, kind: str) -> None:
        preset, overrides = KINDS[kind]
        told = Told(decide(bound(preset, overrides), LOGITS))
        raw = log_softmax(LOGITS)
        entropy = -float((np.exp(raw) * raw).sum()) / math.log(2)
        assert told.measured[0] == pytest.approx(entropy, abs=1e-5)
        assert told.measured[2:] == pytest.approx(ATTENTION)
        assert told.logprob == pytest.approx(raw[told.id], abs=1e-5)
        np.testing.assert_allclose(told.logprobs, raw[told.ids], atol=1e-5)
        assert told.rank == np.argsort(-LOGITS, kind="stable").tolist().index(told.id)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("size", [1, 3, 300, 5001])
    def test_any_vocabulary(self, kind: str, size: int) -> None:
        preset, overrides = KINDS[kind]
        logits = np.random.default_rng(size).normal(0, 2, size).astype(np.float16)
        told = Told(decide(bound(preset, overrides), logits))
        assert 0 <= told.id < size
        assert len(told.ids) == len(told.ps) == len(told.logprobs) == min(CANDIDATES, size)
        assert 0 < told.p <= 1 + 1e-5

    def test_greedy_takes_the_first_of_equals(self) -> None:
        logits = np.zeros(9000, np.float32)
        logits[[700, 701, 8000]] = 3
        assert Told(decide(bound("greedy"), logits)).id == 700


class TestKeys:
    def test_they_come_from_the_place_alone(self) -> None:
        places = [
            (s, d, r, b) for s in (0, 1, 2**63) for d in range(20) for r in (0, 1) for b in (0, 1)
        ]
        keys = [tuple(draw_key(*place).tolist()) for place in places]
        assert len(set(keys)) == len(places)
        assert keys == [tuple(draw_key(*place).tolist()) for place in places]

    def test_they_never_change(self) -> None:
        """A trace of an older version is replayed with its seed."""
        assert draw_key(7, 0).tolist() == [1117103802, 2230935772]
        assert draw_key(7, 0).dtype == mx.uint32

    def test_a_redraw_is_another_draw(self) -> None:
        chooser = bound("temperature", {"temperature": "5"})
        tokens = [
            decide(chooser, LOGITS, draw_key(1, 5, redraw)).token.item() for redraw in range(20)
        ]
        assert len(set(tokens)) > 5
        assert decide(chooser, LOGITS, draw_key(1, 5)).token.item() == tokens[0]


class TestClarify:
    HOT = np.linspace(0, 0.001, 24).astype(np.float32)
    """High entropy, hardly any varentropy."""

    COLD = np.array([9] + [-9] * 23, np.float32)

    def run(self, ids: tuple[int, ...], logits: Sequence[np.ndarray], **other: str) -> list[Told]:
        overrides = {"helv_entropy": "3", "helv_varentropy": "0.1"} | other
        chooser = bound("entropixplained", overrides, ids)
        state, told = chooser.state(()), []
        for depth, row in enumerate(logits):
            decision = decide(chooser, row, draw_key(5, depth), state)
            state = decision.state
            told.append(Told(decision))
        return told

    def test_one_token(self) -> None:
        told = self.run((20,), [self.HOT] * 6)
        assert [t.forced for t in told] == ["clarify", None] * 3
        assert [t.id for t in told if t.forced] == [20] * 3
        assert all(t.strategy == "clarify" for t in told)

    def test_three_tokens_in_order_and_not_within_three(self) -> None:
        told = self.run((20, 21, 22), [self.HOT] * 13)
        assert [t.forced for t in told] == ([*["clarify"] * 3, *[None] * 3] * 3)[:13]
        assert [t.id for t in told[:3]] == [t.id for t in told[6:9]] == [20, 21, 22]

    def test_what_has_begun_is_finished_elsewhere(self) -> None:
        told = self.run((20, 21, 22), [self.HOT, self.COLD, self.COLD, self.COLD, self.HOT])
        assert [t.id for t in told[:4]] == [20, 21, 22, 0]
        assert [t.region for t in told[:2]] == ["HELV", "LELV"]
        assert told[4].forced is None  # two ids back one was forced

    def test_between_two_the_draw_is_hot(self) -> None:
        told = self.run((20,), [self.HOT] * 2)[1]
        assert told.temperature == pytest.approx(1.5)  # min(1.5, 1.3 + 0.2 * 2.5)
        assert told.p == pytest.approx(1 / 22, abs=1e-3)  # 22 of 24 make up nine tenths

    def test_a_forced_token_had_no_alternative(self) -> None:
        told = self.run((20,), [self.HOT])[0]
        assert told.p == 1
        assert told.ps == [float(id == 20) for id in told.ids]
        raw = log_softmax(self.HOT)
        assert told.logprob == pytest.approx(raw[20], abs=1e-5)
        assert told.rank == 3

    def test_it_can_be_switched_off(self) -> None:
        assert not any(t.forced for t in self.run((20,), [self.HOT] * 4, clarify="false"))
        assert not any(t.forced for t in self.run((), [self.HOT] * 4))

    def test_baselines_never_clarify(self) -> None:
        chooser = bound("temperature", {}, (20,))
        assert not Told(decide(chooser, self.HOT)).forced


class TestState:
    ROWS = np.random.default_rng(9).normal(0, 1, (12, 24)) * np.linspace(0.1, 6, 12)[:, None]

    def states(self, chooser: Sampler, rows: np.ndarray) -> list[list[Any]]:
        state, found = chooser.state(()), []
        for depth, row in enumerate(rows):
            state = decide(chooser, row.astype(np.float32), draw_key(1, depth), state).state
            found.append([part.tolist() for part in state])
        return found

    def test_it_is_a_pure_function_of_the_path(self) -> None:
        chooser = bound("calibrated", {"rolling": "0.3"}, (20, 21))
        assert self.states(chooser, self.ROWS) == self.states(chooser, self.ROWS)
        again = bound("calibrated", {"rolling": "0.3"}, (20, 21))
        assert self.states(again, self.ROWS[:5]) == self.states(chooser, self.ROWS)[:5]

    @pytest.mark.parametrize("weight", [1.0, 0.3])
    def test_rolling_inputs(self, weight: float) -> None:
        """An exponential mean over past tokens decides; what is told is the token's own."""
        overrides = {"rolling": str(weight), "clarify": "false", "helv_varentropy": "0"}
        overrides |= {"lelv_entropy": "3.9", "lelv_varentropy": "1.5", "lehv_varentropy": "2.0"}
        overrides |= {"lehv_entropy": "4.1", "hehv_entropy": "1000"}
        chooser = bound("calibrated", overrides)
        state, mean, regions = chooser.state(()), np.zeros(2), []
        for depth, row in enumerate(self.ROWS.astype(np.float32)):
            decision = decide(chooser, row, draw_key(1, depth), state)
            state, told = decision.state, Told(decision)
            raw = log_softmax(row) / math.log(2)
            entropy = -(np.exp2(raw) * raw).sum()
            own = np.array([entropy, (np.exp2(raw) * (raw + entropy) ** 2).sum()])
            mean = own if depth == 0 else weight * own + (1 - weight) * mean
            assert told.measured[:2] == pytest.approx(own, abs=1e-4)
            np.testing.assert_allclose(np.array(State.of(state).means)[:2], mean, atol=1e-4)
            low_h, low_v = mean[0] < 3.9, mean[1] < 1.5
            expected = (
                "LELV" if low_h and low_v else "LEHV" if mean[0] < 4.1 and mean[1] > 2 else "MID"
            )
            assert told.region == expected
            regions.append(told.region)
        assert len(set(regions)) == 2
        assert len(State.of(state).means) == len(METRICS)


@pytest.mark.slow
def test_every_token_is_possible_that_the_filters_leave() -> None:
    """The pruned support of the entropix presets holds what its widest filters keep."""
    logits = np.random.default_rng(1).normal(0, 0.01, 20_000).astype(np.float32)
    overrides = everything_in("LEHV", top_k="100", top_p="1", min_p="0")
    chooser = bound("entropixplained", overrides)
    decision = chooser.decide(
        mx.array(logits), mx.array([1.0, 1.0, 1.0, 1.0]), 10, chooser.state(()), draw_key(1, 1)
    )
    told = Told(decision)
    assert told.top_k == 150
    expected = warped(logits, told.temperature, 0, 150, 1)
    np.testing.assert_allclose(told.ps, expected[told.ids], atol=1e-6)


KEPT = {
    "the first few": ("calibrated", everything_in("MID", top_k="3")),
    "anywhere": ("temperature", {"temperature": "1", "min_p": "0.2"}),
}


@pytest.mark.parametrize("end", ["first", "last"])
@pytest.mark.parametrize("kept", KEPT)
def test_a_place_that_was_removed_is_never_drawn(
    kept: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a number is zero, or is rounded to the end of what is summed."""
    preset, overrides = KEPT[kept]
    row = np.zeros(300, np.float32)
    row[[40, 90, 200]] = 9, 8.9, 8.8

    def at_end(shape: tuple[int, ...], key: mx.array) -> mx.array:
        del key
        return mx.full(shape, float(end == "last"))

    monkeypatch.setattr(mx.random, "uniform", at_end)
    told = Told(decide(bound(preset, overrides), row))
    assert told.id == (40 if end == "first" else 200)
    assert told.p > 0


def test_what_is_hardly_possible_is_drawn_where_nothing_else_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the smallest floats a share is rounded to the whole."""
    odds = mx.array(np.array([0, 1e-45, 0, 1e-45, 0], np.float32))
    for number, place in ((0.0, 1), (1 - 2.0**-24, 3)):
        monkeypatch.setattr(mx.random, "uniform", lambda number=number, **_: mx.full((2,), number))
        assert draw.of_odds(odds, 2, draw_key(1, 1)).tolist() == [place, place]


@pytest.mark.parametrize("size", [24, 128, 5000])
@pytest.mark.parametrize("n", [1, 12])
def test_draws_are_those_of_mlx(n: int, size: int) -> None:
    """So that a trace made when they were MLX's own is drawn again."""
    for depth in range(40):
        row = np.random.default_rng(depth).normal(0, 3, size).astype(np.float32)
        if depth % 3:
            row[:: 1 + depth % 3] = -np.inf
        log_p, key = mx.array(log_softmax(row).astype(np.float32)), draw_key(3, depth)
        drawn = mx.random.categorical(log_p, num_samples=n, key=key)
        assert draw.places(log_p, n, key).tolist() == drawn.tolist()


@pytest.mark.slow
@pytest.mark.usefixtures("compilation")
def test_the_compiled_decision_is_the_same() -> None:
    """GPUs run one graph of fixed shapes; the CPU the same function as it stands."""
    for preset, overrides in (("calibrated", {}), ("temperature", {"top_p": "0.9"})):
        chooser = bound(preset, overrides, (20, 21))
        plain = chooser._decide
        compiled = sampler._compiled(plain.args[0])  # type: ignore[attr-defined]
        assert plain.func is sampler._decide  # type: ignore[attr-defined]
        state = other = chooser.state(())
        for depth in range(8):
            row = np.random.default_rng(depth).normal(0, depth / 2, 300).astype(np.float32)
            forced = mx.array(5 if depth == 6 else -1)
            given = sampler._Given(
                mx.array(row)[None],
                mx.array(ATTENTION),
                mx.array(9.0),
                draw_key(3, depth),
                forced,
                mx.zeros((1, 6)),
            )
            one = plain(given, state, chooser.scalars)
            two = compiled(given, other, chooser.scalars)
            assert one[1].tolist() == two[1].tolist()
            np.testing.assert_allclose(np.array(one[2]), np.array(two[2]), atol=1e-4)
            state, other = one[3:], two[3:]


def test_metrics_are_those_of_the_metrics_module() -> None:
    told = Told(decide(bound("greedy"), LOGITS))
    moments = metrics.moments(mx.array(LOGITS)[None])
    assert told.measured[:2] == [moments.entropy.item(), moments.varentropy.item()]
