"""The model's own uncertainty: pure functions from arrays to arrays, lazy, batched over rows.

Entropies in bits, varentropies in bits^2, log-probabilities in nats, always in float32. The
vocabulary is summed in blocks (sum each block, then the sums): plain float32 sums over 50,000
exponentials miss float64 by 3e-3 bits^2, blocked ones by less than 1e-4.
"""

import math
from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.sampling.calibration import METRICS

_BITS = 1 / math.log(2)
_BLOCK = 256
NEVER = -1e30
"""Stands for minus infinity where a product with zero must stay zero."""

TOP_BLOCK = 32
_FEW = 512
"""So many are sorted as soon as parted."""


ATTENTION = METRICS[2:]
"""The four statistics in the order of the last axis of what `attention_statistics` returns."""


class Moments(NamedTuple):
    """Of a next-token distribution; each `[rows]`, but `odds` `[rows, vocabulary]`: probabilities
    up to a factor.
    """

    entropy: mx.array
    varentropy: mx.array
    log_normaliser: mx.array
    odds: mx.array


def moments(logits: mx.array) -> Moments:
    """Entropy (bits), varentropy (bits^2) and log-sum-exp (nats) of `softmax(logits)`.

    `logits` `[rows, vocabulary]`, any precision. `H = -sum p log2 p`; `V = sum p (log2 p + H)^2`,
    the variance of the surprisal (entropix; the guide's prose says "across positions", its code
    computes this). One pass of exponentials: with `z = x - max`, `S_n = sum e^z z^n`,
    `H = ln S_0 - S_1 / S_0` and `V = S_2 / S_0 - (S_1 / S_0)^2`, in nats.
    """
    x = logits.astype(mx.float32)
    peak = greatest(x)
    z = mx.maximum(x - peak[..., None], NEVER)
    e = exp(z)
    ez = e * z
    s0, s1, s2 = total(e), total(ez), total(ez * z)
    mean = s1 / s0
    log_s0 = mx.log(s0)
    entropy = mx.maximum(log_s0 - mean, 0.0) * _BITS
    varentropy = mx.maximum(s2 / s0 - mean * mean, 0.0) * (_BITS * _BITS)
    return Moments(entropy, varentropy, log_s0 + peak, e)


def total(x: mx.array) -> mx.array:
    """Sum over the last axis, block by block."""
    return mx.sum(x if x.shape[-1] <= _BLOCK else mx.sum(_blocks(x, 0.0), axis=-2), axis=-1)


def greatest(x: mx.array) -> mx.array:
    """Maximum over the last axis, as fast."""
    return mx.max(x if x.shape[-1] <= _BLOCK else mx.max(_blocks(x, -math.inf), axis=-2), axis=-1)


def _blocks(x: mx.array, blank: float) -> mx.array:
    """`[..., _BLOCK, blocks]`: a block is a column, as a processor adds up many columns at once."""
    if excess := -x.shape[-1] % _BLOCK:
        x = mx.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, excess)], constant_values=mx.array(blank))
    return mx.unflatten(x, -1, (_BLOCK, -1))


def rank(logits: mx.array, ids: mx.array) -> mx.array:
    """How many tokens come before `ids`; ties are ordered by id.

    `logits` `[rows, vocabulary]`, `ids` int `[rows]`; int32 `[rows]`, 0 = most likely.
    """
    x = logits.astype(mx.float32)
    own = mx.take_along_axis(x, ids[:, None], axis=-1)
    places = mx.arange(x.shape[-1], dtype=mx.int32)[None]
    before = either(x > own, both(x == own, places < ids[:, None]))
    return mx.sum(before, axis=-1).astype(mx.int32)


def both(a: mx.array, b: mx.array) -> mx.array:
    """`a & b` of bools; as bytes, of which a CPU takes many at once."""
    return mx.view(mx.view(a, mx.uint8) & mx.view(b, mx.uint8), mx.bool_)


def either(a: mx.array, b: mx.array) -> mx.array:
    """`a | b` of bools, likewise."""
    return mx.view(mx.view(a, mx.uint8) | mx.view(b, mx.uint8), mx.bool_)


