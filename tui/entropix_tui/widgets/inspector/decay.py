"""Log-probability by rank, both on logarithmic scales: how fast a distribution falls."""

import math

import numpy as np
import numpy.typing as npt
from rich.style import Style
from rich.text import Text
from textual.app import RenderResult

from entropix_tui.look import styles
from entropix_tui.widgets.styled import Styled

_LABEL = 6
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Of a Braille cell, by row and column."""
_DECADES = 15
"""Probabilities from 1 down to this many powers of ten; what is less likely is left out."""


def braille(logprobs: npt.NDArray[np.float32], columns: int, rows: int) -> list[str]:
    """The curve in so many cells, the rank to the right and the probability upwards.

    `logprobs` in nats, in descending order.
    """
    cells = np.zeros((rows, columns), np.int32)
    wide, high = 2 * columns, 4 * rows
    span = math.log10(max(2, len(logprobs)))
    edges = 10 ** (np.arange(wide) / max(1, wide - 1) * span)
    ranks = np.minimum(len(logprobs), np.round(edges)).astype(int)
    depth = -logprobs[ranks - 1].astype(np.float64) / math.log(10) / _DECADES
    for x, share in enumerate(depth):
        if share <= 1:
            y = min(high - 1, int(max(0.0, share) * (high - 1) + 0.5))
            cells[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(0x2800 + dots) if dots else " " for dots in row) for row in cells]


class Decay(Styled):
    """The plot with its two scales, drawn for the widget's size."""

    DEFAULT_CSS = "Decay { height: 6; width: 1fr; }"

    def __init__(self, logprobs: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.logprobs = logprobs

    def render(self) -> RenderResult:
        faint = self.look("note")
        blue = self.series(styles.ENTROPY)
        columns, rows = self.size.width - _LABEL, self.size.height - 1
        text = Text(no_wrap=True, overflow="crop")
        if columns < 8 or rows < 1:
            return text
        for y, line in enumerate(braille(self.logprobs, columns, rows)):
            text.append(self._level(y, rows), faint).append(f"{line}\n", blue + Style())
        return text.append(self._axis(columns), faint)

    def _level(self, y: int, rows: int) -> str:
        """What a row's label says, at the top, the middle and the bottom."""
        if y == 0:
            return "  p 1│"
        if y in (rows // 2, rows - 1) and rows > 1:
            decades = round(_DECADES * (y + 0.5) / rows)
            return f"{f'1e-{decades}':>5}│"
        return "     │"

    def _axis(self, columns: int) -> str:
        """Ranks at their decades."""
        line = [" "] * (columns + _LABEL)
        span = math.log10(max(2, len(self.logprobs)))
        last = -1
        for decade in range(int(span) + 1):
            name = "rank 1" if decade == 0 else f"{10**decade:,}"
            at = _LABEL + round(decade / span * (columns - 1))
            at = min(at, len(line) - len(name))
            if at > last:
                line[at : at + len(name)] = name
                last = at + len(name)
        return "".join(line)
