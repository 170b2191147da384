"""The metrics against NumPy in float64, and what must hold whatever the numbers are."""

import math

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.special import logsumexp, softmax

from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.metrics import ATTENTION

LN2 = math.log(2)


def moments_of(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entropy, varentropy and log-sum-exp from the definitions, float64."""
    x = logits.astype(np.float64)
    normaliser = logsumexp(x, axis=-1)
    log2_p = (x - normaliser[:, None]) / LN2
    p = np.exp2(log2_p)
    entropy = -np.sum(np.where(p > 0, p * log2_p, 0.0), axis=-1)
    deviation = np.where(p > 0, log2_p + entropy[:, None], 0.0)
    return entropy, np.sum(p * deviation**2, axis=-1), normaliser


def attention_of(scores: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """`[layers, queries, 5]`: the four statistics and the guide's literal agreement, float64."""
    layers, _, queries, keys = scores.shape
    result = np.empty((layers, queries, 5))
    for layer in range(layers):
        for query in range(queries):
            seen = np.ones(keys, bool) if valid is None else valid[query]
            x = scores[layer, :, query, seen].T.astype(np.float64)
            p = softmax(x, axis=-1)
            entropy = [-sum(v * math.log2(v) for v in row if v > 0) for row in p]
            away = np.abs(p - p.mean(axis=0))
            result[layer, query] = (
                np.mean(entropy),
                np.var(entropy),
                1 - np.mean([0.5 * row.sum() for row in away]),
                np.abs(x).mean(),
                away.mean(),
            )
    return result


def logits_like(kind: str, rows: int, size: int) -> np.ndarray:
    rng = np.random.default_rng([size, len(kind)])
    x = rng.normal(0, 3, (rows, size))
    if kind == "peaked":
        x[:, size // 2] += 40
    elif kind == "flat":
        x = rng.normal(0, 1e-3, (rows, size))
    elif kind == "huge":
        x = rng.uniform(-30_000, 30_000, (rows, size))
    elif kind == "far":
        x += 10_000
    elif kind == "two":
        x[:] = -50
        x[:, [0, -1]] = 7.0
    return x.astype(np.float32)


class TestMoments:
    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000, 49_152, 128_256])
    @pytest.mark.parametrize("kind", ["random", "peaked", "flat", "huge", "far", "two"])
    def test_they_are_those_of_float64(self, kind: str, size: int) -> None:
        x = logits_like(kind, 3, size)
        found = metrics.moments(mx.array(x))
        entropy, varentropy, normaliser = moments_of(x)
        np.testing.assert_allclose(np.array(found.entropy), entropy, atol=1e-4)
        np.testing.assert_allclose(np.array(found.varentropy), varentropy, atol=3e-4)
        np.testing.assert_allclose(np.array(found.log_normaliser), normaliser, atol=1e-4, rtol=2e-7)

    @pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
    def test_half_precision_is_read_as_it_is(self, dtype: mx.Dtype) -> None:
        x = mx.array(logits_like("random", 2, 49_152)).astype(dtype)
        entropy, varentropy, _ = moments_of(np.array(x.astype(mx.float32)))
        found = metrics.moments(x)
        assert found.entropy.dtype == mx.float32
        np.testing.assert_allclose(np.array(found.entropy), entropy, atol=1e-4)
        np.testing.assert_allclose(np.array(found.varentropy), varentropy, atol=3e-4)

    def test_a_plain_sum_would_miss(self) -> None:
        """What the blocks are for: without them the tolerance above is not met."""
        x = logits_like("flat", 1, 128_256) + np.float32(0.3)
        naive = np.float32(0)
        for e in np.exp(x[0] - x.max()):
            naive += e
        exact = np.exp((x - x.max()).astype(np.float64)).sum()
        blocked = float(metrics.total(mx.exp(mx.array(x - x.max())))[0])
        assert abs(blocked - exact) / exact < 1e-6 < abs(float(naive) - exact) / exact

    @pytest.mark.parametrize("size", [1, 2, 300, 49_152, 128_256])
    def test_a_uniform_distribution(self, size: int) -> None:
        found = metrics.moments(mx.full((2, size), -3.25))
        np.testing.assert_allclose(np.array(found.entropy), math.log2(size), atol=2e-5)
        np.testing.assert_allclose(np.array(found.varentropy), 0, atol=1e-6)

    def test_tokens_that_are_ruled_out_count_nothing(self) -> None:
        x = np.full((1, 1000), -np.inf, np.float32)
        x[0, [3, 500, 999]] = [1.0, 0.5, -2.0]
        found, expected = metrics.moments(mx.array(x)), moments_of(x[:, [3, 500, 999]])
        for value, truth in zip(found[:3], expected, strict=True):
            np.testing.assert_allclose(np.array(value), truth, atol=1e-5)
        p = np.array(found.odds / mx.sum(found.odds))
        np.testing.assert_allclose(p, np.exp(x - 1) / np.exp(x - 1).sum(), atol=1e-6)

    @pytest.mark.slow
    @given(
        arrays(
            np.float32,
            array_shapes(min_dims=2, max_dims=2, max_side=700),
            elements=st.floats(-90, 90, width=32),
        ),
        st.floats(-1000, 1000, width=32),
    )
    def test_bounds_and_shifts(self, x: np.ndarray, shift: float) -> None:
        found = metrics.moments(mx.array(x))
        entropy, varentropy = np.array(found.entropy), np.array(found.varentropy)
        assert (entropy >= 0).all()
        assert (entropy <= math.log2(x.shape[1]) + 1e-5).all()
        assert (varentropy >= 0).all()
        shifted = x + np.float32(shift)
        # In float32 the shift itself rounds: what is compared is the shifted array's own truth.
        expected = moments_of(shifted)
        moved = metrics.moments(mx.array(shifted))
        np.testing.assert_allclose(np.array(moved.entropy), expected[0], atol=1e-4)
        exact = np.float32(2.0) * np.round(x)
        one = metrics.moments(mx.array(exact))
        other = metrics.moments(mx.array(exact + np.float32(64)))
        np.testing.assert_allclose(np.array(one.entropy), np.array(other.entropy), atol=1e-6)
        np.testing.assert_allclose(np.array(one.varentropy), np.array(other.varentropy), atol=1e-6)


