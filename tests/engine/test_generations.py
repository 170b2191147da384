"""Samplers of the family's other generations: what they decide on given metrics; pauses."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import step

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.language_model import LanguageModel

POSITIONS = json.loads(
    (Path(__file__).parents[1] / "data" / "vectors" / "original_sampler.json").read_text()
)["positions"]
NAMES = (
    *("logits_entropy", "logits_varentropy", "attn_entropy", "attn_varentropy"),
    *("agreement", "interaction_strength"),
)
KEYS = 1
"""So that any literal agreement is possible."""


def decided(settings: Settings, metrics: dict[str, float]) -> tuple[str, str, int, dict[str, Any]]:
    """Region, strategy, number of draws, and what is drawn with; the agreement is literal."""
    bound = settings.bind(PROVISIONAL)
    values = [metrics[name] for name in NAMES]
    values[4] = 1 - values[4] * KEYS / 2
    outcome = step(bound, PROVISIONAL, values, KEYS, attention=True)
    params = {name: value.item() for name, value in outcome.params._asdict().items()}
    strategy = list(bound.strategies)[outcome.strategy.item()]
    return REGIONS[outcome.region.item()], strategy, int(outcome.looked.item()), params


class TestOriginal:
    @pytest.mark.parametrize("t0", [1.0, 0.666])
    def test_it_decides_as_it_did(self, t0: float) -> None:
        settings = Settings.make("original", {"temperature": str(t0)})
        met = set()
        for position in POSITIONS:
            (told,) = (d for d in position["decisions"] if d["base_temperature"] == t0)
            _, strategy, draws, params = decided(settings, position["metrics"])
            assert strategy == told["strategy"]
            met.add(strategy)
            if strategy == "greedy":
                assert told["temperature"] is None
                continue
            assert draws == told["draws"]
            assert params["top_k"] == told["top_k"]
            for name in ("temperature", "top_p", "min_p"):
                assert params[name] == pytest.approx(told[name], rel=1e-5)
        assert met == {"greedy", "explore", "resample", "adaptive"}

    def test_it_has_the_first_temperature_and_five_draws(self) -> None:
        made = Settings.make("original")
        assert (made.temperature, made.draws, made.resamples, made.resample_floor) == (
            *(0.666, 5, 1),
            2.0,
        )
        assert "top_k = max(5, int(k0 (1 + 0.5 (1 - agreement))))" in "\n".join(
            made.documentation()
        )


def frog(h: float, v: float, a: float, b: float, g: float, i: float) -> tuple[str, dict[str, Any]]:
    """In plain Python."""
    t0, p0, k0, m0 = 0.666, 0.9, 27, 0.03
    base = {"temperature": t0, "top_p": p0, "top_k": k0, "min_p": m0}
    quiet = a < 1.6 and b < 0.25 and g < 2.2e-3 and i < 6.06
    if h < 0.01 and v < 0.05 and quiet:
        return "LELV", base
    if h > 2.1 and v < 0.05 and quiet:
        return "HELV", base | {"temperature": min(1.5, t0 * (1.3 + 0.2 * a))}
    if h < 2.1 and v > 5.8 and a < 1.6 and b > 1.5 and g < 2.2e-3 and i > 6.06:
        k = max(5, int(k0 * (1 + 0.5 * (1 - g))))
        return "LEHV", base | {"temperature": min(1.5, t0 * (1.2 + 0.3 * i)), "top_k": k}
    if h > 0.7 and v > 5.8 and a > 5.0 and b > 1.5 and g > 3.8e-3 and i > 7.0:
        t = max(2.0, t0 * (2.0 + 0.5 * b))
        return "HEHV", base | {"temperature": t, "top_p": max(0.5, p0 - 0.2 * a)}
    return "MID", {
        "temperature": t0 * (1 + 0.3 * h + 0.2 * a - 0.2 * g),
        "top_p": min(max(p0 * (1 + 0.1 * b), 0.1), 1.0),
        "top_k": min(max(round(k0 * (1 + 0.3 * i - 0.2 * g)), 1), 100),
        "min_p": min(max(m0 * (1 - 0.5 * v), 0.01), 0.5),
    }


def either(*values: float) -> st.SearchStrategy[float]:
    return st.sampled_from(values)


class TestFrog:
    @given(
        st.tuples(
            either(0.005, 0.5, 1.0, 2.5, 4.0),
            either(0.02, 1.0, 5.0, 7.0),
            either(1.0, 3.0, 5.5),
            either(0.1, 0.5, 1.75),
            either(1e-3, 3e-3, 5e-3),
            either(5.0, 6.3, 8.0),
        )
    )
    def test_all_six_metrics_have_to_agree(
        self, metrics: tuple[float, float, float, float, float, float]
    ) -> None:
        expected, wanted = frog(*metrics)
        settings = Settings.make("frog")
        region, _, draws, params = decided(settings, dict(zip(NAMES, metrics, strict=True)))
        assert region == expected
        if region == "LELV":
            return
        assert draws == (5 if region == "MID" else 1)
        assert abs(params["top_k"] - wanted["top_k"]) <= (region == "MID")
        for name in ("temperature", "top_p", "min_p"):
            assert params[name] == pytest.approx(wanted[name], rel=1e-4)

    def test_every_corner_can_be_met(self) -> None:
        for region, metrics in {
            "LELV": (0.005, 0.02, 1.0, 0.1, 1e-3, 5.0),
            "HELV": (2.5, 0.02, 1.0, 0.1, 1e-3, 5.0),
            "LEHV": (1.0, 7.0, 1.0, 1.75, 1e-3, 8.0),
            "HEHV": (1.0, 7.0, 5.5, 1.75, 5e-3, 8.0),
        }.items():
            made = Settings.make("frog")
            assert decided(made, dict(zip(NAMES, metrics, strict=True)))[0] == region
            other = (*metrics[:2], 3.0, 0.5, 3e-3, 6.03)
            assert decided(made, dict(zip(NAMES, other, strict=True)))[0] == "MID"


class Reserving(Vocabulary):
    @property
    def pauses(self) -> tuple[int, ...]:
        return (7, 9)


class TestPause:
    FLAT, STEEP = [0.0] * 40, [30.0] + [0.0] * 39

    def run(self, rows: list[list[float]], force: dict[int, int], **values: str) -> list[Choice]:
        settings = Settings.make("pause", {"pauses": "2", "pause_gap": "3", **values})
        made = Sampler(settings, PROVISIONAL, Reserving(), attention=False)
        state, found = made.state(()), []
        for n, row in enumerate(rows):
            assert [x.tolist() for x in state] == [
                x.tolist() for x in made.state([one.past for one in found])
            ]
            decision = made.decide(mx.array(row), None, n, state, draw_key(1, n), force.get(n))
            state = decision.state
            found.append(choice.drawn(decision, attention=False))
            # So long ago is never, where nothing has paused.
            if not any(one.forced == "pause" for one in found):
                state = made.state([one.past for one in found])
        return found

    def test_where_it_is_uncertain_and_not_soon_again(self) -> None:
        told = self.run([self.STEEP, self.FLAT, self.STEEP, *[self.FLAT] * 8], {})
        assert [one.forced for one in told] == [
            *(None, "pause", "pause"),  # what has begun is finished
            *(None, None, None, "pause", "pause", None, None, None),
        ]
        assert {one.id for one in told if one.forced} == {7}
        assert all(one.strategy == "sample" for one in told)

    def test_what_the_user_gives_comes_first(self) -> None:
        told = self.run([self.FLAT] * 3, {0: 5})
        assert [(one.id, one.forced) for one in told[:1]] == [(5, "user")]
        assert told[1].forced == "pause"

    def test_a_model_without_any_says_so(self, llama: LanguageModel) -> None:
        vocabulary = Vocabulary.of(llama.tokenizer, "")
        assert vocabulary.pauses == ()
        assert "keeps no tokens in reserve" in (Settings.make("pause").lacks(vocabulary) or "")
        assert Settings.make("pause").lacks(Reserving()) is None
