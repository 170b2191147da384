"""Thresholds and words that no one has measured for a model: that they are so, and the remedy."""

from entropix_mlx.records.record import RunHeader
from entropix_mlx.sampling.calibration import GUIDE
from entropix_mlx.terminal.glyphs import one_line


def is_provisional(header: RunHeader | None) -> bool:
    """Whether what a conversation is coloured by was meant to be the model's own, and is not."""
    if header is None or header.calibration is not None:
        return False
    return header.quadrant_split not in (None, GUIDE)


def is_quick(header: RunHeader) -> bool:
    """Whether a model is measured while one waits."""
    return not header.device.lower().startswith("cpu")


def remedy(header: RunHeader) -> str:
    """What makes them the model's own."""
    model = one_line(header.model)
    if is_quick(header):
        return f"F9 measures {model}'s own, in about a minute"
    return f"entropix-mlx calibrate --model {model} measures its own, in about ten minutes"
