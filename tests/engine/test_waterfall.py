"""Each stage against NumPy in float64, and the last one against the sampler itself."""

import mlx.core as mx
import numpy as np
import pytest

from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.waterfall import SHOWN, waterfall
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings
from entropix_models.language_model import LanguageModel

PROMPT = [int(i) for i in np.random.default_rng(3).integers(3, 259, 30)]


def decoder(model: LanguageModel, preset: str, **overrides: str) -> Decoder:
    made = Decoder(model, Settings.make(preset, overrides), PROVISIONAL, 7)
    made.prefill(PROMPT[:-1])
    made.begin(PROMPT[-1])
    return made


@pytest.mark.parametrize(
    "overrides",
    [
        {"temperature": "2", "min_p": "0.05", "top_k": "20", "top_p": "0.8"},
        {"temperature": "0.5", "min_p": "0", "top_k": "0", "top_p": "0.9"},
        {"temperature": "1", "min_p": "0.2", "top_k": "0", "top_p": "1"},
        {"temperature": "1.3", "min_p": "0.5", "top_k": "3", "top_p": "0.1"},
    ],
)
def test_the_stages_in_order(llama: LanguageModel, overrides: dict[str, str]) -> None:
    made = decoder(llama, "temperature", **overrides)
    seen = waterfall(made)
    assert [stage.name for stage in seen.stages] == [
        "raw",
        "temperature",
        "min-p",
        "top-k",
        "top-p",
        "draws",
    ]
    assert made.pending is not None
    x = np.array(made.pending.distribution.logits.astype(mx.float32), np.float64)
    p = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
    expected = [p]
    t = float(overrides["temperature"])
    p = np.exp((x - x.max()) / t) / np.exp((x - x.max()) / t).sum()
    expected.append(p)
    p = np.where(p >= float(overrides["min_p"]) * p.max(), p, 0)
    expected.append(p / p.sum())
    order, k = np.argsort(-x, kind="stable"), int(overrides["top_k"])
    if k:
        p = p.copy()
        p[order[k:]] = 0
    p /= p.sum()
    expected.append(p)
    before = np.cumsum(p[order]) - p[order]
    p = p.copy()
    p[order[before >= float(overrides["top_p"])]] = 0
    p /= p.sum()
    expected += [p, p]
    ids = [id for id, _ in seen.tokens]
    assert ids[:SHOWN] == order[:SHOWN].tolist()
    left = 1.0
    for stage, wanted, previous in zip(
        seen.stages, expected, [expected[0], *expected], strict=False
    ):
        np.testing.assert_allclose(stage.p, wanted[ids], atol=1e-6)
        assert stage.kept == (wanted > 0).sum()
        gone = previous[(previous > 0) & (wanted == 0)].sum()
        assert stage.removed == pytest.approx(gone, abs=1e-6)
        left = min(left, stage.kept)
    assert seen.drawn == [made.peek().id] == [seen.token]


@pytest.mark.parametrize("preset", ["calibrated", "entropixplained"])
def test_many_draws(llama: LanguageModel, preset: str) -> None:
    made = decoder(llama, preset, lelv_entropy="0", helv_entropy="999", lehv_entropy="0")
    seen = waterfall(made)
    choice = made.peek()
    assert (seen.strategy, seen.region) == (choice.strategy, choice.region)
    assert seen.strategy == "adaptive"
    assert len(seen.drawn) == 12
    assert seen.token == choice.id == seen.drawn[int(np.argmax(seen.scores))]
    final = dict(zip((id for id, _ in seen.tokens), seen.stages[-1].p, strict=True))
    for id, _, p in choice.candidates:
        assert final[id] == pytest.approx(p, abs=1e-6)
    assert seen.stages[1].setting == pytest.approx(choice.temperature)


def test_greedy_and_banned(llama: LanguageModel) -> None:
    made = decoder(llama, "greedy")
    first = made.peek().id
    made.reconsider(banned=(first,))
    seen = waterfall(made)
    assert [stage.name for stage in seen.stages] == ["raw", "banned", "draws"]
    assert seen.tokens[0][0] == first
    assert seen.stages[1].p[0] == 0
    assert seen.stages[1].removed == pytest.approx(seen.stages[0].p[0])
    assert seen.token == made.peek().id == seen.tokens[1][0]


@pytest.mark.parametrize(
    "chain",
    [
        "repetition=1.5:0.5:0.2:64,typical,min-p=0.1,temperature=1.2",
        "dry,top-p,temperature",
        "xtc=1:0.05,temperature",
        "repetition,top-h",
        "top-k=9,min-p,temperature",
    ],
)
def test_the_last_link_is_what_is_drawn_from(llama: LanguageModel, chain: str) -> None:
    """What a link remembers is of ids, wherever they stand among the most likely."""
    made = Decoder(llama, Settings.make(chain), PROVISIONAL, 7)
    made.remember([Past.of_prompt(PROMPT)])
    made.prefill(PROMPT[:-1])
    running = made.generate(PROMPT[-1], 9)
    for _ in range(8):
        next(running)
        seen = waterfall(made)
        *_, last, draws = seen.stages
        assert draws.name == "draws"
        assert draws.p == pytest.approx(last.p, abs=1e-5)
        assert dict(zip([id for id, _ in seen.tokens], last.p, strict=True))[seen.token] > 0
