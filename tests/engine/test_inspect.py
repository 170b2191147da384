"""A closer look against the plain computations."""

import mlx.core as mx
import numpy as np
import pytest
from turns import session, tokens, turn

from entropix_mlx.records.inspection import HEAD, STRONGEST, TAIL
from entropix_mlx.records.record import PromptRecord
from entropix_mlx.records.tree import ids_of
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel


def test_the_distribution_is_the_token_s(llama: LanguageModel) -> None:
    made = session(llama)
    found = tokens(turn(made, "Hello", 8))
    for record in (found[0], found[4], found[7]):
        seen = made.inspect(record.index)
        p = np.exp(seen.logprobs.astype(np.float64))
        assert p.sum() == pytest.approx(1, abs=1e-5)
        assert len(p) == llama.info.vocab_size
        assert (np.diff(seen.logprobs) <= 0).all()
        entropy = -(p * seen.logprobs).sum() / np.log(2)
        assert entropy == pytest.approx(record.entropy, abs=1e-4)
        named = [(id, text) for id, text, _, _ in seen.head[:8]]
        assert named == [(id, text) for id, text, _, _ in record.candidates[:8]]
        assert len(seen.head) == min(HEAD, len(p))
        assert len(seen.tail) == min(TAIL, len(p) - len(seen.head))
        # The forward pass once more, on a cache of its own: the raw logits in their order.
        ids = ids_of(made.tree.path(made.tree.parent(record.index)))
        step = llama.step(mx.array(ids), llama.new_cache())
        logits = np.sort(np.array(step.logits[-1].astype(mx.float32)))[::-1]
        np.testing.assert_allclose(seen.logprobs + seen.normaliser, logits, atol=1e-4)
        assert seen.attention is not None
        assert seen.attention.entropy.mean() == pytest.approx(record.attn_entropy, abs=1e-4)
        assert seen.attention.entropy.var(axis=1).mean() == pytest.approx(
            record.attn_varentropy, abs=1e-4
        )


def test_attention_and_its_places(llama: LanguageModel) -> None:
    made = session(llama)
    records = turn(made, "Hello", 8)
    prompt = records[0]
    assert isinstance(prompt, PromptRecord)
    seen = made.inspect(tokens(records)[3].index)
    attention = seen.attention
    assert attention is not None
    assert attention.keys == len(seen.places) == len(prompt.ids) + 3
    assert attention.weights.sum() == pytest.approx(1, abs=1e-5)
    assert attention.entropy.shape == (llama.info.layers, attention.strongest.shape[1])
    assert attention.strongest.shape[2] == STRONGEST
    assert seen.places[0] == (prompt.index, 0)
    assert seen.places[len(prompt.ids) - 1] == (prompt.index, len(prompt.ids) - 1)
    assert seen.places[-1] == (tokens(records)[2].index, 0)


def test_it_leaves_the_session_as_it_was(llama: LanguageModel) -> None:
    made, other = session(llama), session(llama)
    running = made.send("Hello", max_tokens=8)
    found = [next(running) for _ in range(4)]
    again = made.inspect(tokens(found)[1].index)
    found += running
    assert [r.id for r in tokens(found)] == [r.id for r in tokens(turn(other, "Hello", 8))]
    assert [r.entropy for r in tokens(turn(made, "More", 4))] == [
        r.entropy for r in tokens(turn(other, "More", 4))
    ]
    np.testing.assert_array_equal(again.logprobs, made.inspect(tokens(found)[1].index).logprobs)


def test_on_another_branch(llama: LanguageModel) -> None:
    """What the cache doesn't hold any more is read again, aside."""
    made = session(llama)
    first = tokens(turn(made, "Hello", 6))
    list(made.run(TurnRequest(max_tokens=6, after=first[1].index, force=(70,))))
    seen = made.inspect(first[5].index)
    assert seen.head[0][2] == pytest.approx(first[5].candidates[0][2], abs=1e-4)


def test_what_is_no_token(llama: LanguageModel) -> None:
    made = session(llama)
    turn(made, "Hello", 3)
    with pytest.raises(UsageError, match="prompt"):
        made.inspect(0)
    with pytest.raises(UsageError, match="no record"):
        made.inspect(50)
