"""Links that remember: each along a path against its definition in Python, and what forgets."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import log_softmax
from test_links import applied, normalised

from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.sampling import recent
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.links.dry import BREAKERS
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.language_model import LanguageModel

Rows = np.ndarray[Any, np.dtype[Any]]
SIZE = 40
X = np.random.default_rng(2).normal(0, 2, SIZE).astype(np.float32)
ids_of_a_path = st.lists(st.integers(0, 5), max_size=40)


def path_of(ids: Sequence[int]) -> list[Past]:
    """A prompt of the first half, then tokens."""
    half = len(ids) // 2
    prompt = [Past.of_prompt(ids[:half])] if half else []
    return [*prompt, *(Past(id, None, (0.0,) * 6) for id in ids[half:])]


class TestRecentIds:
    @given(ids_of_a_path, st.integers(1, 50))
    def test_from_a_path(self, ids: list[int], count: int) -> None:
        found = recent.ids(path_of(ids), count).tolist()
        assert found == ([-1] * count + ids)[-count:]

    def test_one_more(self) -> None:
        last = mx.array([-1, 4, 5])
        assert recent.with_one_more(last, mx.array(7, mx.uint32)).tolist() == [4, 5, 7]


class TestRepetition:
    @given(ids_of_a_path, st.sampled_from([(1.3, 0.0, 0.0), (1.0, 0.5, 0.25), (0.7, -1.0, 2.0)]))
    def test_the_three_penalties(
        self, ids: list[int], penalties: tuple[float, float, float]
    ) -> None:
        repeat, frequency, presence = penalties
        expected = X.astype(np.float64)
        for id in set(ids[-16:]):
            count = ids[-16:].count(id)
            x = expected[id]
            expected[id] = (x / repeat if x > 0 else x * repeat) - count * frequency - presence
        values = {
            "repeat_penalty": repeat,
            "frequency_penalty": frequency,
            "presence_penalty": presence,
        }
        found = applied("repetition", X, values, state=(recent.ids(path_of(ids), 16),))
        np.testing.assert_allclose(found, normalised(expected), atol=1e-5)

    @pytest.mark.parametrize("name", ["repetition", "dry"])
    def test_in_whatever_order_the_tokens_are(self, name: str) -> None:
        order = np.argsort(-X, kind="stable")
        state = (recent.ids(path_of([3, 9, 4, 27, 9, 4]), 16),)
        expected = applied(name, X, state=state)
        found = applied(name, X[order], state=state, ids=order)
        assert (expected != normalised(X)).any()
        np.testing.assert_allclose(found, expected[order], atol=1e-6)

    @pytest.mark.slow
    def test_mlx_lm_and_transformers(self) -> None:
        import torch
        from mlx_lm import sample_utils as theirs
        from transformers import RepetitionPenaltyLogitsProcessor

        ids = [3, 9, 3, 3, 27, 9, 1]
        state = (recent.ids(path_of(ids), 7),)
        for made, name in (
            (theirs.make_repetition_penalty, "repeat_penalty"),
            (theirs.make_presence_penalty, "presence_penalty"),
            (theirs.make_frequency_penalty, "frequency_penalty"),
        ):
            expected = made(1.4, 7)(mx.array(ids), mx.array(X[None]))
            values = {"repeat_penalty": 1.0, name: 1.4}
            found = applied("repetition", X, values, state=state)
            np.testing.assert_allclose(found, normalised(np.array(expected)[0]), atol=1e-5)
        penalised = RepetitionPenaltyLogitsProcessor(1.4)(
            torch.tensor([ids]), torch.tensor(X[None])
        )
        found = applied("repetition", X, {"repeat_penalty": 1.4}, state=state)
        np.testing.assert_allclose(found, normalised(penalised[0].numpy()), atol=1e-5)


def repetitions(ids: Sequence[int], breaks: Sequence[int], allowed: int) -> dict[int, int]:
    """By token: how many last ids came before, and were followed by it; naively."""
    found: dict[int, int] = {}
    for end in range(1, len(ids)):
        n = 0
        while n < end and ids[end - 1 - n] == ids[-1 - n] and ids[-1 - n] not in breaks:
            n += 1
        after = ids[end]
        if n >= allowed and after not in breaks:
            found[after] = max(found.get(after, 0), n)
    return found


class TestDry:
    @given(
        ids_of_a_path, st.integers(1, 4), st.sampled_from([(), (0,), (2, 5)]), st.integers(8, 30)
    )
    def test_the_penalty(
        self, ids: list[int], allowed: int, breaks: tuple[int, ...], last: int
    ) -> None:
        expected = X.astype(np.float64)
        for id, n in repetitions(ids[-last:], breaks, allowed).items():
            expected[id] -= 0.8 * 1.75 ** (n - allowed)
        holding = bytes(id in breaks for id in range(SIZE)) if breaks else b""
        found = applied(
            "dry",
            X,
            {"dry_allowed_length": allowed},
            state=(recent.ids(path_of(ids), last),),
            fixed=holding,
        )
        np.testing.assert_allclose(found, normalised(expected), atol=1e-4)

    def test_a_long_repetition_is_over(self) -> None:
        ids = [1, 2, 3] * 80
        values = {"dry_base": 10.0, "dry_multiplier": 10.0}
        found = applied("dry", X, values, state=(recent.ids(path_of(ids), 240),), fixed=b"")
        assert np.exp(found[1]) == 0
        assert np.exp(found).sum() == pytest.approx(1)

    def test_what_breaks(self, llama: LanguageModel) -> None:
        holding = Vocabulary.of(llama.tokenizer, "").holding(BREAKERS)
        assert len(holding) == llama.tokenizer.vocab_size
        for id, holds in enumerate(holding):
            own = llama.tokenizer.token_bytes(id)
            assert bool(holds) == any(bytes([breaker]) in own for breaker in b'\n:"*')
        assert 0 < sum(holding) < len(holding)


ROWS = np.random.default_rng(4).normal(0, 1, (30, 24)) * np.linspace(0.02, 6, 30)[:, None]


def choices(text: str, force: Mapping[int, int] = {}) -> list[Choice]:
    """Along the rows; some ids are the user's."""
    made = Sampler(Settings.make(text), PROVISIONAL, Vocabulary(), attention=False)
    state, found = made.state(()), []
    for n, row in enumerate(ROWS):
        logits = mx.array(row.astype(np.float32))
        decision = made.decide(logits, None, n, state, draw_key(2, n), force.get(n))
        state = decision.state
        found.append(choice.drawn(decision, attention=False))
    return found


