"""Rotary positions on a CPU: cosines and sines that all layers share.

There `mx.fast.rope` is a dozen small operations, most of them for the cosines and sines of the
positions, which every layer computes anew for its queries and once more for its keys: a tenth of
SmolLM2's token. Here they are computed once a pass. The numbers are the same, bit by bit.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn


class Rotation:
    """What `rope` does to vectors of `width` numbers, if it rotates pairs half a vector apart."""

    def __init__(self, rope: nn.Module, width: int) -> None:
        self._rope, self._half = rope, width // 2
        self._one = mx.concatenate([mx.ones((self._half,)), mx.zeros((self._half,))])
        self._at: tuple[int | mx.array, int] | None = None
        self._tables: tuple[mx.array, mx.array] | None = None

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        """`x` float32 `[rows, heads, positions, width]`, the first at position `offset`, which is
        that of all rows or (int32 `[rows]`) each one's.
        """
        positions = x.shape[-2]
        # Positions of rows are the same if they are the same object: asked, a device would wait.
        if self._at is None or not _is_same(self._at[0], offset) or self._at[1] != positions:
            self._at, self._tables = (offset, positions), self._computed(offset, positions)
        assert self._tables is not None
        cosines, sines = self._tables
        return x * cosines + mx.roll(x, self._half, -1) * sines

    def _computed(self, offset: int | mx.array, positions: int) -> tuple[mx.array, mx.array]:
        """Cosines, and sines with the sign of what they are multiplied with: `[positions, width]`,
        or `[rows, 1, positions, width]`. A pair (1, 0) is rotated into (cos, sin).
        """
        rows = 1 if isinstance(offset, int) else offset.size
        ones = mx.broadcast_to(self._one, (rows, 1, positions, 2 * self._half))
        turned = self._rope(ones, offset=offset)
        cosine, sine = mx.split(turned if rows > 1 else turned[0, 0], 2, axis=-1)
        return mx.concatenate([cosine, cosine], axis=-1), mx.concatenate([-sine, sine], axis=-1)


def _is_same(one: int | mx.array, other: int | mx.array) -> bool:
    return one is other or (isinstance(one, int) and isinstance(other, int) and one == other)


def share(network: Any, width: int) -> bool:
    """Have all layers of a Llama network, whose heads have `width` numbers, share one Rotation.

    False, and nothing is changed, where the numbers would not be the same.
    """
    if width % 2:
        return False
    attentions = [layer.self_attn for layer in network.layers]
    shared = Rotation(attentions[0].rope, width)
    vectors = mx.random.normal((1, 1, 3, width), key=mx.random.key(1))
    expected = shared(vectors, offset=1000)
    equal = [mx.array_equal(one.rope(vectors, offset=1000), expected) for one in attentions]
    if not mx.all(mx.stack(equal)):
        return False
    for attention in attentions:
        attention.rope = shared
    return True