class TestOrder:
    @pytest.mark.parametrize("n", [1, 3, 8, 64, 128])
    @pytest.mark.parametrize("levels", [1, 2, 5, 1000, None])
    def test_top_is_a_stable_sort(self, n: int, levels: int | None) -> None:
        """Sizes around those where the blocks begin, with and without a torn last block."""
        edge = 2 * n * metrics.TOP_BLOCK
        for size in {n, n + 1, edge - 1, edge, edge + 1, edge + 31, edge + 32, edge + 33, 3 * edge}:
            rng = np.random.default_rng([n, size])
            x = rng.normal(0, 3, (2, size)).astype(np.float32)
            if levels is not None:
                x = rng.integers(0, levels, (2, size)).astype(np.float32)
            ids, values = metrics.top(mx.array(x), n)
            expected = np.argsort(-x, axis=-1, kind="stable")[:, :n]
            np.testing.assert_array_equal(np.array(ids), expected)
            np.testing.assert_array_equal(
                np.array(values), np.take_along_axis(x, expected, axis=-1)
            )
            assert ids.dtype == mx.int32

    def test_top_of_few_possible_tokens(self) -> None:
        x = np.full((1, 5000), -np.inf, np.float32)
        x[0, [4999, 7, 2500]] = [1.0, 1.0, 2.0]
        ids, _ = metrics.top(mx.array(x), 8)
        assert ids.tolist() == [[2500, 7, 4999, 0, 1, 2, 3, 4]]

    @given(
        arrays(np.float32, st.tuples(st.just(1), st.integers(1, 400)), elements=st.integers(-3, 3)),
        st.data(),
    )
    def test_rank_counts_what_comes_before(self, x: np.ndarray, data: st.DataObject) -> None:
        id = data.draw(st.integers(0, x.shape[1] - 1))
        place = np.argsort(-x[0], kind="stable").tolist().index(id)
        assert metrics.rank(mx.array(x), mx.array([id])).tolist() == [place]

    def test_rank_over_rows(self) -> None:
        x = np.random.default_rng(5).normal(size=(20, 49_152)).astype(np.float16)
        ids = np.random.default_rng(6).integers(0, 49_152, 20)
        expected = [
            np.argsort(-row.astype(np.float32), kind="stable").tolist().index(id)
            for row, id in zip(x, ids.tolist(), strict=True)
        ]
        assert metrics.rank(mx.array(x), mx.array(ids)).tolist() == expected


def statistics(scores: mx.array, valid: mx.array | None = None) -> mx.array:
    """As the tap of the attention calls it: with the softmax over the valid keys."""
    seen = scores if valid is None else mx.where(valid, scores, -mx.inf)
    weights = mx.softmax(seen, axis=-1, precise=True)
    return metrics.attention_statistics(scores, weights, valid)


