"""Which tokens come first until enough was summed, exactly, without sorting the vocabulary."""

from collections.abc import Callable

import mlx.core as mx

_SORTED = 2048
"""So many keys at most are sorted."""

Worth = Callable[[mx.array], mx.array]
"""What each key adds to the sums, `[sums, n]`, of keys `[n]`."""

Enough = Callable[[mx.array], mx.array]
"""Bool `[...]` of sums `[sums, ...]`: false up to some sum of the first, true from there on."""


def leading(
    keys: mx.array, worth: Worth, enough: Enough, blank: float | int, *, through: bool
) -> mx.array:
    """Bool `[n]`: which of `keys` `[n]`, the smallest first, come before their sum is enough, and
    if `through` the one with which it is. Equal keys come in the order of their places; `blank` is
    the greatest possible, worth nothing.
    """
    level = _level(keys, worth, enough, blank)
    smaller, equal = keys < level, keys == level
    before = mx.sum(mx.where(smaller, worth(keys), 0.0), axis=-1)
    own = worth(level[None])
    count = mx.cumsum(equal.astype(mx.float32)) - float(through)
    return smaller | (equal & ~enough(before[:, None] + count * own))


def _level(keys: mx.array, worth: Worth, enough: Enough, blank: float | int) -> mx.array:
    """The key with which it is enough, `blank` if it never is.

    Each partition leaves the half in which the sum becomes enough: in all twice what one costs.
    """
    halvings = max(0, (keys.shape[0] - 1) // _SORTED).bit_length()
    excess = -keys.shape[0] % (1 << halvings)
    if excess:
        keys = mx.concatenate([keys, mx.full((excess,), blank, keys.dtype)])
    before = mx.zeros(worth(keys[:1]).shape[0])
    for _ in range(halvings):
        half = keys.shape[0] // 2
        parted = mx.partition(keys, half)
        first, second = parted[:half], parted[half:]
        through = before + mx.sum(worth(first), axis=-1)
        within = enough(through)
        keys = mx.where(within, first, second)
        before = mx.where(within, before, through)
    keys = mx.sort(keys)
    reached = enough(before[:, None] + mx.cumsum(worth(keys), axis=-1))
    return mx.where(mx.any(reached), keys[mx.argmax(reached)], mx.array(blank, keys.dtype))
