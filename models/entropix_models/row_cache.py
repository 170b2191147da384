"""Keys and values of several rows that share each step, in the place of mlx-lm's caches of one.

Rows that go on after one text share its keys and values, which are there once; rows of different
texts are padded at their left. mlx-lm's `BatchKVCache` pads too, but shares nothing, and keeps the
rows' positions on the device, in each layer anew.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import mlx.core as mx

from entropix_models.errors import UnsupportedError
from entropix_models.late_package import late_package

late_package("mlx_lm")
from mlx_lm.models.cache import KVCache  # noqa: E402

_GROWTH = 256
"""Positions by which the memory of a layer grows, as in mlx-lm's caches."""


class Places:
    """Where rows stand, for all layers alike: after `shared` ids, padded by so many at the left."""

    def __init__(self, shared: int, padding: Sequence[int]) -> None:
        self.shared, self.padding = shared, list(padding)
        self._offsets: tuple[int, mx.array] | None = None

    def lengths(self, own: int) -> list[int]:
        """How many ids each row has, when the cache has `own` beside the shared ones."""
        return [self.shared + own - padding for padding in self.padding]

    def offsets(self, own: int) -> int | mx.array:
        """The position of the next id; one number, or one object for all layers."""
        if not any(self.padding):
            return self.shared + own
        if self._offsets is None or self._offsets[0] != own:
            self._offsets = own, mx.array(self.lengths(own), mx.int32)
        return self._offsets[1]


class RowCache:
    """One layer's keys and values: `prefix`, `[1, heads, shared, width]` each, is before every
    row's own, `[rows, heads, own, width]`.
    """

    def __init__(
        self,
        places: Places,
        prefix: tuple[mx.array, mx.array] | None,
        own: tuple[mx.array, mx.array] | None = None,
        *,
        whole: bool,
    ) -> None:
        """`whole`: whether a step is given all keys, or the rows' own, the prefix apart."""
        self.places, self.prefix, self.whole = places, prefix, whole
        self.keys: mx.array | None = own[0] if own else None
        self.values: mx.array | None = own[1] if own else None
        self.own = 0 if own is None else own[0].shape[2]

    @property
    def offset(self) -> int | mx.array:
        return self.places.offsets(self.own)

    @property
    def apart(self) -> tuple[mx.array, mx.array] | None:
        """Keys and values that a step attends to beside those that it is given."""
        return None if self.whole else self.prefix

    @property
    def state(self) -> tuple[mx.array, ...]:
        """All that a step may have left to be computed."""
        return () if self.keys is None or self.values is None else (self.keys, self.values)

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Take in `[rows, heads, 1, width]`; what the step attends to, see `whole`."""
        begin, self.own = self.own, self.own + keys.shape[2]
        self.keys = _written(self.keys, keys, begin)
        self.values = _written(self.values, values, begin)
        own = self.keys[..., : self.own, :], self.values[..., : self.own, :]
        return own if self.prefix is None or not self.whole else _after(self.prefix, own)

    def make_mask(self, count: int, **_options: Any) -> mx.array | None:
        """Bool `[rows, 1, 1, keys]` of what one id may attend to; None if that is everything."""
        if count > 1:
            raise UnsupportedError("several rows read one id each at a step")
        if not any(self.places.padding):
            return None
        own = mx.arange(self.own + 1) >= mx.array(self.places.padding)[:, None]
        before = mx.ones((len(self.places.padding), self.places.shared), mx.bool_)
        return mx.concatenate([before, own], axis=1)[:, None, None]

    def of_row(self, row: int) -> tuple[mx.array, mx.array]:
        """All of one row's keys and values, `[1, heads, length, width]`."""
        own = tuple(
            part[row : row + 1, :, self.places.padding[row] : self.own]
            for part in (self.keys, self.values)
            if part is not None
        )
        if not own:
            assert self.prefix is not None
            return self.prefix
        return (own[0], own[1]) if self.prefix is None else _after(self.prefix, (own[0], own[1]))


def lengths(cache: Sequence[Any]) -> list[int]:
    """How many ids each row of a cache has; of mlx-lm's caches the one."""
    first = cache[0]
    return first.places.lengths(first.own) if isinstance(first, RowCache) else [int(first.offset)]


def after(cache: Sequence[Any], rows: int, *, whole: bool) -> list[RowCache]:
    """Rows that all go on after what a cache of plain keys and values holds.

    Raises UnsupportedError for other kinds of caches.
    """
    _plain(cache)
    places = Places(cache[0].offset, [0] * rows)
    return [RowCache(places, _pair(_held(layer)), whole=whole) for layer in cache]