class TestAttention:
    @pytest.mark.parametrize("keys", [1, 2, 63, 500])
    @pytest.mark.parametrize("spread", [1e-3, 3.0, 60.0, 3000.0])
    def test_it_is_that_of_float64(self, keys: int, spread: float) -> None:
        scores = np.random.default_rng(keys).normal(0, spread, (3, 5, 2, keys)).astype(np.float32)
        found = np.array(statistics(mx.array(scores)))
        assert found.shape == (3, 2, 4)
        np.testing.assert_allclose(found, attention_of(scores)[..., :4], atol=2e-5, rtol=1e-6)

    @pytest.mark.parametrize("rows", [1, 7])
    def test_masked_keys_do_not_exist(self, rows: int) -> None:
        rng = np.random.default_rng(rows)
        scores = rng.normal(0, 4, (2, 3, rows, 40)).astype(np.float32)
        scores[..., 39] += 500  # would swallow everything, if it were seen
        valid = rng.random((rows, 40)) < 0.5
        valid[:, 0], valid[:, 39] = True, False
        found = np.array(statistics(mx.array(scores), mx.array(valid)))
        np.testing.assert_allclose(found, attention_of(scores, valid)[..., :4], atol=2e-5)

    def test_a_full_mask_is_no_mask(self) -> None:
        scores = mx.random.normal((2, 3, 4, 50), key=mx.random.key(1)) * 3
        masked = statistics(scores, mx.ones((4, 50), mx.bool_))
        np.testing.assert_allclose(np.array(masked), np.array(statistics(scores)), atol=1e-6)

    def test_the_guides_literal_agreement_follows(self) -> None:
        scores = np.random.default_rng(3).normal(0, 2, (4, 9, 1, 77)).astype(np.float32)
        agreement = np.array(statistics(mx.array(scores)))[..., 2]
        literal = attention_of(scores)[..., 4]
        np.testing.assert_allclose(2 * (1 - agreement) / 77, literal, atol=1e-7)

    @given(
        arrays(np.float32, st.integers(1, 200), elements=st.floats(-50, 50, width=32)),
        st.integers(1, 8),
    )
    def test_identical_heads_agree(self, row: np.ndarray, heads: int) -> None:
        scores = np.broadcast_to(row, (1, heads, 1, row.size))
        found = statistics(mx.array(scores))[0, 0].tolist()
        assert found[ATTENTION.index("agreement")] == pytest.approx(1, abs=2e-6)
        assert found[ATTENTION.index("attn_varentropy")] == pytest.approx(0, abs=1e-6)

    def test_heads_apart_disagree(self) -> None:
        scores = np.full((1, 4, 1, 4), -100, np.float32)
        np.fill_diagonal(scores[0, :, 0], 100)
        found = statistics(mx.array(scores))[0, 0].tolist()
        assert found == pytest.approx([0, 0, 0.25, 100], abs=1e-6)

    @given(arrays(np.float32, (2, 3, 1, 30), elements=st.floats(-40, 40, width=32)))
    def test_bounds(self, scores: np.ndarray) -> None:
        found = np.array(statistics(mx.array(scores)))
        assert (found[..., ATTENTION.index("attn_entropy")] >= 0).all()
        assert (found[..., ATTENTION.index("attn_entropy")] <= math.log2(30) + 1e-5).all()
        assert (found[..., ATTENTION.index("attn_varentropy")] >= 0).all()
        assert (found[..., ATTENTION.index("agreement")] >= 0).all()
        assert (found[..., ATTENTION.index("agreement")] <= 1 + 1e-6).all()


@pytest.mark.slow
@pytest.mark.usefixtures("compilation")
def test_compiling_changes_nothing() -> None:
    """Attention's keys grow with every token: one program for all lengths."""

    compiled = mx.compile(statistics, shapeless=True)
    for keys in (2, 17, 40, 300):
        scores = mx.random.normal((3, 4, 1, keys), key=mx.random.key(keys)) * 3
        np.testing.assert_allclose(
            np.array(compiled(scores)), np.array(statistics(scores)), atol=1e-5
        )
    moments = mx.compile(metrics.moments)
    x = mx.array(logits_like("random", 2, 49_152))
    for one, other in zip(moments(x), metrics.moments(x), strict=True):
        np.testing.assert_allclose(np.array(one), np.array(other), atol=2e-5)
