"""What a distribution would be at another temperature, before any filter."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LOWEST, HIGHEST, STEP = 0.05, 3.0, 0.05
"""Trial temperatures."""


def tempered(
    logprobs: "npt.ArrayLike", temperature: float, of: "npt.ArrayLike | None" = None
) -> "Floats":
    """Probabilities proportional to `exp(logprob / temperature)`, in float64.

    `logprobs` (nats) are all that share the mass; `of` those whose probabilities are wanted,
    default all. The temperature is above 0.
    """
    import numpy as np  # late: the first screen comes before it

    scaled = np.asarray(logprobs, np.float64) / temperature
    wanted = scaled if of is None else np.asarray(of, np.float64) / temperature
    top = scaled.max(initial=-np.inf)
    found: Floats = np.exp(wanted - top) / np.exp(scaled - top).sum()
    return found


def nearest(temperature: float) -> float:
    """The trial temperature next to one that is wanted."""
    steps = round(min(max(temperature, LOWEST), HIGHEST) / STEP)
    return round(steps * STEP, 2)
