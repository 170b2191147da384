"""Seeing the attention scores of a forward pass without changing a bit of its logits.

mlx-lm's architectures call one function, `scaled_dot_product_attention`, which each module
imported by name. While any tap is open that name is bound to a wrapper, which only calls mlx-lm's
own function unless the calling thread has a tap open. So the models of several threads, and bare
ones of mlx-lm beside them, don't meet.

On a GPU the tap lets the fused kernel do the attention and forms the scores beside it, each
rounded once to the keys' precision. On the CPU, where MLX has no fused kernel, it does what MLX
would do, in the same order, and keeps the scores and weights that arise on the way: half the work,
the same bits.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn

from entropix_models.errors import UnsupportedError

Reducer = Callable[[mx.array, mx.array, mx.array | None], mx.array]
"""`(scores, weights, valid) -> statistics`.

`scores`: float32 `[layers, heads, queries, keys]`, scaled, before the softmax and unmasked;
`weights`: their softmax over the valid keys; `valid`: bool, of as many dimensions, each as long or
1, or None when every key is. Returns `[layers, queries, n]`. Of several rows each stands in the
place of a layer, and a layer's rows beside each other.
"""

_NAME = "scaled_dot_product_attention"


class Capture:
    """Collects the scores of one forward pass and reduces them.

    One query has few scores: those of all layers with as many keys are put together and reduced
    at once, which spares a GPU hundreds of small kernels. Several queries are reduced layer by
    layer, so that the memory is bounded by one layer's scores.
    """

    def __init__(self, reducer: Reducer, queries: int, rows: int) -> None:
        self._reducer, self._queries, self._rows = reducer, queries, rows
        self._waiting: list[_Layer] = []
        self._statistics: list[mx.array] = []

    def add(self, scores: mx.array, weights: mx.array, valid: mx.array | None) -> None:
        """`scores` and `weights` of one layer, `[rows, ..., keys]`: queries of heads, or of groups;
        `valid` `[rows or 1, 1, queries, keys]`.
        """
        self._waiting.append(_Layer(scores, weights, valid))
        if self._queries > 1:
            self._reduce_waiting()

    def statistics(self, layers: int) -> mx.array:
        """`[layers, rows, queries, n]`; raises UnsupportedError when a layer escaped."""
        self._reduce_waiting()
        captured = sum(part.shape[0] for part in self._statistics)
        if captured != layers * self._rows:
            raise UnsupportedError(
                f"attention was captured in {captured // self._rows} of {layers} layers: this "
                "architecture computes some of it elsewhere; run with --set capture=false"
            )
        return mx.unflatten(mx.concatenate(self._statistics), 0, (layers, self._rows))

    def _reduce_waiting(self) -> None:
        for (keys, masked), group in groupby(self._waiting, key=_Layer.kind):
            layers = list(group)
            shape = (len(layers) * self._rows, -1, self._queries, keys)
            scores, weights = (
                mx.concatenate(part).reshape(shape).astype(mx.float32)
                for part in ([one.scores for one in layers], [one.weights for one in layers])
            )
            valid = None
            if masked:  # of one row, as of one layer: the same for all
                masks = [one.valid for one in layers if one.valid is not None]
                valid = mx.concatenate(masks) if self._rows > 1 else masks[0]
            self._statistics.append(self._reducer(scores, weights, valid))
        self._waiting.clear()


class _Layer(NamedTuple):
    """What was captured of one."""

    scores: mx.array
    weights: mx.array
    valid: mx.array | None

    def kind(self) -> tuple[int, bool]:
        """Layers that are alike in this can be reduced together."""
        return self.scores.shape[-1], self.valid is not None


class Tap:
    """Where an architecture's attention can be seen, found once when a model is loaded."""

    def __init__(self, network: nn.Module, *, manual: bool) -> None:
        namespaces: dict[int, dict[str, Any]] = {}
        for _, module in network.named_modules():
            scope = getattr(type(module).__call__, "__globals__", {})
            if _NAME in scope:
                namespaces[id(scope)] = scope
        self._namespaces = list(namespaces.values())
        self._manual = manual

    @contextmanager
    def open(self, reducer: Reducer, queries: int, rows: int = 1) -> Iterator[Capture]:
        """Capture what a forward pass of `queries` ids for each of `rows` attends to in the `with`,
        in this thread.
        """
        capture = Capture(reducer, queries, rows)
        outer = _here.tap
        wrapped: list[dict[str, Any]] = []
        try:
            for scope in self._namespaces:
                _wrap(scope)
                wrapped.append(scope)
            _here.tap = _OpenTap(capture, self._manual)
            yield capture
        finally:
            _here.tap = outer
            for scope in wrapped:
                _unwrap(scope)


