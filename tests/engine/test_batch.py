"""Rows that share their steps: each is what it would be alone, whoever else is there."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
import pytest

from entropix_mlx.decoding.batch import Batch
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder, prefill
from entropix_mlx.decoding.row import Row
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import draw_key
from entropix_mlx.sampling.settings import Settings, declared
from entropix_models.language_model import Cache, LanguageModel

TEXTS = [[int(i) for i in np.random.default_rng(n).integers(3, 259, n)] for n in (30, 7, 18)]
METRICS = 1e-4
"""What a metric of a row may differ by from that of the row alone."""


def row(model: LanguageModel, preset: str, seed: int, **overrides: str) -> Row:
    return Row(model, Settings.make(preset, overrides), PROVISIONAL, seed)


def read(model: LanguageModel, ids: Sequence[int]) -> Cache:
    cache = model.new_cache()
    prefill(model, cache, ids)
    return cache


def alone(model: LanguageModel, row: Row, text: Sequence[int], count: int) -> list[Choice]:
    """What a decoder makes of it."""
    made = Decoder(model, row.settings, PROVISIONAL, row.seed)
    made.remember([Past(text[-1])])
    made.prefill(text[:-1])
    return list(made.generate(text[-1], count))


def agree(found: Sequence[Choice], expected: Sequence[Choice]) -> None:
    """The same tokens and what was decided of them; metrics within rounding.

    Logits of a tie, or a draw near a boundary, would be told apart here: with these seeds there is
    none, and whoever changes what is computed has to look at the first that differs.
    """
    assert [c.id for c in found] == [c.id for c in expected]
    for one, other in zip(found, expected, strict=True):
        for name in ("rank", "strategy", "quadrant", "region", "forced", "top_k"):
            assert getattr(one, name) == getattr(other, name), name
        for name in ("entropy", "varentropy", "logprob", "temperature", "top_p", "min_p"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=METRICS), name
        assert one.attention == pytest.approx(other.attention, abs=METRICS)
        assert [id for id, *_ in one.candidates] == [id for id, *_ in other.candidates]


def landed(batch: Batch, count: int) -> list[list[Choice]]:
    """So many choices of each row."""
    steps = [batch.land() for _ in range(count)]
    return [list(choices) for choices in zip(*steps, strict=True)]


@pytest.mark.parametrize("preset", declared())
def test_rows_of_one_sampler(llama: LanguageModel, preset: str) -> None:
    """Decided in one go, each with its own seed and memory."""
    text = TEXTS[0]
    first = row(llama, preset, 1)
    rows = [first, first.like(2), first.like(3)]
    for one in rows:
        one.remember([Past(text[-1])])
    batch = Batch(llama, rows, llama.rows_after(read(llama, text[:-1]), 3))
    batch.begin([text[-1]] * 3)
    for one, found in zip(rows, landed(batch, 8), strict=True):
        agree(found, alone(llama, one, text, 8))
    if preset != "greedy":
        assert len({tuple(past.id for past in one.path) for one in rows}) > 1


def test_rows_of_different_samplers_and_texts(llama: LanguageModel) -> None:
    presets = ("calibrated", "temperature", "greedy")
    rows = [row(llama, preset, 5) for preset in presets]
    for one, text in zip(rows, TEXTS, strict=True):
        one.remember([Past(text[-1])])
    batch = Batch(llama, rows, llama.rows_beside([read(llama, text[:-1]) for text in TEXTS]))
    batch.begin([text[-1] for text in TEXTS])
    for one, text, found in zip(rows, TEXTS, landed(batch, 8), strict=True):
        agree(found, alone(llama, one, text, 8))


def test_rows_leave_and_come(llama: LanguageModel) -> None:
    """Between two steps, one of which is under way."""
    first = row(llama, "calibrated", 1)
    rows = [first, first.like(2), first.like(3)]

    def come(number: int) -> None:
        one, text = rows[number], TEXTS[number]
        one.remember([Past(text[-1])])
        batch.join([one], llama.rows_beside([read(llama, text[:-1])]), [text[-1]])

    batch = Batch(llama, [], [])
    come(0)
    come(1)
    assert batch.land(more=False) == [], "they come with the next step"
    one, other = landed(batch, 3)
    come(2)
    for choices, choice in zip((one, other), batch.land(more=False), strict=True):
        choices.append(choice)
    ends = landed(batch, 2)
    one += ends[0]
    other += ends[1]
    come(0)
    batch.leave([0, 3])  # the other of them before its first step
    late = ends[2]
    for choices, more in zip((other, late), landed(batch, 4), strict=True):
        choices += more
    for made, text, found in zip(rows, TEXTS, (one, other, late), strict=True):
        agree(found, alone(llama, made, text, len(found)))
    batch.leave([0, 1])
    assert batch.rows == batch.pending == []


def test_one_row_is_decided_otherwise_and_the_others_are_not(llama: LanguageModel) -> None:
    text, first = TEXTS[0], row(llama, "temperature", 1, temperature="3")
    rows = [first, first.like(2)]
    for one in rows:
        one.remember([Past(text[-1])])
    batch = Batch(llama, rows, llama.rows_after(read(llama, text[:-1]), 2))
    batch.begin([text[-1]] * 2)
    banned = batch.peek(1).id
    batch.reconsider(banned=(banned,), row=1)
    batch.reconsider(force=70, row=0)
    one, other = batch.land()
    assert (one.id, one.forced) == (70, "user")
    assert other.id != banned
    batch.reconsider(redraw=1, row=1)
    landed(batch, 2)
    assert [past.id for past in rows[0].path[:2]] == [text[-1], 70]


def test_heads_of_each_row(llama: LanguageModel) -> None:
    text, first = TEXTS[0], row(llama, "greedy", 1)
    rows = [first, first.like(2)]
    batch = Batch(llama, rows, llama.rows_after(read(llama, text[:-1]), 2), heads=True)
    batch.begin([text[-1], text[0]])
    one, other = batch.land()
    for choice in (one, other):
        assert choice.heads is not None
        assert choice.attention is not None
        assert choice.heads.shape == (3, 4)
        assert np.mean(choice.heads) == pytest.approx(choice.attention[0], abs=METRICS)
    assert one.attention != other.attention


def test_without_attention(llama: LanguageModel) -> None:
    text, first = TEXTS[0], row(llama, "calibrated", 1, capture="false")
    rows = [first, first.like(2)]
    batch = Batch(llama, rows, llama.rows_after(read(llama, text[:-1]), 2))
    batch.begin([text[-1]] * 2)
    assert [choice.attention for choice in batch.land()] == [None, None]
    mx.eval([layer.state for layer in batch.cache])


def reason(model: Decoder, found: int, other: int) -> str:
    """Why the step under way may well be decided otherwise by other roundings; "" if it may not."""
    assert model.pending is not None
    seen = model.stages(model.pending)
    log_p = np.array(seen.outcome.stages[-1].weights).astype(np.float64)
    p = np.exp(log_p - log_p.max())
    edges = np.cumsum(p / p.sum())
    keys = model.pending.distribution.keys
    drawn = mx.random.uniform(
        shape=(len(np.array(seen.outcome.drawn)),), key=draw_key(model.row.seed, keys)
    )
    nearest = np.abs(np.array(drawn)[:, None] - edges[None]).min()
    if nearest < METRICS:
        return f"a draw {nearest:.1e} from an edge"
    logits = np.array(model.pending.distribution.logits)
    apart = abs(float(logits[found] - logits[other]))
    return f"a tie, {apart:.1e}" if apart < METRICS else ""


@pytest.mark.model
@pytest.mark.parametrize("shared", [True, False])
def test_rows_of_the_real_model(smollm2: LanguageModel, shared: bool) -> None:
    """Each row against a decoder of its own that is given the row's tokens: its metrics all along,
    and its tokens, but where rounding may decide.
    """
    texts = ["The capital of France is", "Once upon a time there was a robot", "1 2 3"]
    prompts = [smollm2.tokenizer.encode(text) for text in texts[: 1 if shared else 3]]
    first = row(smollm2, "calibrated", 1, temperature="1")
    rows = [first.like(seed) for seed in range(3)]
    own = [prompts[n % len(prompts)] for n in range(3)]
    for one, ids in zip(rows, own, strict=True):
        one.remember([Past.of_prompt(ids)])
    if shared:
        cache = smollm2.rows_after(read(smollm2, prompts[0][:-1]), 3)
    else:
        cache = smollm2.rows_beside([read(smollm2, ids[:-1]) for ids in own])
    batch = Batch(smollm2, rows, cache)
    batch.begin([ids[-1] for ids in own])
    for one, ids, found in zip(rows, own, landed(batch, 10), strict=True):
        alone_ = Decoder(smollm2, one.settings, PROVISIONAL, one.seed)
        alone_.remember([Past.of_prompt(ids)])
        alone_.prefill(ids[:-1])
        alone_.begin(ids[-1])
        for choice in found:
            proposed = alone_.peek()
            for name in ("entropy", "varentropy", "logprob"):
                if name == "logprob" and proposed.id != choice.id:
                    continue
                # A logit that is off moves the entropy by what surprisals deviate, varentropy by
                # the square of that.
                near = METRICS * max(1, proposed.varentropy**0.5 if name == "varentropy" else 1)
                assert getattr(choice, name) == pytest.approx(getattr(proposed, name), abs=near)
            assert choice.attention == pytest.approx(proposed.attention, abs=METRICS)
            if proposed.id != choice.id:
                assert reason(alone_, choice.id, proposed.id)
                alone_.reconsider(force=choice.id)
            next(alone_.generate(None, 1))
            alone_.begin(choice.id)
