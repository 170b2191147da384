"""Candidates that are scored by what would follow, and the next step that one of them becomes."""

import mlx.core as mx
import numpy as np
import pytest
from turns import DATE, session, tokens

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.waterfall import waterfall
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL
from entropix_mlx.sampling.rules import CONFIDENCE, METRIC_OF
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answers import Answers, Asked, answer_seed
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

PROMPT = [int(i) for i in np.random.default_rng(3).integers(3, 259, 30)]
MIDDLE = {
    "lelv_entropy": "0",
    "helv_entropy": "1000",
    "lehv_entropy": "0",
    "hehv_entropy": "1000",
}
"""Every token is in the middle."""


def decoder(model: LanguageModel, seed: int = 7, **overrides: str) -> Decoder:
    made = Decoder(model, Settings.make("calibrated", overrides), PROVISIONAL, seed)
    made.prefill(PROMPT[:-1])
    return made


def generate(model: LanguageModel, count: int, **overrides: str) -> list[Choice]:
    return list(decoder(model, **overrides).generate(PROMPT[-1], count))


def test_what_becomes_the_next_step_is_what_a_step_would_be(llama: LanguageModel) -> None:
    """Metrics of every token against one pass over all of them; the cache holds each once."""
    made = decoder(llama, look_ahead="5")
    choices = list(made.generate(PROMPT[-1], 14))
    assert made.length == len(PROMPT) + 13
    ids = PROMPT + [choice.id for choice in choices[:-1]]
    step = llama.step(mx.array(ids), llama.new_cache(), metrics.attention_statistics)
    moments = metrics.moments(step.logits)
    assert step.attention is not None
    attention = np.array(step.attention).mean(axis=0)
    for n, choice in enumerate(choices):
        at = len(PROMPT) - 1 + n
        assert choice.entropy == pytest.approx(float(moments.entropy[at].item()), abs=1e-4)
        assert choice.varentropy == pytest.approx(float(moments.varentropy[at].item()), abs=1e-4)
        assert choice.attention == pytest.approx(attention[at], abs=1e-4)
    # Going on from what was kept.
    following = next(made.generate(choices[-1].id, 1))
    fresh = decoder(llama)
    fresh.prefill(ids[len(PROMPT) - 1 :])
    assert following.entropy == pytest.approx(
        next(fresh.generate(choices[-1].id, 1)).entropy, abs=1e-4
    )


@pytest.mark.parametrize("attention", ["true", "false"])
def test_the_best_of_the_drawn_is_kept(llama: LanguageModel, attention: str) -> None:
    """Scores, and the probability that a candidate is taken, in float64 from steps of one row."""
    made = decoder(llama, look_ahead="4", temperature="3", capture=attention, **MIDDLE)
    cache, ids, moved = llama.new_cache(), list(PROMPT), 0
    llama.step(mx.array(ids), cache)
    running = made.generate(PROMPT[-1], 10)
    for number in range(10):
        if number == 0:
            made.begin(PROMPT[-1])
            running = made.generate(None, 10)
        assert made.pending is not None
        shown = waterfall(made)
        choice = next(running)
        likely = [id for id, _, _ in choice.candidates[:4]]
        trust = {}
        for id in likely:
            step = llama.step(mx.array([id]), llama.fork(cache), metrics.attention_statistics)
            moments = metrics.moments(step.logits[-1:])
            assert step.attention is not None
            measured = [float(moments.entropy.item()), float(moments.varentropy.item())]
            measured += np.array(step.attention[:, -1]).mean(axis=0).tolist()
            ranges = PROVISIONAL.ranges | {"agreement": (0.0, 1.0)}
            scaled = {
                name: float(np.clip((value - low) / (high - low), 0, 1))
                for name, value in zip(METRICS, measured, strict=True)
                for low, high in [ranges[name]]
            }
            trust[id] = sum(
                factor * scaled[METRIC_OF[symbol]]
                for factor, symbol in CONFIDENCE
                if attention == "true" or symbol in "HV"
            )
        place = [stage.name for stage in shown.stages].index("looked at")
        p = {token[0]: shown.stages[place].p[n] for n, token in enumerate(shown.tokens)}
        assert {id for id, value in p.items() if value > 0} <= set(likely)
        assert sum(p.values()) == pytest.approx(1)
        scores = {id: np.log(p[id]) + trust[id] for id in likely if p[id] > 0}
        assert choice.id == max(shown.drawn, key=scores.__getitem__)
        assert shown.scores == pytest.approx([scores[id] for id in shown.drawn], abs=1e-3)
        moved += choice.id != max(shown.drawn, key=p.__getitem__)
        order = sorted(scores, key=scores.__getitem__, reverse=True)
        tails = np.cumsum([p[id] for id in order][::-1])[::-1] ** 12
        taken = dict(zip(order, tails - np.append(tails[1:], 0), strict=True))
        for id, _, found in choice.candidates:
            assert found == pytest.approx(taken.get(id, 0.0), abs=1e-4)
        llama.step(mx.array([choice.id]), cache)
    assert moved or attention == "false", "what follows has decided somewhere"


