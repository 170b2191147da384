"""What a sampler's step is given, what it gives, and what several share: lazy, branch-free."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import mlx.core as mx

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant, QuadrantSplit, is_met, segments
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.filters import SamplingParams, Stage
from entropix_mlx.sampling.regions import names

Scalars = dict[str, mx.array]
"""Float32, by name: arguments, so that a changed setting compiles nothing anew."""


class Seen(NamedTuple):
    """A distribution as a step sees it.

    `logits` float32 `[support]`: of the `ids` that can be drawn, most likely first if `ordered`;
    `odds`: their probabilities up to a factor, where they are known.
    `measured` float32 `[6]` in the order of `calibration.METRICS`, zeros from the third on where no
    `attention` was measured; `keys` float32: how many the query attended to. `key` uint32 `[2]`
    draws; `given` int32: the id that the user gives, whatever would be drawn, or -1. `state`: the
    sampler's; `p`: its `scalars`, `fixed`: what it is compiled for. `ahead` float32
    `[candidates, 6]`: what would be measured after each of the first ids, if that was looked at.
    """

    ids: mx.array
    logits: mx.array
    odds: mx.array | None
    ordered: bool
    measured: mx.array
    attention: bool
    keys: mx.array
    key: mx.array
    given: mx.array
    state: tuple[mx.array, ...]
    p: Scalars
    fixed: Any
    ahead: mx.array | None = None


class Outcome(NamedTuple):
    """What a step made of it.

    `strategy` int32: a number in the sampler's `strategies`; `region` int32: one in
    `records.REGIONS`; `params`: the values used. `stages`: what each left, in order. `drawn`
    `[draws]`: places in the support, in the order in which they were drawn, of which the first
    `looked` were looked at; `chosen`: the one that is taken; `final` `[support]`: each one's
    probability to be. `state`: the next one; `inserted` int32: an id to take in place of the chosen
    one, -1 for none; `measures`: the sampler's own, float32, in the order of its declaration;
    `scores` `[support]`: by what the best of the drawn is taken, if not by its likelihood.
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
    scores: mx.array | None = None


def places(log_p: mx.array, n: int, key: mx.array) -> mx.array:
    """`n` independent draws by `log_p` `[support]`, up to a constant, see `of_odds`."""
    return of_odds(metrics.exp(log_p - mx.max(log_p)), n, key)


def of_odds(odds: mx.array, n: int, key: mx.array) -> mx.array:
    """`n` independent draws by probabilities up to a factor, `[support]`: places `[n]`, each one
    that is kept.

    By the inverse of summed probabilities, bit for bit as MLX draws several; but counted and not
    searched for, as only what is counted can be mapped over rows. A number that rounds up to the
    sum is taken for the float before it, so that a token is drawn that adds to the sum.
    """
    sums = mx.cumsum(odds)
    before = mx.view(mx.view(sums[-1:], mx.int32) - 1, mx.float32)
    levels = mx.minimum(mx.random.uniform(shape=(n,), key=key) * sums[-1:], before)
    return mx.sum(sums <= levels[:, None], axis=-1)


def region(entropy: mx.array, varentropy: mx.array, p: Scalars) -> mx.array:
    """A number in `records.REGIONS`; the corners are tried in order, the rest is MID."""
    corners = {corner: tuple(p[name] for name in names(corner)) for corner in QUADRANTS}
    return _corner(entropy, varentropy, corners, REGIONS.index("MID"))


def quadrant(entropy: mx.array, varentropy: mx.array, p: Scalars) -> mx.array:
    """A number in `QUADRANTS`, -1 for none, by the split that `split_scalars` has put into `p`."""
    if "usual_levels" not in p:
        corners = {q: tuple(p[f"split_{q}"]) for q in QUADRANTS if f"split_{q}" in p}
        return _corner(entropy, varentropy, corners, -1)
    high = entropy >= p["split_entropy"]
    h = entropy[..., None]
    pieces = p["usual_levels"] + p["usual_slopes"] * (h - p["usual_begins"])
    # Of one piece only, and the others are zero: no order of summing changes a bit.
    inside = (h >= p["usual_begins"]) & (h < p["usual_ends"])
    wide = varentropy >= mx.sum(mx.where(inside, pieces, 0.0), axis=-1)
    return high.astype(mx.int32) + 2 * wide.astype(mx.int32)


def split_scalars(split: QuadrantSplit) -> dict[str, float | tuple[float, ...]]:
    """What `quadrant` is given, by name."""
    if split.entropy is None:
        return {f"split_{corner}": bound for corner, bound in split.corners.items()}
    pieces = segments(split.usual)
    usual = {f"usual_{name}": value for name, value in pieces._asdict().items()}
    return {"split_entropy": split.entropy, **usual}


def _corner(
    entropy: mx.array,
    varentropy: mx.array,
    corners: Mapping[Quadrant, tuple[mx.array, ...]],
    otherwise: int,
) -> mx.array:
    """Which of the corners is met first, as a number in `QUADRANTS`."""
    found = mx.full(entropy.shape, otherwise, mx.int32)
    for corner in reversed([*corners]):  # the first that holds wins, so it is laid on last
        met = is_met(corner, entropy, varentropy, *corners[corner])
        found = mx.where(met, QUADRANTS.index(corner), found)
    return found


def one_hot(place: int | mx.array, size: int) -> mx.array:
    return (mx.arange(size) == place).astype(mx.float32)