def beside(caches: Sequence[Sequence[Any]], *, whole: bool) -> list[RowCache]:
    """Rows that go on each after what one of the caches holds, of plain keys and values."""
    for cache in caches:
        _plain(cache)
    lengths = [cache[0].offset for cache in caches]
    places = Places(0, [max(lengths) - length for length in lengths])
    layers = []
    for layer in zip(*caches, strict=True):
        held = [_held(one) for one in layer]
        shapes = next((parts for parts in held if parts), ())
        own = _pair(
            mx.concatenate(
                [
                    _padded(parts[n] if parts else mx.zeros_like(like[..., :0, :]), padding)
                    for parts, padding in zip(held, places.padding, strict=True)
                ]
            )
            for n, like in enumerate(shapes)
        )
        layers.append(RowCache(places, None, own, whole=whole))
    return layers


def taken(cache: Sequence[RowCache], rows: Sequence[int]) -> list[RowCache]:
    """Some of the rows, in this order; what pads all of them goes."""
    first = cache[0]
    padding = [first.places.padding[row] for row in rows]
    spare = min(padding)
    places = Places(first.places.shared, [n - spare for n in padding])
    chosen = mx.array(list(rows), mx.int32)
    return [
        RowCache(
            places,
            layer.prefix,
            _pair(part[chosen, :, spare : layer.own] for part in layer.state),
            whole=layer.whole,
        )
        for layer in cache
    ]


def joined(cache: Sequence[RowCache], other: Sequence[RowCache]) -> list[RowCache]:
    """The rows of both; where both go on after a text, it has to be the same."""
    first, second = cache[0], other[0]
    if first.places.shared != second.places.shared:
        raise ValueError("rows after different texts have no prefix in common")
    own = max(first.own, second.own)
    padding = [n + own - one.own for one in (first, second) for n in one.places.padding]
    places = Places(first.places.shared, padding)
    layers = []
    for mine, theirs in zip(cache, other, strict=True):
        parts = (
            [
                mx.concatenate(
                    [_padded(_or_empty(one, n), own - one.own) for one in (mine, theirs)]
                )
                for n in (0, 1)
            ]
            if own
            else []
        )
        layers.append(RowCache(places, mine.prefix, _pair(parts), whole=mine.whole))
    return layers


def alone(cache: Sequence[RowCache], row: int) -> list[KVCache]:
    """One row's cache as mlx-lm has it, with a copy of what it shares."""
    layers = []
    for layer in cache:
        own: Any = KVCache()  # type: ignore[no-untyped-call]
        keys, values = layer.of_row(row)
        own.state = (mx.contiguous(keys), mx.contiguous(values), keys.shape[2])
        layers.append(own)
    return layers


def _held(layer: Any) -> list[mx.array]:
    """Keys and values that one of mlx-lm's caches holds; neither where it is empty."""
    return [part[..., : layer.offset, :] for part in (layer.keys, layer.values) if layer.offset]


def _plain(cache: Sequence[Any]) -> None:
    if any(type(layer) is not KVCache for layer in cache):
        raise UnsupportedError("only caches of plain keys and values can be continued in rows")


def _pair(parts: Iterable[mx.array]) -> tuple[mx.array, mx.array] | None:
    """Keys and values, if there are any."""
    found = list(parts)
    return (found[0], found[1]) if found else None


def _written(held: mx.array | None, new: mx.array, begin: int) -> mx.array:
    """`new` behind the first `begin` positions, in memory that grows by many at once."""
    count = new.shape[2]
    if held is None or begin + count > held.shape[2]:
        room = mx.zeros((*new.shape[:2], -(-count // _GROWTH) * _GROWTH, new.shape[3]), new.dtype)
        held = room if held is None else mx.concatenate([held[..., :begin, :], room], axis=2)
    held[..., begin : begin + count, :] = new
    return held


def _after(
    prefix: tuple[mx.array, mx.array], own: tuple[mx.array, mx.array]
) -> tuple[mx.array, mx.array]:
    """Keys and values of every row, the prefix before its own."""
    keys, values = (
        mx.concatenate([mx.broadcast_to(before, (len(mine), *before.shape[1:])), mine], axis=2)
        for before, mine in zip(prefix, own, strict=True)
    )
    return keys, values


def _or_empty(layer: RowCache, part: int) -> mx.array:
    """A layer's own keys (0) or values (1), none where it has none yet."""
    if layer.state:
        return layer.state[part][..., : layer.own, :]
    assert layer.prefix is not None
    shape = layer.prefix[part].shape
    return mx.zeros((len(layer.places.padding), shape[1], 0, shape[3]), layer.prefix[part].dtype)


def _padded(part: mx.array, left: int) -> mx.array:
    return mx.pad(part, [(0, 0), (0, 0), (left, 0), (0, 0)]) if left else part
