"""Which tokens come first until enough was summed, exactly, without sorting the vocabulary."""

from collections.abc import Callable

import mlx.core as mx

from entropix_mlx.sampling import metrics

_SORTED = 2048
"""So many keys at most are sorted."""

Sums = tuple[mx.array, ...]

Worth = Callable[[mx.array], Sums]
"""What each of some keys `[n]` adds to the sums, each `[n]`."""

Enough = Callable[..., mx.array]
"""Bool `[...]` of the sums, each `[...]`: false up to some sum of the first, true from there on."""


def leading(
    keys: mx.array, worth: Worth, enough: Enough, blank: float | int, *, through: bool
) -> mx.array:
    """Bool `[n]`: which of `keys` `[n]`, the smallest first, come before their sum is enough, and
    if `through` the one with which it is. Equal keys come in the order of their places; `blank` is
    the greatest possible, worth nothing.

    Each partition leaves the half in which the sum becomes enough: in all twice what one costs, and
    half of that or less where many keys are equal: what surely comes last had better be blank.
    """
    left, count = _padded(keys, blank), mx.array(0.0)
    sums = tuple(mx.array(0.0) for _ in worth(keys[:1]))
    while left.shape[0] > _SORTED:
        half = left.shape[0] // 2
        halves = mx.unflatten(mx.partition(left, half), 0, (2, half))
        reached = tuple(a + mx.sum(b) for a, b in zip(sums, worth(halves[0]), strict=True))
        within = enough(*reached)
        left = halves[mx.where(within, 0, 1)]
        count = mx.where(within, count, count + half)
        sums = tuple(mx.where(within, a, b) for a, b in zip(sums, reached, strict=True))
    left = mx.sort(left)
    met = enough(*(a + mx.cumsum(b) for a, b in zip(sums, worth(left), strict=True)))
    found, last = mx.any(met), mx.argmax(met)
    level = mx.where(found, left[last], mx.array(blank, left.dtype))
    smaller, equal = keys < level, keys == level
    some = mx.where(found, count + last + float(through) - mx.sum(smaller), mx.inf)
    return metrics.either(smaller, metrics.both(equal, mx.cumsum(equal) <= some))


def greatest_first(odds: mx.array) -> mx.array:
    """Keys, int32, of float32 that are at least 0, whose bits are in their order. Integers are
    partitioned in three quarters of the time, as each of them is a number. The blank is 0.
    """
    return -mx.view(odds, mx.int32)


def of_greatest_first(keys: mx.array) -> mx.array:
    """The floats of such keys."""
    return mx.view(-keys, mx.float32)


def _padded(keys: mx.array, blank: float | int) -> mx.array:
    """As many as can be halved down to what is sorted."""
    halvings = max(0, (keys.shape[0] - 1) // _SORTED).bit_length()
    excess = -keys.shape[0] % (1 << halvings)
    return mx.concatenate([keys, mx.full((excess,), blank, keys.dtype)]) if excess else keys
