"""A sampler's whole memory, explicit: a pure function of the path of tokens."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.records.record import Forced, TokenRecord
from entropix_mlx.sampling.calibration import METRICS

FORCED: tuple[Forced | None, ...] = (None, "clarify", "user")
"""What a decision's `forced` is an index of."""

LONG_AGO = 1 << 30
"""Stands for never."""


class State(NamedTuple):
    """Arrays, never read back.

    `counts` int32 `[3]`: ids since the last one that clarified, how many of the clarifying ids
    were forced so far (0 = none under way), steps. `means` float32 `[6]`: the rolling metrics.
    """

    counts: mx.array
    means: mx.array

    @staticmethod
    def start() -> "State":
        return State.of(LONG_AGO, 0, 0, [0.0] * len(METRICS))

    @staticmethod
    def of(since: int, position: int, steps: int, means: Sequence[float]) -> "State":
        return State(mx.array([since, position, steps], dtype=mx.int32), mx.array(list(means)))

    @staticmethod
    def after(tokens: Sequence[TokenRecord], clarify: int, rolling: float) -> "State":
        """The state at the end of a path, from its tokens' records alone.

        `clarify`: how many ids the clarifying text has; `rolling`: see `Settings`.
        """
        since = next(
            (n for n, record in enumerate(reversed(tokens)) if record.forced == "clarify"), None
        )
        run = sum(1 for _ in takewhile(lambda r: r.forced == "clarify", reversed(tokens)))
        position = run % clarify if clarify else 0
        means = np.zeros(len(METRICS), np.float32)
        weight = np.float32(rolling)
        recent = tokens[-1:] if rolling == 1 else tokens
        for n, record in enumerate(recent):
            measured = np.array([getattr(record, name) or 0.0 for name in METRICS], np.float32)
            means = weight * measured + (1 - weight) * means if n else measured
        return State.of(LONG_AGO if since is None else since, position, len(tokens), means.tolist())
