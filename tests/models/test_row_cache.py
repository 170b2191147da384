"""Several rows a step against each row alone: logits, attention, whoever leaves or comes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import RotatingKVCache

from entropix_mlx.sampling.metrics import attention_statistics
from entropix_models import devices, joined_layer, loader, row_cache
from entropix_models.errors import UnsupportedError
from entropix_models.language_model import Cache, LanguageModel, Step
from entropix_models.sources import sources

CLOSE = 2e-5
"""Of numbers near 1, with sums of up to a hundred float32 terms in another order."""


@pytest.fixture(params=["joined", "mlx-lm's"])
def model(
    request: pytest.FixtureRequest,
    make_llama: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> LanguageModel:
    if request.param == "mlx-lm's":  # as on a GPU, where a step is given all keys
        monkeypatch.setattr(joined_layer, "join", lambda _: None)
    folder = make_llama(tmp_path / "llama", seed=3)
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


def ids(count: int, seed: int) -> list[int]:
    return [int(id) for id in np.random.default_rng(seed).integers(3, 259, count)]


def read(model: LanguageModel, text: Sequence[int]) -> Cache:
    cache = model.new_cache()
    model.step(mx.array(list(text)), cache)
    return cache


class Alone:
    """What each row would be by itself."""

    def __init__(self, model: LanguageModel, texts: Sequence[Sequence[int]]) -> None:
        self.model, self.caches = model, [read(model, text) for text in texts]

    def agree(self, step: Step, last: Sequence[int], rows: Sequence[int]) -> None:
        """Logits and attention of a step that read `last` are those of these rows."""
        assert step.attention is not None
        for n, row in enumerate(rows):
            own = self.model.step(mx.array([last[n]]), self.caches[row], attention_statistics)
            assert own.attention is not None
            for found, expected in (
                (step.logits[n], own.logits),
                (step.attention[:, n], own.attention),
            ):
                assert found.shape == expected.shape
                np.testing.assert_allclose(np.array(found), np.array(expected), atol=CLOSE)


def stepped(model: LanguageModel, cache: Cache, last: Sequence[int]) -> Step:
    return model.step(mx.array(list(last))[:, None], cache, attention_statistics)


def test_rows_after_one_text(model: LanguageModel) -> None:
    text = ids(40, 1)
    before = read(model, text)
    cache, alone = model.rows_after(before, 3), Alone(model, [text] * 3)
    for n in range(4):
        last = ids(3, 10 + n)
        alone.agree(stepped(model, cache, last), last, (0, 1, 2))
    assert model.cached(before) == len(text), "it stays as it is"
    cache = row_cache.taken(cache, [2, 0])
    for n in range(3):
        last = ids(2, 20 + n)
        alone.agree(stepped(model, cache, last), last, (2, 0))


def test_what_rows_share_is_there_once(model: LanguageModel) -> None:
    before = read(model, ids(100, 1))
    cache = model.rows_after(before, 50)
    stepped(model, cache, ids(50, 2))
    for layer, kept in zip(cache, before, strict=True):
        assert layer.prefix[0].shape == (1, *kept.keys.shape[1:2], 100, kept.keys.shape[3])
        assert layer.keys.shape[2] < 300, "of each row only what it read itself"


def test_rows_after_different_texts(model: LanguageModel) -> None:
    texts = [ids(count, count) for count in (4, 30, 11)]
    cache, alone = model.rows_beside([read(model, text) for text in texts]), Alone(model, texts)
    for n in range(3):
        last = ids(3, 10 + n)
        alone.agree(stepped(model, cache, last), last, (0, 1, 2))
    cache = row_cache.taken(cache, [2, 0])
    assert min(cache[0].places.padding) == 0, "what padded both is gone"
    assert cache[0].own == 11 + 3
    last = ids(2, 30)
    alone.agree(stepped(model, cache, last), last, (2, 0))


@pytest.mark.parametrize("count", [2, 50])
def test_a_row_comes(model: LanguageModel, count: int) -> None:
    """A shorter one, and one that is longer than all."""
    texts = [ids(7, 1), ids(20, 2), ids(count, 3)]
    alone = Alone(model, texts)
    cache = model.rows_beside([read(model, text) for text in texts[:2]])
    last = ids(2, 10)
    alone.agree(stepped(model, cache, last), last, (0, 1))
    cache = row_cache.joined(cache, model.rows_beside([read(model, texts[2])]))
    for n in range(3):
        last = ids(3, 20 + n)
        alone.agree(stepped(model, cache, last), last, (0, 1, 2))


def test_a_row_comes_to_those_after_the_same_text(model: LanguageModel) -> None:
    text = ids(30, 1)
    before, alone = read(model, text), Alone(model, [text] * 3)
    cache = model.rows_after(before, 2)
    last = ids(2, 10)
    alone.agree(stepped(model, cache, last), last, (0, 1))
    cache = row_cache.joined(cache, model.rows_after(before, 1))
    for n in range(2):
        last = ids(3, 20 + n)
        alone.agree(stepped(model, cache, last), last, (0, 1, 2))
    with pytest.raises(ValueError, match="prefix"):
        row_cache.joined(cache, model.rows_after(read(model, text[:5]), 1))


@pytest.mark.parametrize("way", ["after", "beside", "at once"])
def test_a_row_goes_on_alone(model: LanguageModel, way: str) -> None:
    texts = [ids(9, 1)] * 2 if way != "beside" else [ids(9, 1), ids(14, 2)]
    alone = Alone(model, texts)
    caches = [read(model, text) for text in texts]
    cache = model.rows_beside(caches) if way == "beside" else model.rows_after(caches[0], 2)
    if way != "at once":
        last = ids(2, 3)
        alone.agree(stepped(model, cache, last), last, (0, 1))
    for row in (0, 1):
        own = row_cache.alone(cache, row)
        assert model.cached(own) == model.cached(alone.caches[row])
        step = model.step(mx.array([5]), own, attention_statistics)
        alone.agree(Step(step.logits[None], step.attention[:, None]), [5], [row])
        assert model.trim(own, 1)


def test_rows_after_nothing(model: LanguageModel) -> None:
    """A text of one id is all read in the first step."""
    alone = Alone(model, [])
    alone.caches = [model.new_cache() for _ in range(3)]
    cache = model.rows_after(model.new_cache(), 2)
    last = ids(2, 1)
    alone.agree(stepped(model, cache, last), last, (0, 1))
    alone.caches = [model.new_cache(), read(model, ids(5, 2))]
    cache = model.rows_beside([model.new_cache(), read(model, ids(5, 2))])
    alone.agree(stepped(model, cache, last), last, (0, 1))


def test_memory_that_grows(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the room that is taken at once."""
    monkeypatch.setattr(row_cache, "_GROWTH", 4)
    text = ids(3, 1)
    cache, alone = model.rows_after(read(model, text), 2), Alone(model, [text] * 2)
    for n in range(10):
        last = ids(2, n)
        alone.agree(stepped(model, cache, last), last, (0, 1))
    assert cache[0].keys.shape[2] == 12


def test_other_caches_are_refused(model: LanguageModel) -> None:
    rotating = [RotatingKVCache(max_size=8) for _ in model.new_cache()]
    for make in (lambda: model.rows_after(rotating, 2), lambda: model.rows_beside([rotating])):
        with pytest.raises(UnsupportedError, match="plain keys and values"):
            make()
