"""What a sampler made of one distribution: two arrays, so that the host waits once a token.

Whoever writes them and whoever reads them use the same two layouts.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import mlx.core as mx

from entropix_mlx.sampling.calibration import METRICS
from entropix_mlx.sampling.settings import Settings


class Ints(NamedTuple):
    """Arrays where written, numbers where read. `listed` `[candidates]`: their ids.

    `quadrant` (-1: none) and `region` are numbers in `records`, `strategy` and `forced` in the
    sampler's, see `forces`.
    """

    id: Any
    rank: Any
    quadrant: Any
    region: Any
    strategy: Any
    forced: Any
    top_k: Any
    listed: Any


class Floats(NamedTuple):
    """Arrays where written, numbers where read.

    The values used; log-probability and final probability of the token; `measured` `[6]` in the
    order of `METRICS`; `logprobs` and `ps` `[candidates]`; `measures`: the sampler's own.
    """

    temperature: Any
    top_p: Any
    min_p: Any
    logprob: Any
    p: Any
    measured: Any
    logprobs: Any
    ps: Any
    measures: Any


class Decision(NamedTuple):
    """Lazy. `token` int32 `[]`, the one of the two layouts' `id`; `state`: the sampler's next.

    `ints` and `floats` are one row, or those of all that were decided together, of which this one
    is number `row`.
    """

    token: mx.array
    ints: mx.array
    floats: mx.array
    state: tuple[mx.array, ...]
    sampler: type[Settings]
    row: int | None = None

    def read(self) -> tuple[Ints, Floats]:
        """Here the host waits for the device."""
        ints: Any = self.ints.tolist()
        floats: Any = self.floats.tolist()
        if self.row is not None:  # cut on the host: a kernel more would wait for the next step
            ints, floats = ints[self.row], floats[self.row]
        listed = len(ints) - (len(Ints._fields) - 1)
        sizes = {"measured": len(METRICS), "logprobs": listed, "ps": listed}
        sizes["measures"] = len(self.sampler.measures)
        return Ints(**_cut(Ints._fields, ints, {"listed": listed})), Floats(
            **_cut(Floats._fields, floats, sizes)
        )


def packed(parts: Ints | Floats, dtype: mx.Dtype) -> mx.array:
    """Scalars, then arrays, then whatever is a tuple of scalars, as the layouts have them."""
    scalars = [part for part in parts if isinstance(part, mx.array) and part.ndim == 0]
    arrays = [part for part in parts if isinstance(part, mx.array) and part.ndim]
    arrays += [mx.stack(list(part)) for part in parts if isinstance(part, tuple) and part]
    return mx.concatenate([mx.stack(scalars).astype(dtype), *arrays])


def forces(sampler: type[Settings]) -> tuple[str | None, ...]:
    """What a decision's `forced` is a number in."""
    return None, "user", sampler.inserts


def _cut(names: tuple[str, ...], values: list[Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    found, at = {}, 0
    for name in names:
        size = sizes.get(name)
        found[name] = values[at] if size is None else values[at : at + size]
        at += 1 if size is None else size
    return found
