"""Whether mlx-lm decodes speculatively, which a sampler is not told."""

import sys
from types import FrameType


def is_speculating() -> bool:
    """Whether mlx-lm's speculative decoding is what is calling.

    It asks a sampler for tokens that it may take back, and for those that follow at several places
    at once; neither shows in the arguments before it is too late.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "speculative_generate_step":
            return True
        frame = frame.f_back
    return False
