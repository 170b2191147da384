"""Capture: what is seen is what the network attends to, and seeing it changes no bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models.base import scaled_dot_product_attention
from mlx_lm.models.cache import KVCache, QuantizedKVCache, RotatingKVCache

from entropix_models import devices, loader
from entropix_models.attention import Tap
from entropix_models.errors import UnsupportedError
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

HEADS, KV_HEADS, SIZE = 4, 2, 32
SCALE = SIZE**-0.5


class Recorder:
    """A reducer that keeps what it is given: probabilities per layer, rows added up."""

    def __init__(self) -> None:
        self.probabilities: list[mx.array] = []

    def __call__(self, scores: mx.array, weights: mx.array, valid: mx.array | None) -> mx.array:
        assert scores.dtype == weights.dtype == mx.float32
        if valid is not None:
            assert valid.dtype == mx.bool_
            assert valid.shape == (1, 1, *scores.shape[2:])
            scores = mx.where(valid, scores, -mx.inf)
        p = mx.softmax(scores, axis=-1)
        # Exact but where the model computes in half precision.
        assert mx.allclose(weights, p, atol=2e-3)
        self.probabilities += list(p)
        return mx.max(p, axis=(1, 3))[..., None]


class Attention(nn.Module):
    """A layer that calls what every architecture of mlx-lm calls."""

    def __call__(self, q: mx.array, k: Any, v: Any, mask: Any, cache: Any = None) -> mx.array:
        return scaled_dot_product_attention(q, k, v, cache=cache, scale=SCALE, mask=mask)


class OwnAttention(nn.Module):
    """A layer that computes its attention itself."""

    def __call__(self, q: mx.array, k: mx.array, v: mx.array) -> mx.array:
        return mx.softmax(q @ mx.swapaxes(k, -1, -2)) @ v


def operands(
    queries: int, keys: int, dtype: mx.Dtype = mx.float32
) -> tuple[mx.array, mx.array, mx.array]:
    rng = np.random.default_rng([queries, keys])

    def normal(heads: int, rows: int) -> mx.array:
        return mx.array(rng.normal(0, 1.5, (1, heads, rows, SIZE)).astype(np.float32)).astype(dtype)

    return normal(HEADS, queries), normal(KV_HEADS, keys), normal(KV_HEADS, keys)


def masks(queries: int, keys: int) -> dict[str, mx.array | str | None]:
    causal = np.tril(np.ones((queries, keys), bool), keys - queries)
    window = causal & ~np.tril(np.ones((queries, keys), bool), keys - queries - 5)
    bias = np.random.default_rng(9).normal(0, 2, (1, HEADS, queries, keys)).astype(np.float32)
    return {
        "none": None,
        "causal": "causal",
        "bool": mx.array(window),
        "bool of four axes": mx.array(window[None, None]),
        "float": mx.array(np.where(causal, 0, -np.inf).astype(np.float32)),
        "float per head": mx.array(bias),
    }


def expected(q: mx.array, k: mx.array, mask: mx.array | str | None) -> np.ndarray:
    """Probabilities `[heads, queries, keys]` from the definition, float64."""
    x, y = (np.array(a.astype(mx.float32), np.float64)[0] for a in (q, k))
    scores = x @ np.repeat(y, HEADS // KV_HEADS, axis=0).swapaxes(1, 2) * SCALE
    rows, columns = scores.shape[1:]
    if mask == "causal":
        scores = np.where(np.tril(np.ones((rows, columns)), columns - rows) > 0, scores, -np.inf)
    elif isinstance(mask, mx.array):
        m = np.array(mask).reshape(-1, rows, columns)
        scores = np.where(m, scores, -np.inf) if m.dtype == bool else scores + m
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 37), (8, 8), (7, 40), (64, 300)])
@pytest.mark.parametrize("kind", masks(1, 1))
def test_scores_are_seen_and_no_bit_changes(
    kind: str, queries: int, keys: int, manual: bool
) -> None:
    layer = Attention()
    q, k, v = operands(queries, keys)
    mask = masks(queries, keys)[kind]
    plain = np.array(layer(q, k, v, mask))
    recorder = Recorder()
    with Tap(layer, manual=manual).open(recorder, queries) as capture:
        tapped = np.array(layer(q, k, v, mask))
    statistics = np.array(capture.statistics(1))[:, 0]
    np.testing.assert_array_equal(tapped, plain)
    truth = expected(q, k, mask)
    np.testing.assert_allclose(np.array(recorder.probabilities[0]), truth, atol=2e-6)
    np.testing.assert_allclose(statistics[0, :, 0], truth.max(axis=(0, 2)), atol=2e-6)


@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
@pytest.mark.parametrize("queries", [1, 9])
def test_half_precision_changes_no_bit(queries: int, dtype: mx.Dtype, manual: bool) -> None:
    layer = Attention()
    q, k, v = operands(queries, 40, dtype)
    mask = "causal" if queries > 1 else None
    plain = layer(q, k, v, mask)
    recorder = Recorder()
    with Tap(layer, manual=manual).open(recorder, queries) as capture:
        tapped = layer(q, k, v, mask)
    mx.eval(capture.statistics(1))
    assert tapped.dtype == dtype
    assert mx.array_equal(tapped, plain)
    tolerance = 0.05 if manual and dtype == mx.bfloat16 else 0.01
    np.testing.assert_allclose(
        np.array(recorder.probabilities[0]), expected(q, k, mask), atol=tolerance
    )


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16, mx.float32])
@pytest.mark.parametrize("queries", [1, 9])
def test_scores_beside_a_fused_kernel_are_rounded_once(queries: int, dtype: mx.Dtype) -> None:
    """What the products sum is summed in float32, whatever the keys are stored in."""
    size, keys = 256, 70
    rng = np.random.default_rng(3)
    q, k = (
        mx.array(rng.normal(0, 1, (1, heads, rows, size)).astype(np.float32)).astype(dtype)
        for heads, rows in ((HEADS, queries), (KV_HEADS, keys))
    )
    seen: list[mx.array] = []

    def reducer(scores: mx.array, weights: mx.array, _valid: mx.array | None) -> mx.array:
        assert scores.dtype == weights.dtype == mx.float32
        seen.append(scores)
        return weights[..., :1, 0]

    scale = 2.0**-4  # scaling the queries by it rounds nothing
    with Tap(Attention(), manual=False).open(reducer, queries) as capture:
        scope = Attention.__call__.__globals__
        scope["scaled_dot_product_attention"](q, k, k, cache=None, scale=scale, mask=None)
    capture.statistics(1)
    x, y = (np.array(a.astype(mx.float32), np.float64)[0] for a in (q, k))
    y = np.repeat(y, HEADS // KV_HEADS, axis=0).swapaxes(1, 2)
    exact, total = x @ y * scale, np.abs(x) @ np.abs(y) * scale
    summed = size * mx.finfo(mx.float32).eps / 2 * total
    once = mx.finfo(dtype).eps / 2 * (np.abs(exact) + summed)
    found = np.array(seen[0][0], np.float64)
    assert (np.abs(found - exact) <= summed + once).all()


def test_keys_are_not_copied() -> None:
    shape = (1, 1, 20_000, 64)
    q, k = mx.ones((1, 1, 1, 64), mx.bfloat16), mx.ones(shape, mx.bfloat16)
    mx.eval(q, k)
    scope = Attention.__call__.__globals__
    with Tap(Attention(), manual=False).open(lambda scores, *_: scores[..., 0], 1) as capture:
        scope["scaled_dot_product_attention"](q, k, k, cache=None, scale=1.0, mask=None)
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    mx.eval(capture.statistics(1))
    assert mx.get_peak_memory() - before < k.nbytes / 2


@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize("queries", [1, 6])
def test_a_quantised_cache(queries: int, manual: bool) -> None:
    layer = Attention()
    q, k, v = operands(queries, 24)
    cache = QuantizedKVCache(group_size=32, bits=8)
    keys, values = cache.update_and_fetch(k, v)
    mask = "causal" if queries > 1 else None
    # Its arithmetic scales the queries in place.
    plain = layer(mx.array(q), keys, values, mask, cache)
    recorder = Recorder()
    with Tap(layer, manual=manual).open(recorder, queries) as capture:
        tapped = layer(mx.array(q), keys, values, mask, cache)
    mx.eval(capture.statistics(1))
    assert mx.array_equal(tapped, plain)
    dense = mx.dequantize(*keys, group_size=32, bits=8)
    truth = expected(q, dense, mask)
    np.testing.assert_allclose(np.array(recorder.probabilities[0]), truth, atol=2e-6)
    assert np.abs(truth - expected(q, k, mask)).max() > 1e-4  # quantisation did something


def test_layers_stay_in_order_whatever_their_masks() -> None:
    """Of one query, layers without a mask are reduced together, others one by one."""
    layer = Attention()
    order = ((20, None), (20, None), (9, None), (20, "bool"), (9, "bool"), (20, None))
    recorder = Recorder()
    with Tap(layer, manual=True).open(recorder, 1) as capture:
        for keys, mask in order:
            q, k, v = operands(1, keys)
            layer(q, k, v, mx.arange(keys)[None] > 2 if mask else None)
    assert capture.statistics(6).shape == (6, 1, 1, 1)
    assert [p.shape[-1] for p in recorder.probabilities] == [keys for keys, _ in order]
    assert [bool(p[0, 0, 0] == 0) for p in recorder.probabilities] == [bool(m) for _, m in order]


def test_the_name_is_restored() -> None:
    layer = Attention()
    scope = Attention.__call__.__globals__
    original = scope["scaled_dot_product_attention"]
    tap = Tap(layer, manual=True)
    with tap.open(Recorder(), 1):
        assert scope["scaled_dot_product_attention"] is not original
    assert scope["scaled_dot_product_attention"] is original

    def broken(*_arrays: mx.array | None) -> mx.array:
        raise ZeroDivisionError

    def run() -> None:
        with tap.open(broken, 3) as capture:
            layer(*operands(3, 3), "causal")
            capture.statistics(1)

    with pytest.raises(ZeroDivisionError):
        run()
    assert scope["scaled_dot_product_attention"] is original


def test_attention_that_escapes_is_refused() -> None:
    layer = OwnAttention()
    q, k, v = operands(1, 5)
    with Tap(layer, manual=True).open(Recorder(), 1) as capture:
        layer(q, mx.repeat(k, 2, axis=1), mx.repeat(v, 2, axis=1))
    with pytest.raises(UnsupportedError, match="0 of 1 layers") as caught:
        capture.statistics(1)
    assert "\n" not in str(caught.value)


def test_attention_sinks_are_refused() -> None:
    layer = Attention()
    scope = Attention.__call__.__globals__
    q, k, v = operands(1, 5)
    with Tap(layer, manual=True).open(Recorder(), 1):
        attend = scope["scaled_dot_product_attention"]
        with pytest.raises(UnsupportedError, match="sinks"):
            attend(q, k, v, cache=None, scale=1.0, mask=None, sinks=mx.zeros(HEADS))


def retapped(model: LanguageModel, manual: bool) -> LanguageModel:
    """The same network, captured in the other way."""
    other = LanguageModel(model.network, model.tokenizer, model.info, model.device)
    other._tap = Tap(model.network, manual=manual)
    return other


IDS = [int(i) for i in np.random.default_rng(8).integers(3, 259, 90)]


@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize(
    "make", [KVCache, lambda: QuantizedKVCache(group_size=32, bits=8)], ids=["dense", "quantised"]
)
def test_a_network_with_and_without_capture(
    make_llama: Callable[..., Path], tmp_path: Path, make: Callable[[], Any], manual: bool
) -> None:
    folder = sources.resolve(str(make_llama(tmp_path / "m", head_dim=32)))
    model = retapped(loader.load(folder, devices.choose("cpu")), manual)
    layers = model.info.layers
    plain, tapped = ([make() for _ in range(layers)] for _ in range(2))
    for ids in (IDS[:40], IDS[40:41], IDS[41:42], IDS[42:60]):
        recorder = Recorder()
        without = model.step(mx.array(ids), plain)
        found = model.step(mx.array(ids), tapped, recorder)
        assert without.attention is None
        assert found.attention is not None
        assert found.attention.shape == (layers, len(ids), 1)
        assert mx.array_equal(found.logits, without.logits)
        total = mx.sum(mx.stack(recorder.probabilities), axis=-1)
        np.testing.assert_allclose(np.array(total), 1, atol=1e-6)


@pytest.mark.parametrize("manual", [True, False])
def test_rotating_caches_have_layers_of_different_lengths(
    make_llama: Callable[..., Path], tmp_path: Path, manual: bool
) -> None:
    """Sliding layers hold fewer keys, out of order once they wrapped."""
    folder = make_llama(
        tmp_path / "m",
        layer_types=["full_attention", "sliding_attention", "sliding_attention"],
        sliding_window=16,
    )
    model = retapped(loader.load(sources.resolve(str(folder)), devices.choose("cpu")), manual)
    plain, tapped = model.new_cache(), model.new_cache()
    assert [type(c) for c in plain] == [KVCache, RotatingKVCache, RotatingKVCache]
    position = 0
    for count in (10, 1, 12, *[1] * 20, 5, 1):
        ids = mx.array(IDS[position : position + count])
        position += count
        recorder = Recorder()
        without, found = model.step(ids, plain), model.step(ids, tapped, recorder)
        assert mx.array_equal(found.logits, without.logits)
        assert found.attention is not None
        assert found.attention.shape == (3, count, 1)
        for layer, p in enumerate(recorder.probabilities):
            np.testing.assert_allclose(np.array(mx.sum(p, axis=-1)), 1, atol=1e-6)
            seen = np.array(mx.sum(p[0, -1] > 0))
            assert seen == (position if layer == 0 else min(position, 16))


def test_memory_is_bounded_by_one_layers_scores(llama: LanguageModel) -> None:
    """Several queries are reduced layer by layer; one query is stacked."""
    sizes: list[tuple[int, ...]] = []

    def reducer(scores: mx.array, _weights: mx.array, _valid: mx.array | None) -> mx.array:
        sizes.append(scores.shape)
        return mx.zeros((scores.shape[0], scores.shape[2], 1))

    cache = llama.new_cache()
    llama.step(mx.array(IDS[:20]), cache, reducer)
    llama.step(mx.array(IDS[20:21]), cache, reducer)
    assert sizes == [(1, 4, 20, 20)] * 3 + [(3, 4, 1, 21)]
