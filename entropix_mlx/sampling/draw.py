"""What a sampler's step is given, what it gives, and what several share: lazy, branch-free."""

from typing import Any, NamedTuple

import mlx.core as mx

from entropix_mlx.records.record import QUADRANTS, REGIONS
from entropix_mlx.sampling.filters import SamplingParams, Stage
from entropix_mlx.sampling.regions import is_met, names

Scalars = dict[str, mx.array]
"""Float32, by name: arguments, so that a changed setting compiles nothing anew."""


class Seen(NamedTuple):
    """A distribution as a step sees it.

    `logits` float32 `[support]`: of the ids that can be drawn, most likely first if `ordered`.
    `measured` float32 `[6]` in the order of `calibration.METRICS`, zeros from the third on where no
    `attention` was measured; `keys` float32: how many the query attended to. `key` uint32 `[2]`
    draws; `taken` bool: whether the user gives the token, whatever would be drawn. `state`: the
    sampler's; `p`: its `scalars`, `fixed`: what it is compiled for.
    """

    logits: mx.array
    ordered: bool
    measured: mx.array
    attention: bool
    keys: mx.array
    key: mx.array
    taken: mx.array
    state: tuple[mx.array, ...]
    p: Scalars
    fixed: Any


class Outcome(NamedTuple):
    """What a step made of it.

    `strategy` int32: a number in the sampler's `strategies`; `region` int32: one in
    `records.REGIONS`; `params`: the values used. `stages`: what each left, in order. `drawn`
    `[draws]`: places in the support, in the order in which they were drawn, of which the first
    `looked` were looked at; `chosen`: the one that is taken; `final` `[support]`: each one's
    probability to be. `state`: the next one; `inserted` int32: an id to take in place of the chosen
    one, -1 for none; `measures`: the sampler's own, float32, in the order of its declaration.
    """

    region: mx.array
    strategy: mx.array
    params: SamplingParams
    stages: tuple[Stage, ...]
    drawn: mx.array
    looked: mx.array
    chosen: mx.array
    final: mx.array
    state: tuple[mx.array, ...] = ()
    inserted: mx.array | None = None
    measures: tuple[mx.array, ...] = ()


def region(entropy: mx.array, varentropy: mx.array, p: Scalars) -> mx.array:
    """A number in `records.REGIONS`; the corners are tried in order, the rest is MID."""
    found = mx.array(REGIONS.index("MID"), mx.int32)
    for corner in reversed(QUADRANTS):  # the first that holds wins, so it is laid on last
        h, v = (p[name] for name in names(corner))
        number = QUADRANTS.index(corner)
        found = mx.where(is_met(corner, entropy, varentropy, h, v), number, found)
    return found


def quadrant(entropy: mx.array, varentropy: mx.array, p: Scalars) -> mx.array:
    """A number in `records.QUADRANTS`: a plain split at the calibrated centre."""
    high = entropy >= p["h_mid"]
    wide = varentropy >= mx.where(high, p["v_mid_high"], p["v_mid_low"])
    return high.astype(mx.int32) + 2 * wide.astype(mx.int32)


def one_hot(place: int, size: int) -> mx.array:
    return (mx.arange(size) == place).astype(mx.float32)
