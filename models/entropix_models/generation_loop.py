"""Which of mlx-lm's loops is asking a sampler, which is not told."""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any


def is_speculating() -> bool:
    """Whether mlx-lm's speculative decoding is what is calling.

    It asks a sampler for tokens that it may take back, and for those that follow at several places
    at once; neither shows in the arguments before it is too late.
    """
    return any(frame.f_code.co_name == "speculative_generate_step" for frame in _callers())


def sequences() -> list[int] | None:
    """Numbers of the sequences whose next tokens mlx-lm's batch generation is asking for, a row
    each; None where something else is calling. Rows come and go, and only they say whose one is.
    """
    for frame in _callers():
        batch: Any = frame.f_locals.get("self")
        if frame.f_code.co_name == "_step" and type(batch).__name__ == "GenerationBatch":
            return list(batch.uids)
    return None


def _callers() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back
