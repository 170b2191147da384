"""Log-likelihoods of continuations, against transformers by the rule of lm-eval."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from entropix_mlx.evaluation.likelihood import Continuation, Likelihood, likelihoods
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

IDS = [int(i) for i in np.random.default_rng(3).integers(3, 259, 300)]
SHARED = IDS[:70]

ASKED = [
    Continuation(SHARED, IDS[100:103]),
    Continuation(IDS[:1], IDS[1:2]),
    Continuation(SHARED, IDS[110:111]),
    Continuation(SHARED, IDS[111:112]),
    Continuation(SHARED[:40], IDS[100:103]),
    Continuation(IDS[200:205], IDS[:90]),
    Continuation(SHARED, IDS[100:104]),
    Continuation(IDS, IDS[7:9]),
    Continuation(SHARED, IDS[110:111]),
]


@pytest.fixture(scope="module")
def network(llama_folder: Path) -> Any:
    import torch
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(llama_folder, dtype=torch.float32).eval()


def expected(network: Any, one: Continuation, window: int) -> Likelihood:
    import torch

    ids = torch.tensor([[*one.context, *one.ids][-window - 1 :]])
    count = len(one.ids)
    with torch.no_grad():
        logits = network(ids[:, :-1]).logits[0, -count:]
    of = torch.log_softmax(logits.double(), dim=-1)
    targets = ids[0, -count:]
    logprob = of.gather(1, targets[:, None]).sum()
    return Likelihood(float(logprob), bool((of.argmax(dim=-1) == targets).all()))


def rounding(one: Continuation) -> float:
    """Of a sum of log-probabilities in float32, each of them some ten nats."""
    return 3e-5 * len(one.ids)


def found(model: LanguageModel, asked: list[Continuation], window: int) -> list[Likelihood]:
    numbered = list(likelihoods(model, asked, window))
    assert sorted(n for n, _ in numbered) == list(range(len(asked)))
    return [one for _, one in sorted(numbered)]


@pytest.mark.parametrize("window", [512, 95])
def test_they_are_those_of_transformers(llama: LanguageModel, network: Any, window: int) -> None:
    for one, likelihood in zip(ASKED, found(llama, ASKED, window), strict=True):
        right = expected(network, one, window)
        assert likelihood.logprob == pytest.approx(right.logprob, abs=rounding(one))
        assert likelihood.is_greedy == right.is_greedy


def test_what_is_most_likely_is_greedy(llama: LanguageModel, network: Any) -> None:
    import torch

    ids = IDS[:30]
    with torch.no_grad():
        for _ in range(4):
            ids = [*ids, int(network(torch.tensor([ids])).logits[0, -1].argmax())]
    best, context = ids[30:], IDS[:30]
    other = [*best[:3], (best[3] + 1) % 256]
    asked = [Continuation(context, ids) for ids in (best, other, best[:1])]
    one, two, three = found(llama, asked, 512)
    assert (one.is_greedy, two.is_greedy, three.is_greedy) == (True, False, True)


def test_a_shared_beginning_is_read_once(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, step = [], llama.step

    def counted(ids: mx.array, *others: Any) -> Any:
        read.append(ids.size)
        return step(ids, *others)

    monkeypatch.setattr(llama, "step", counted)
    asked = [Continuation(SHARED, ids) for ids in ([5, 6, 7], [9], [5, 8, 7], [11, 12])]
    found(llama, asked, 512)
    # Of each continuation all but its last id, and the context's last id before it.
    assert sum(read) == len(SHARED) - 1 + 3 + 1 + 3 + 2


def test_the_order_they_are_asked_in_does_not_matter(llama: LanguageModel) -> None:
    forth, back = found(llama, ASKED, 512), found(llama, ASKED[::-1], 512)
    assert [one.logprob for one in forth] == [one.logprob for one in back[::-1]]


def test_a_continuation_has_to_fit(llama: LanguageModel) -> None:
    with pytest.raises(UsageError, match="has 90 tokens, and no more than 80"):
        found(llama, ASKED, 80)
