"""The loop over the narrow waist: what it reads, what it yields, when it may be left."""

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from entropix_mlx.decoding.choice import Choice, drawn
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.make_records import token_record
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.clarification import LONG_AGO
from entropix_mlx.sampling.entropix import State
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings, declared
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel, Step

PROMPT = [int(i) for i in np.random.default_rng(3).integers(3, 259, 30)]
CLARIFYING = {"lelv_entropy": "0", "helv_entropy": "0", "helv_varentropy": "1000"}
"""Every token is in HELV."""


def decoder(
    model: LanguageModel, preset: str = "calibrated", seed: int = 7, **overrides: str
) -> Decoder:
    made = Decoder(model, Settings.make(preset, overrides), PROVISIONAL, seed)
    assert made.prefill(PROMPT[:-1])
    return made


def generate(model: LanguageModel, preset: str, count: int, **others: Any) -> list[Choice]:
    return list(decoder(model, preset, **others).generate(PROMPT[-1], count))


class Reads:
    """Counts the ids that a model is given."""

    def __init__(self, model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.captured = 0
        step = model.step

        def counting(ids: mx.array, cache: Any, attention: Any = None) -> Step:
            self.sizes.append(ids.size)
            self.captured += attention is not None
            return step(ids, cache, attention)

        monkeypatch.setattr(model, "step", counting)


@pytest.mark.slow
@pytest.mark.parametrize("preset", declared())
def test_the_same_seed_gives_the_same_tokens(llama: LanguageModel, preset: str) -> None:
    one, other = (generate(llama, preset, 25) for _ in range(2))
    assert one == other
    assert len(one) == 25
    another = generate(llama, preset, 25, seed=8)
    assert ([c.id for c in another] != [c.id for c in one]) == (preset != "greedy")


@pytest.mark.parametrize("preset", ["greedy", "temperature"])
def test_capture_changes_no_token_of_a_baseline(llama: LanguageModel, preset: str) -> None:
    seen, unseen = (generate(llama, preset, 25, capture=c) for c in ("true", "false"))
    assert [c._replace(attention=None) for c in seen] == unseen
    assert all(c.attention is not None for c in seen)


def test_every_choice_is_of_its_own_distribution(llama: LanguageModel) -> None:
    """Against one forward pass over everything, in float64."""
    choices = generate(llama, "calibrated", 20)
    ids = PROMPT + [c.id for c in choices[:-1]]
    kept: list[np.ndarray] = []

    def reducer(scores: mx.array, _weights: mx.array, valid: mx.array | None) -> mx.array:
        kept.append(np.array(mx.where(valid, scores, -mx.inf))[0].astype(np.float64))
        return mx.zeros((1, scores.shape[2], 1))

    step = llama.step(mx.array(ids), llama.new_cache(), reducer)
    logits = np.array(step.logits).astype(np.float64)
    for n, choice in enumerate(choices):
        row = len(PROMPT) - 1 + n
        x = logits[row] - logits[row].max()
        log_p = x - np.log(np.exp(x).sum())
        p = np.exp(log_p)
        entropy = -(p * log_p).sum() / np.log(2)
        assert choice.entropy == pytest.approx(entropy, abs=5e-4)
        varentropy = (p * (log_p / np.log(2) + entropy) ** 2).sum()
        assert choice.varentropy == pytest.approx(varentropy, abs=2e-3)
        assert choice.logprob == pytest.approx(log_p[choice.id], abs=1e-4)
        listed = [id for id, _, _ in choice.candidates]
        assert listed[:8] == np.argsort(-log_p, kind="stable")[:8].tolist()
        assert choice.id in listed
        by_layer = []
        for scores in kept:
            q = np.exp(scores[:, row, : row + 1])
            q /= q.sum(axis=-1, keepdims=True)
            by_layer.append(-(q * np.log2(q)).sum(axis=-1).mean())
        assert choice.attention is not None
        assert choice.attention[0] == pytest.approx(np.mean(by_layer), abs=1e-4)


def test_layers_can_be_chosen(llama: LanguageModel) -> None:
    whole, first, two = (
        generate(llama, "greedy", 3, layers=layers)[2] for layers in ("all", "0", "1,2")
    )
    assert whole.attention is not None
    assert first.attention is not None
    assert two.attention is not None
    for all_of_them, one, others in zip(
        whole.attention, first.attention, two.attention, strict=True
    ):
        assert all_of_them == pytest.approx((one + 2 * others) / 3, abs=1e-5)
    with pytest.raises(UsageError, match="0 to 2"):
        decoder(llama, "greedy", layers="3")


def test_one_step_is_in_flight_and_none_is_lost(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(llama, monkeypatch)
    choices = generate(llama, "calibrated", 6)
    assert reads.sizes == [29, *[1] * 6]
    assert reads.captured == 6
    made = decoder(llama)
    running = made.generate(PROMPT[-1], 6)
    reads.sizes.clear()
    assert next(running) == choices[0]
    assert reads.sizes == [1, 1]
    assert made.length == len(PROMPT) + 1


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_leaving_early_keeps_what_was_yielded(llama: LanguageModel, taken: int) -> None:
    whole = generate(llama, "calibrated", 8)
    made = decoder(llama)
    running = made.generate(PROMPT[-1], 8)
    found = [next(running) for _ in range(taken)]
    running.close()
    assert found == whole[:taken]
    assert made.length == len(PROMPT) + taken
    # The last one that was yielded is in the cache; the loop goes on after any other id.
    following = next(made.generate(100, 1))
    direct = Decoder(llama, Settings.make(), PROVISIONAL, 7)
    direct.prefill(PROMPT + [c.id for c in found])
    direct.row.state = made.row.state
    expected = next(direct.generate(100, 1))
    assert following.entropy == pytest.approx(expected.entropy, abs=1e-4)


def test_the_last_allowed_is_not_read(llama: LanguageModel) -> None:
    made = decoder(llama)
    assert len(list(made.generate(PROMPT[-1], 3))) == 3
    assert made.length == len(PROMPT) + 2


def test_no_tokens_means_no_step(llama: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = decoder(llama)
    reads = Reads(llama, monkeypatch)
    assert list(made.generate(5, 0)) == []
    assert list(made.generate(5, -3)) == []
    assert reads.sizes == []


def test_a_failed_step_leaves_the_state_of_the_path(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of a sampler is that of the tokens that were yielded, and of no other."""
    made = decoder(llama, rolling="0.5")
    running = made.generate(PROMPT[-1], 8)
    next(running)
    before = [part.tolist() for part in made.row.state]
    assert State.of(before).steps == 1

    def fail(*_: object) -> Choice:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(made.batch, "_read", fail)
    with pytest.raises(RuntimeError):
        next(running)
    assert [part.tolist() for part in made.row.state] == before


def test_prefill_is_in_chunks_and_can_be_stopped(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = PROMPT * 5
    reads = Reads(llama, monkeypatch)
    made = Decoder(llama, Settings.make("greedy"), PROVISIONAL, 1)
    told: list[tuple[int, int]] = []
    assert made.prefill(ids, lambda done, total: not told.append((done, total)))  # type: ignore[func-returns-value]
    assert reads.sizes == [64, 64, 22]
    assert reads.captured == 0
    assert list(dict.fromkeys(told)) == [(0, 150), (64, 150), (128, 150), (150, 150)]
    assert made.length == 150

    stopped = Decoder(llama, Settings.make("greedy"), PROVISIONAL, 1)
    assert not stopped.prefill(ids, lambda done, _total: done < 64)
    assert stopped.length == 64
    asked = iter([True] * 2)  # before the chunk and before its first layer
    assert not stopped.prefill(ids[64:], lambda *_: next(asked, False))
    assert stopped.length == 64
    assert stopped.prefill(ids[64:])
    following = [next(d.generate(9, 1)) for d in (made, stopped)]
    assert following[0] == following[1]


class TestChangedSettings:
    """They act on the next token drawn, though its step was in flight already."""

    HOT = Settings.make("temperature", {"temperature": "3", "capture": "false"})

    def test_before_the_first(self, llama: LanguageModel) -> None:
        made = decoder(llama, "greedy")
        made.use(self.HOT)
        found = list(made.generate(PROMPT[-1], 2))
        assert [c.temperature for c in found] == [3.0, 3.0]
        assert made.settings.lelv_entropy == PROVISIONAL.entropy.low
        assert all(c.attention for c in found)  # whether to capture stays as it was

    @pytest.mark.parametrize("after", [1, 2, 5])
    def test_while_it_runs(self, llama: LanguageModel, after: int) -> None:
        made = decoder(llama, "greedy")
        running = made.generate(PROMPT[-1], 8)
        found = [next(running) for _ in range(after)]
        made.use(self.HOT)
        found += running
        assert [c.temperature for c in found] == [None] * after + [3.0] * (8 - after)
        straight = generate(llama, "greedy", after)
        assert found[:after] == straight
        # The same distributions and keys as for a decoder that was hot from there on.
        fresh = decoder(llama, "temperature", temperature="3")
        ids = [c.id for c in found[: after - 1]]
        fresh.prefill([PROMPT[-1], *ids])
        expected = list(fresh.generate(found[after - 1].id, 8 - after))
        assert [c.id for c in found[after:]] == [c.id for c in expected]

    def test_layers(self, llama: LanguageModel) -> None:
        made = decoder(llama, "greedy")
        running = made.generate(PROMPT[-1], 3)
        next(running)
        made.use(Settings.make("greedy", {"layers": "0"}))
        one = next(running)
        first = decoder(llama, "greedy", layers="0")
        expected = list(first.generate(PROMPT[-1], 2))[1]
        assert one.attention == pytest.approx(expected.attention)


class TestForced:
    def test_ids_come_first_and_are_measured(self, llama: LanguageModel) -> None:
        made = decoder(llama, "temperature", temperature="3")
        found = list(made.generate(PROMPT[-1], 5, force=[70, 71]))
        assert [c.id for c in found[:2]] == [70, 71]
        assert [c.forced for c in found] == ["user", "user", None, None, None]
        free = generate(llama, "temperature", 1, temperature="3")[0]
        assert found[0].entropy == free.entropy
        assert found[0].candidates[:8] != []
        assert {id: p for id, _, p in found[0].candidates}[70] == 1
        assert found[0].temperature is None
        check = decoder(llama, "greedy")
        check.prefill([PROMPT[-1], 70])
        following = next(check.generate(71, 1))
        assert found[2].entropy == pytest.approx(following.entropy, abs=1e-4)

    def test_more_than_are_allowed(self, llama: LanguageModel) -> None:
        made = decoder(llama, "greedy")
        assert [c.id for c in made.generate(PROMPT[-1], 2, force=[70, 71, 72])] == [70, 71]

    def test_what_the_user_forces_breaks_off_clarifying(self, llama: LanguageModel) -> None:
        made = decoder(llama, "calibrated", clarify="true", **CLARIFYING)
        before = list(made.generate(PROMPT[-1], 2))
        assert [c.forced for c in before] == ["clarify", "clarify"]
        after = list(made.generate(before[-1].id, 6, force=[70]))
        assert [c.forced for c in after] == ["user", None, None, None, "clarify", "clarify"]


@pytest.mark.slow
def test_the_state_is_a_function_of_the_records(llama: LanguageModel) -> None:
    vocabulary = Vocabulary.of(llama.tokenizer, llama.info.clarify)
    for rolling in ("1", "0.3"):
        made = decoder(llama, "calibrated", clarify="true", **CLARIFYING, rolling=rolling)
        records = []
        for n, c in enumerate(made.generate(PROMPT[-1], 14, force=[70])):
            records.append(token_record(llama.tokenizer, c, n, n - 1, "", None))
            again = State.of(made.settings.state(Past.along(records), vocabulary))
            kept = State.of(made.row.state)
            (since, place), (kept_since, kept_place) = again.memory, kept.memory
            assert place.item() == kept_place.item()
            assert again.steps.item() == kept.steps.item()
            assert since.item() == (kept_since.item() if n else LONG_AGO)
            np.testing.assert_allclose(np.array(again.means), np.array(kept.means), rtol=1e-6)


def test_another_sampler_in_mid_run_has_the_state_of_the_path(llama: LanguageModel) -> None:
    vocabulary = Vocabulary.of(llama.tokenizer, llama.info.clarify)
    rolling = Settings.make("calibrated", {**CLARIFYING, "clarify": "true", "rolling": "0.4"})
    made = decoder(llama, "calibrated", clarify="true", **CLARIFYING, rolling="0.4")
    records, running = [], made.generate(PROMPT[-1], 14)
    for n, c in enumerate(running):
        records.append(token_record(llama.tokenizer, c, n, n - 1, "", None))
        if n == 5:
            made.use(Settings.make("temperature"))
        if n == 8:
            made.use(rolling)
            assert made.pending is not None
            for state in (made.row.state, made.pending.state):
                again = made.settings.state(Past.along(records), vocabulary)
                assert [x.tolist() for x in again] == [x.tolist() for x in state]
    assert [r.strategy for r in records[6:9]] == ["sample"] * 3
    assert {r.strategy for r in records[9:]} == {"clarify"}


def test_values_used_are_told_where_some_were(llama: LanguageModel) -> None:
    greedy = generate(llama, "greedy", 1)[0]
    assert (greedy.temperature, greedy.top_k, greedy.top_p, greedy.min_p) == (None,) * 4
    assert greedy.strategy == "greedy"
    plain = generate(llama, "temperature", 1, temperature="1.25", top_p="0.5", top_k="9")[0]
    assert (plain.temperature, plain.top_k, plain.top_p, plain.min_p) == (1.25, 9, 0.5, 0.0)


def test_clarifying_text_is_forced_token_by_token(llama: LanguageModel) -> None:
    choices = generate(llama, "calibrated", 13, clarify="true", **CLARIFYING)
    expected = llama.tokenizer.encode(" ...")
    assert len(expected) == 4  # a byte each
    assert [c.id for c in choices if c.forced] == expected * 2
    by = [c.forced == "clarify" for c in choices]
    assert by == [*[True] * 4, *[False] * 4] + [True] * 4 + [False]
    for choice in choices:
        assert choice.strategy == "clarify"
        assert (choice.temperature is None) == (choice.forced is not None)
        final = {id: p for id, _, p in choice.candidates}[choice.id]
        assert (final == 1) == (choice.forced is not None)


def test_by_default_nothing_is_inserted_to_clarify_but_drawn_hotter(llama: LanguageModel) -> None:
    choices = generate(llama, "calibrated", 6, **CLARIFYING)
    low, high = PROVISIONAL.ranges["attn_entropy"]
    for choice in choices:
        assert (choice.strategy, choice.forced) == ("clarify", None)
        assert choice.attention is not None
        scaled = min(max((choice.attention[0] - low) / (high - low), 0), 1)
        assert choice.temperature == pytest.approx(min(1.5, 0.7 * (1.3 + 0.2 * scaled)), rel=1e-5)
    literal = generate(llama, "entropixplained", 6, **CLARIFYING)
    assert [c.forced for c in literal] == [*["clarify"] * 4, None, None], "the guide inserts"


def test_two_calls_are_the_loop(llama: LanguageModel) -> None:
    """`advance` and `decide` by hand, one step at a time, give what the loop gives."""
    expected = generate(llama, "temperature", 6, temperature="3")
    made = decoder(llama, "temperature", temperature="3")
    state, token, found = made.row.state, PROMPT[-1], []
    for _ in range(6):
        (distribution,) = made.batch.advance(mx.array([[token]]))
        (step,) = made.batch.decide([distribution], [state])
        decision = step.proposal
        state, token = decision.state, int(decision.token.item())
        found.append(token)
        assert distribution.keys == made.length
    assert found == [c.id for c in expected]
    assert len(set(found)) > 3


@pytest.mark.parametrize("count", [1, 9])
def test_attention_is_that_of_the_last_query(llama: LanguageModel, count: int) -> None:
    made = Decoder(llama, Settings.make("greedy"), PROVISIONAL, 7)
    made.prefill(PROMPT[:-count])
    (distribution,) = made.batch.advance(mx.array([PROMPT[-count:]]))
    cache = llama.new_cache()
    llama.step(mx.array(PROMPT[:-1]), cache)
    step = llama.step(mx.array(PROMPT[-1:]), cache, metrics.attention_statistics)
    assert distribution.attention is not None
    assert step.attention is not None
    np.testing.assert_allclose(
        np.array(distribution.attention), np.array(step.attention)[:, -1], atol=1e-6
    )


@pytest.mark.model
class TestRealModel:
    @pytest.fixture(scope="class")
    def run(self, smollm2: LanguageModel) -> Callable[..., Sequence[Choice]]:
        ids = smollm2.tokenizer.encode("The capital of France is")

        def run(preset: str, **overrides: str) -> Sequence[Choice]:
            made = Decoder(smollm2, Settings.make(preset, overrides), PROVISIONAL, 3)
            made.prefill(ids[:-1])
            return list(made.generate(ids[-1], 5))

        return run

    def test_it_knows_the_capital_of_france(
        self, smollm2: LanguageModel, run: Callable[..., Sequence[Choice]]
    ) -> None:
        choices = run("greedy")
        text = b"".join(smollm2.tokenizer.token_bytes(c.id) for c in choices).decode()
        assert "Paris" in text
        assert [c.rank for c in choices] == [0] * 5

    def test_runs_are_equal(self, run: Callable[..., Sequence[Choice]]) -> None:
        assert run("calibrated") == run("calibrated")
        seen, unseen = (run("temperature", capture=c) for c in ("true", "false"))
        assert [c._replace(attention=None) for c in seen] == unseen


class TestReconsidering:
    """The step under way, looked at and decided anew before it is taken."""

    def test_looking_changes_nothing(self, llama: LanguageModel) -> None:
        made = decoder(llama, "temperature", temperature="3")
        made.begin(PROMPT[-1])
        ahead = [made.peek()]
        found = []
        for one in made.generate(None, 5):
            found.append(one)
            if made.pending:
                ahead.append(made.peek())
        assert ahead == found == generate(llama, "temperature", 5, temperature="3")

    def test_another_key(self, llama: LanguageModel) -> None:
        made = decoder(llama, "temperature", temperature="3")
        made.begin(PROMPT[-1])
        drawn = []
        for redraw in range(6):
            made.reconsider(redraw=redraw)
            drawn.append(made.peek().id)
        assert len(set(drawn)) > 3
        made.reconsider(redraw=4)
        assert next(made.generate(None, 1)).id == drawn[4]

    @pytest.mark.parametrize("preset", list(declared()))
    def test_banned(self, llama: LanguageModel, preset: str) -> None:
        made = decoder(llama, preset)
        made.begin(PROMPT[-1])
        before = made.pending
        assert before is not None
        first = before.proposal
        banned: tuple[int, ...] = ()
        for _ in range(12):
            seen = made.peek()
            assert seen.id not in banned
            assert seen.entropy == pytest.approx(drawn(first, attention=True).entropy)
            assert seen.candidates[:8] != []
            listed = {id: p for id, _, p in seen.candidates}
            assert not any(listed.get(id) for id in banned)
            banned = (*banned, seen.id)
            made.reconsider(banned=banned)
        raw = np.array(before.distribution.logits.astype(mx.float32))
        if preset == "greedy":  # the most likely ones went one by one
            assert list(banned) == np.argsort(-raw, kind="stable")[:12].tolist()

    def test_going_on_takes_up_the_step_under_way(
        self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = decoder(llama, "greedy")
        reads = Reads(llama, monkeypatch)
        running = made.generate(PROMPT[-1], 9)
        first = [next(running) for _ in range(3)]
        running.close()
        assert len(reads.sizes) == 4
        rest = list(made.generate(None, 2))
        assert len(reads.sizes) == 5
        assert first + rest == generate(llama, "greedy", 5)