def test_other_regions_are_as_ever(llama: LanguageModel) -> None:
    """Greedy everywhere, and hot everywhere."""
    for corner in (
        {"lelv_entropy": "1000", "lelv_varentropy": "1000"},
        {"lelv_entropy": "0", "helv_entropy": "0", "helv_varentropy": "1000"},
    ):
        plain = generate(llama, 8, **corner)
        ahead = generate(llama, 8, look_ahead="5", **corner)
        assert [c.id for c in ahead] == [c.id for c in plain]
        assert {c.strategy for c in ahead} == {c.strategy for c in plain} != {"adaptive"}
        for one, other in zip(ahead, plain, strict=True):
            assert one.entropy == pytest.approx(other.entropy, abs=1e-4)


def test_one_candidate_is_the_most_likely(llama: LanguageModel) -> None:
    found = generate(llama, 8, look_ahead="1", temperature="3", **MIDDLE)
    assert [choice.rank for choice in found] == [0] * 8


def test_decided_otherwise_while_it_looks(llama: LanguageModel) -> None:
    """Forced, banned, drawn anew: what comes then follows from the ids alone."""
    made = decoder(llama, look_ahead="5", **MIDDLE)
    made.begin(PROMPT[-1])
    first = made.peek().id
    made.reconsider(banned=(first,))
    second = made.peek().id
    assert second != first
    made.reconsider(force=70)
    running = made.generate(None, 6)
    said = [next(running), next(running)]
    made.reconsider(redraw=3)
    said += running
    assert [choice.forced for choice in said] == ["user", None, None, None, None, None]
    assert made.length == len(PROMPT) + 5
    ids = PROMPT + [choice.id for choice in said[:-1]]
    logits = llama.step(mx.array(ids), llama.new_cache()).logits
    entropies = np.array(metrics.moments(logits).entropy)[len(PROMPT) - 1 :]
    assert [choice.entropy for choice in said] == pytest.approx(entropies.tolist(), abs=1e-4)


def test_a_text_that_is_put_in_was_not_looked_at() -> None:
    with pytest.raises(UsageError, match="look_ahead=5 goes with clarify=off"):
        Settings.make("calibrated", {"look_ahead": "5", "clarify": "insert"})


def test_many_answers_look_ahead_one_by_one(llama: LanguageModel) -> None:
    overrides = {"look_ahead": "3", "temperature": "2"}
    answers = Answers(llama, [Settings.make("calibrated", overrides)], seed=4, date=DATE)
    asked = [Asked(0, 0), Asked(0, 1)]
    found = list(answers.run([TurnRequest("Hello", max_tokens=5)], asked))
    for one in asked:
        made = session(llama, "calibrated", overrides=overrides, seed=answer_seed(4, one))
        expected = tokens(list(made.send("Hello", max_tokens=5)))
        ids = [r.id for r in tokens([record for asked_, record in found if asked_ == one])]
        assert ids == [record.id for record in expected]
