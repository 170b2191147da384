"""A sampler's step on metrics that are given, without a model."""

from collections.abc import Sequence

import mlx.core as mx

from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.draw import Outcome, Scalars, Seen
from entropix_mlx.sampling.sampler import draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary


def scalars(bound: Settings, calibration: Calibration) -> Scalars:
    return {k: mx.array(v, mx.float32) for k, v in bound.scalars(calibration).items()}


def step(
    bound: Settings,
    calibration: Calibration,
    measured: Sequence[float],
    keys: int,
    *,
    attention: bool,
) -> Outcome:
    """The first one of a path, on eight logits."""
    values = mx.array(list(measured))
    seen = Seen(
        ids=mx.arange(8),
        logits=mx.arange(8, 0, -1).astype(mx.float32),
        odds=None,
        ordered=True,
        measured=values if attention else values * mx.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        attention=attention,
        keys=mx.array(keys, mx.float32),
        key=draw_key(0, 0),
        given=mx.array(-1),
        state=bound.state((), Vocabulary()),
        p=scalars(bound, calibration),
        fixed=bound.fixed(Vocabulary()),
    )
    return type(bound).step(seen)