class TestMirostat:
    @pytest.mark.parametrize("before", ["", "top-k=9,"])
    def test_along_a_path(self, before: str) -> None:
        mu, tau, eta = 2 * 1.5, 1.5, 0.4
        found = choices(f"{before}mirostat=1.5:0.4", {7: 3})
        kept = []
        for n, (row, one) in enumerate(zip(ROWS, found, strict=True)):
            x = np.where(np.sort(row)[-9] <= row, row, -np.inf) if before else row
            p = np.exp(normalised(x))
            left = p >= 2.0**-mu
            left[p.argmax()] = True
            kept.append(left.sum())
            p = np.where(left, p, 0) / p[left].sum()
            if n == 7:
                assert one.id == 3  # the user's, which may not even have been left
            else:
                assert p[one.id] > 0
                drawn = next(p for id, _, p in one.candidates if id == one.id)
                assert drawn == pytest.approx(p[one.id], abs=1e-5)
                mu -= eta * (-math.log2(p[one.id]) - tau)
            assert one.measures["mu"] == pytest.approx(mu, abs=1e-4)
        assert len(set(kept)) > 3


class TestAdaptiveP:
    def test_along_a_path(self) -> None:
        mean, target, decay = 0.3, 0.3, 0.8
        for n, (row, one) in enumerate(
            zip(ROWS, choices("adaptive-p=0.3:0.8:0.02", {5: 2}), strict=True)
        ):
            p = np.exp(log_softmax(row))
            p = np.where(p >= 0.02 * p.max(), p, 0)
            p /= p.sum()
            aim = min(max(2 * target - mean, 0), 1)
            d = np.abs(p - aim) / 0.3
            final = np.exp(normalised(np.where(p > 0, 5 - 10 * d * d / (1 + d), -np.inf)))
            if n != 5:
                drawn = next(p for id, _, p in one.candidates if id == one.id)
                assert drawn == pytest.approx(final[one.id], abs=1e-5)
                mean = decay * mean + (1 - decay) * p[one.id]
            assert one.measures["mean_p"] == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("text", ["repetition=2:1:1,temperature", "mirostat=1:0.5"])
def test_a_fork_remembers_its_own_path(llama: LanguageModel, text: str) -> None:
    """Going back and on again draws the same; other tokens before draw others."""

    def decoder() -> Decoder:
        made = Decoder(llama, Settings.make(text), PROVISIONAL, 7)
        made.remember([Past.of_prompt(PROMPT)])
        made.prefill(PROMPT[:-1])
        return made

    whole = decoder()
    first = list(whole.generate(PROMPT[-1], 24))
    for remembers in (True, False):
        again = decoder()
        again.rewind(0)
        again.prefill([*PROMPT, *(one.id for one in first[:11])])
        kept = first[:12] if remembers else []
        again.remember([Past.of_prompt(PROMPT), *(one.past for one in kept)])
        others = [one.id for one in again.generate(first[11].id, 12)]
        assert (others == [one.id for one in first[12:]]) == remembers


PROMPT = [5, 9, 17, 5, 9, 17, 5, 9]
