"""A turn that halts before each token is taken."""

from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from turns import session, timeless, tokens, turn

from entropix_mlx.debugger.stepper import Stepper
from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import PromptRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session import turn as turn_module
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_models.language_model import LanguageModel


def hot(model: LanguageModel) -> Session:
    return session(model, "temperature", overrides={"temperature": "3"})


def stepper(made: Session, count: int = 8) -> Stepper:
    return Stepper(made, made.prepare(TurnRequest("Hello", max_tokens=count)))


def halt(stepping: Stepper) -> Halted:
    assert stepping.halted is not None
    return stepping.halted


def test_proposals_are_what_comes(llama: LanguageModel) -> None:
    made = hot(llama)
    stepping = stepper(made)
    records, proposed = stepping.take(), []
    assert [type(r) for r in records] == [PromptRecord]
    while not stepping.ended:
        proposed.append(halt(stepping).proposal())
        records += stepping.take()
    assert timeless(proposed) == timeless(tokens(records))
    assert timeless(records) == timeless(turn(hot(llama), "Hello", 8))


def test_deciding(llama: LanguageModel) -> None:
    made = hot(llama)
    stepping = stepper(made)
    stepping.take()
    seen = halt(stepping).proposal()
    halt(stepping).reconsider(banned=(seen.id,))
    assert halt(stepping).proposal().id != seen.id
    assert halt(stepping).proposal().entropy == seen.entropy
    halt(stepping).reconsider(force=70)
    assert (halt(stepping).proposal().id, halt(stepping).proposal().forced) == (70, "user")
    assert tokens(stepping.take())[0].id == 70
    made.use(Settings.make("greedy"))
    assert halt(stepping).proposal().strategy == "greedy"


def test_the_time_that_it_is_halted_is_no_tokens(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()
    monkeypatch.setattr(turn_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    stepping = stepper(hot(llama))
    stepping.take()
    for _ in range(1000):
        next(clock)
    (taken,) = tokens(stepping.take())
    assert taken.ms is not None
    assert 0 < taken.ms < 10_000


def test_leaving(llama: LanguageModel) -> None:
    made = hot(llama)
    stepping = stepper(made)
    stepping.take()
    taken = tokens(stepping.take() + stepping.take())
    stepping.leave()
    assert made.tree.leaf == taken[-1].index
    assert made.ids == made.ids[: -len(taken)] + [r.id for r in taken]
    assert tokens(list(made.run(TurnRequest(max_tokens=2))))[0].parent == taken[-1].index


def test_the_lens(llama: LanguageModel) -> None:
    made = hot(llama)
    stepping = stepper(made)
    stepping.take()
    before = halt(stepping).proposal()
    layers = halt(stepping).lens()
    assert len(layers) == llama.info.layers
    last = layers[-1]
    assert last.entropy == pytest.approx(before.entropy, abs=1e-4)
    assert [id for id, *_ in last.candidates] == [id for id, *_ in before.candidates[:5]]
    assert last.rank == 0
    assert any(layer.rank > 0 for layer in layers[:-1])
    assert halt(stepping).proposal() == before


@pytest.mark.parametrize("count", [3, 20])
def test_futures(llama: LanguageModel, count: int) -> None:
    made = hot(llama)
    stepping = stepper(made)
    stepping.take()
    stepping.take()
    futures = halt(stepping).futures(count)
    assert len(futures) == count
    for future in (futures[0], futures[-1]):
        id, _, logprob, p = future.candidate
        # From logits of some 30 nats, whose last bits are 2e-6, by two ways through float32.
        assert p == pytest.approx(np.exp(logprob), rel=1e-5)
        assert halt(stepping).p(id) == pytest.approx(p, rel=1e-5)
        *_, after = score(llama, [*made.ids, id, 70], made.calibration)
        assert future.entropy == pytest.approx(after.entropy, abs=2e-4)
        assert future.varentropy == pytest.approx(after.varentropy, abs=1e-3)
        assert [c[0] for c in future.then] == [c[0] for c in after.candidates[:3]]