def top(logits: mx.array, n: int) -> tuple[mx.array, mx.array]:
    """The `n` largest logits in order, ties by id: ids int32 and values float32, `[rows, n]`.

    Exact without sorting the vocabulary: only the `n` blocks with the largest maxima can hold
    one of the `n` largest values (each block ahead of another holds an element ahead of all of
    its elements). The last sort, of few, is stable: equal values stay in the order of their ids.
    """
    x = logits.astype(mx.float32)
    rows, size = x.shape
    if size <= 2 * n * TOP_BLOCK:
        ids = mx.argsort(-x, axis=-1)[:, :n].astype(mx.int32)
        return ids, mx.take_along_axis(x, ids, axis=-1)
    if size % TOP_BLOCK:
        x = mx.pad(x, [(0, 0), (0, -size % TOP_BLOCK)], constant_values=mx.array(-mx.inf))
    blocks = mx.unflatten(x, -1, (-1, TOP_BLOCK))
    best = mx.sort(_places_of_largest(mx.max(blocks, axis=-1), n), axis=-1)
    values = mx.take_along_axis(blocks, best[:, :, None], axis=1).reshape(rows, -1)
    ids = (best[:, :, None] * TOP_BLOCK + mx.arange(TOP_BLOCK)).reshape(rows, -1)
    if values.shape[-1] > _FEW:
        among = mx.sort(_places_of_largest(values, n), axis=-1)
        ids, values = (mx.take_along_axis(part, among, axis=-1) for part in (ids, values))
    order = mx.argsort(-values, axis=-1)[:, :n]
    return (
        mx.take_along_axis(ids, order, axis=-1).astype(mx.int32),
        mx.take_along_axis(values, order, axis=-1),
    )


def _places_of_largest(x: mx.array, n: int) -> mx.array:
    """Where the `n` largest of each row are, of equal ones the first, in no order.

    A partition takes a tenth of a sort's time on a CPU, but tells equal ones apart as it likes: so
    that there are none, a float's bits come before its place.
    """
    size = x.shape[-1]
    keys = mx.arange(size, dtype=mx.int64) - in_order(x).astype(mx.int64) * size
    return mx.argpartition(keys, n - 1, axis=-1)[..., :n]


def in_order(x: mx.array) -> mx.array:
    """The bits of float32, int32 in the order of what they stand for."""
    bits = (x + 0.0).view(mx.int32)  # -0.0 becomes 0.0
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def exp(x: mx.array) -> mx.array:
    """`e^x`, float32, by a power on a CPU, where MLX's own exponential takes twice as long."""
    on_cpu = mx.default_device().type == mx.cpu
    return mx.power(math.e, x) if on_cpu else mx.exp(x)


def head_entropy(scores: mx.array, weights: mx.array, valid: mx.array | None) -> mx.array:
    """`[layers, heads, queries]`, bits."""
    within = scores if valid is None else mx.where(valid, scores, NEVER)
    peak = mx.max(within, axis=-1, keepdims=True)
    entropy = -mx.log(mx.max(weights, axis=-1)) - mx.sum(weights * (scores - peak), axis=-1)
    return mx.maximum(entropy, 0.0) * _BITS


def attention_statistics(
    scores: mx.array, weights: mx.array, valid: mx.array | None, *, by_head: bool = False
) -> mx.array:
    """Per layer and query: entropy, varentropy, agreement and interaction strength.

    `scores` float32 `[layers, heads, queries, keys]`, scaled, before the softmax; `weights` their
    softmax `p` over the valid keys; `valid` bool `[queries, keys]` or None. Returns
    `[layers, queries, 4]` in the order of `ATTENTION`, or with `by_head` `[layers, queries, 4 +
    heads]`, each head's entropy (bits) after them:

    - entropy: mean over heads of `-sum_k p log2 p`, bits, without another exponential or
      logarithm a key: with `z = s - max s`, `H = -ln max p - sum p z` in nats;
    - varentropy: population variance of that entropy over heads, bits^2;
    - agreement: `1 - mean over heads of 0.5 sum_k |p - mean head|`, 0..1, 1 = heads agree. The
      guide's literal formula is `2 (1 - agreement) / keys`;
    - interaction strength: mean over heads and valid keys of `|score|`.
    """
    if valid is None:
        strength = mx.mean(mx.abs(scores), axis=-1)
    else:
        keys = mx.sum(valid, axis=-1).astype(mx.float32)
        strength = mx.sum(mx.where(valid, mx.abs(scores), 0.0), axis=-1) / keys
    entropy = head_entropy(scores, weights, valid)
    distance = mx.sum(mx.abs(weights - mx.mean(weights, axis=1, keepdims=True)), axis=-1)
    statistics = [
        mx.mean(entropy, axis=1),
        mx.var(entropy, axis=1),
        1 - 0.5 * mx.mean(distance, axis=1),
        mx.mean(strength, axis=1),
    ]
    stacked = mx.stack(statistics, axis=-1)
    return mx.concatenate([stacked, mx.swapaxes(entropy, 1, 2)], axis=-1) if by_head else stacked