class _OpenTap(NamedTuple):
    """A tap for the length of one forward pass."""

    capture: Capture
    manual: bool

    def attend(
        self,
        original: Callable[..., mx.array],
        queries: mx.array,
        keys: Any,
        values: Any,
        cache: Any,
        scale: float,
        mask: mx.array | str | None,
        sinks: mx.array | None = None,
    ) -> mx.array:
        """What `original` returns, with its scores captured."""
        if sinks is not None:
            raise UnsupportedError("attention sinks are not captured; use --set capture=false")
        quantised = hasattr(cache, "bits")
        added = isinstance(mask, mx.array) and mask.dtype != mx.bool_
        if self.manual and not quantised and not added:
            # As MLX computes it where it has no fused kernel, operation by operation.
            weights = _weigh(self.capture, _scores(queries, keys, scale), mask)
            if weights.ndim == 5:
                return mx.flatten(weights @ mx.expand_dims(values, 2), 1, 2)
            attended: mx.array = weights @ values
            return attended
        # Before the original: its quantised path scales the queries in place.
        dense = keys
        if quantised:
            weight, scales, biases = keys
            dense = mx.dequantize(weight, scales, biases, cache.group_size, cache.bits)
        # In the keys' own type: all of them are read anew at every step, and a float32 copy would
        # be three times the bytes. MLX's products of half precision accumulate in float32.
        scores = _scores(queries.astype(dense.dtype), dense, scale).astype(mx.float32)
        if isinstance(mask, mx.array) and added:  # carries scores (rotary parts, biases)
            rows, columns = scores.shape[-2:]
            _weigh(self.capture, scores.reshape(len(scores), -1, rows, columns) + mask, None)
        else:
            _weigh(self.capture, scores, mask)
        return original(queries, keys, values, cache=cache, scale=scale, mask=mask)


def attend_after(
    prefix: tuple[mx.array, mx.array],
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    scale: float,
    mask: mx.array | None,
) -> mx.array:
    """What one query a row attends to: keys that all rows share, and after them its own.

    `prefix` `[1, kv_heads, shared, width]` each, `keys` and `values`
    `[rows, kv_heads, own, width]`, `mask` over both; `queries`, and what is returned,
    `[rows, kv_heads, group, width]`. What is shared is read once for all rows. Captured, if the
    calling thread has a tap open.
    """
    rows, kv_heads, group, _ = queries.shape
    queries = queries * scale
    of_all = mx.swapaxes(queries, 0, 1).reshape(1, kv_heads, rows * group, -1)
    before = (of_all @ mx.swapaxes(prefix[0], -1, -2)).reshape(kv_heads, rows, group, -1)
    own = queries @ mx.swapaxes(keys, -1, -2)
    scores = mx.concatenate([mx.swapaxes(before, 0, 1), own], axis=-1)
    capture = None if _here.tap is None else _here.tap.capture
    shared, own = mx.split(_weigh(capture, scores, mask), [prefix[0].shape[2]], axis=-1)
    of_all = mx.swapaxes(shared, 0, 1).reshape(1, kv_heads, rows * group, -1)
    attended = (of_all @ prefix[1]).reshape(kv_heads, rows, group, -1)
    return mx.swapaxes(attended, 0, 1) + own @ values


class _Wrapper:
    """What an architecture calls while taps are open, in whatever thread."""

    def __init__(self, original: Callable[..., mx.array]) -> None:
        self.original = original
        self.taps = 0

    def __call__(self, *args: Any, **kwargs: Any) -> mx.array:
        if _here.tap is None:
            return self.original(*args, **kwargs)
        return _here.tap.attend(self.original, *args, **kwargs)


class _Here(threading.local):
    """The calling thread's open tap. A context variable might be inherited by other threads."""

    tap: _OpenTap | None = None


_here = _Here()
_wrapping = threading.Lock()


def _wrap(scope: dict[str, Any]) -> None:
    """The first tap of a namespace wraps mlx-lm's function."""
    with _wrapping:
        if not isinstance(scope[_NAME], _Wrapper):
            scope[_NAME] = _Wrapper(scope[_NAME])
        scope[_NAME].taps += 1


def _unwrap(scope: dict[str, Any]) -> None:
    """The last tap of a namespace puts it back."""
    with _wrapping:
        wrapper = scope[_NAME]
        wrapper.taps -= 1
        if wrapper.taps == 0:
            scope[_NAME] = wrapper.original


def _scores(queries: mx.array, keys: mx.array, scale: float) -> mx.array:
    """`[rows, heads, queries, keys]`, of groups `[rows, kv_heads, group, queries, keys]`."""
    groups = queries.shape[1] // keys.shape[1]
    queries = queries * scale
    if groups > 1:
        queries = mx.unflatten(queries, 1, (keys.shape[1], groups))
        keys = mx.expand_dims(keys, 2)
    return queries @ mx.swapaxes(keys, -1, -2)


def _weigh(capture: Capture | None, scores: mx.array, mask: mx.array | str | None) -> mx.array:
    """The softmax of one layer's scores over the keys that the mask allows, captured."""
    rows, columns = scores.shape[-2:]
    valid: mx.array | None = None
    allowed = scores
    if isinstance(mask, str):
        valid = mx.arange(columns - rows, columns)[:, None] >= mx.arange(columns)[None]
        valid = valid[None, None]
    elif mask is not None:
        valid = mask.reshape(*(1,) * (4 - mask.ndim), *mask.shape)
    if valid is not None:
        fitting = valid if scores.ndim == 4 else mx.expand_dims(valid, 2)
        allowed = mx.where(fitting, scores, mx.finfo(scores.dtype).min)
    weights = mx.softmax(allowed, axis=-1, precise=True)
    if capture is not None:
        capture.add(scores, weights, valid)
    return weights
