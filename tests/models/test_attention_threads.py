"""Captures of several threads at once: each sees its own layers, and mlx-lm is left as it was."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models import llama as architecture
from mlx_lm.models.base import scaled_dot_product_attention

from entropix_models import devices, loader
from entropix_models.attention import Tap
from entropix_models.language_model import LanguageModel, Step
from entropix_models.sources import sources

T = TypeVar("T")

IDS = [int(i) for i in np.random.default_rng(8).integers(3, 259, 30)]


def largest(_scores: mx.array, weights: mx.array, _valid: mx.array | None) -> mx.array:
    """The largest weight of each query."""
    return mx.max(weights, axis=(1, 3))[..., None]


def load(folder: Path) -> LanguageModel:
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


def graph(model: LanguageModel, i: int) -> Step:
    """Logits and statistics of a short text, another one for each `i` below 20, not computed."""
    return model.step(mx.array(IDS[i % 20 : i % 20 + 5]), model.new_cache(), largest)


def is_restored() -> bool:
    return vars(architecture)["scaled_dot_product_attention"] is scaled_dot_product_attention


def released(act: Callable[[], T]) -> T:
    """For a thread of its own: what `act` returns or raises."""
    try:
        return act()
    finally:
        devices.release_thread()


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_two_models_in_two_threads(make_llama: Callable[..., Path], tmp_path: Path) -> None:
    folders = [make_llama(tmp_path / f"{n}", seed=n, num_hidden_layers=n) for n in (2, 3)]
    expected = [[graph(model, i) for i in range(20)] for model in map(load, folders)]
    together = threading.Barrier(2)

    def work(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
        model = load(folder)
        together.wait(60)
        graphs = [graph(model, i) for i in range(300)]
        return [(np.array(logits), np.array(attention)) for logits, attention in graphs]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda folder: released(lambda: work(folder)), folders))
    for alone, beside in zip(expected, found, strict=True):
        for i, (logits, attention) in enumerate(beside):
            np.testing.assert_allclose(logits, np.array(alone[i % 20].logits), atol=1e-4)
            np.testing.assert_allclose(attention, np.array(alone[i % 20].attention), atol=1e-5)
    assert is_restored()


def test_a_bare_network_in_another_thread(llama_folder: Path) -> None:
    """Only the thread that opened the tap is captured; another one gets what mlx-lm gives."""

    def bare() -> np.ndarray:
        return np.array(load(llama_folder).network(mx.array(IDS)[None]))

    with ThreadPoolExecutor(1) as pool:
        expected = pool.submit(released, bare).result()
    model = load(llama_folder)
    with Tap(model.network, manual=True).open(largest, len(IDS)) as capture:
        assert not is_restored()
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(released, bare).result()
        model.network(mx.array(IDS)[None])
    assert capture.statistics(3).shape == (3, 1, len(IDS), 1)
    np.testing.assert_array_equal(found, expected)
    assert is_restored()


@pytest.mark.parametrize("broken", [False, True])
def test_taps_that_overlap(llama: LanguageModel, llama_folder: Path, broken: bool) -> None:
    """The first to open ends first, well or with an error; the other goes on capturing."""
    opened, going = threading.Event(), threading.Event()

    def first() -> None:
        with Tap(load(llama_folder).network, manual=True).open(largest, len(IDS)):
            opened.set()
            assert going.wait(60)
            if broken:
                raise ZeroDivisionError

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(released, first)
        assert opened.wait(60)
        with Tap(llama.network, manual=True).open(largest, len(IDS)) as capture:
            going.set()
            assert isinstance(beside.exception(60), ZeroDivisionError) == broken
            assert not is_restored()
            llama.network(mx.array(IDS)[None])
    assert capture.statistics(3).shape == (3, 1, len(IDS), 1)
    assert is_restored()


def test_a_tap_within_a_tap(llama: LanguageModel) -> None:
    """In one thread the inner one captures, then the outer one again."""
    tap, ids = Tap(llama.network, manual=True), mx.array(IDS)[None]
    with tap.open(largest, len(IDS)) as outer:
        with tap.open(largest, len(IDS)) as inner:
            llama.network(ids)
        llama.network(ids)
    assert inner.statistics(3).shape == outer.statistics(3).shape == (3, 1, len(IDS), 1)
    assert is_restored()
