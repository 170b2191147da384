"""A live strip: one measure of the last tokens on a fixed, labelled scale."""

import math
from collections import deque
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from entropix_tui import cues

BLOCKS = " ▁▂▃▄▅▆▇█"
BOLD = Style(bold=True)
LABEL = 21
KEPT = 1024
"""Values in the ring: more than any terminal has columns."""


class Scale(NamedTuple):
    """A measure's fixed scale, from 0 to `top`."""

    series: str
    symbol: str
    unit: str
    top: float


ENTROPY = Scale(cues.ENTROPY, "H", "bits", 12.0)
"""Ordinary text stays under 11 bits; 15.6 (49k vocabulary) and 17 (128k) are the ends of the world
and would press everything real into the lower half."""

VARENTROPY = Scale(cues.VARENTROPY, "V", "bits²", 30.0)
"""Ordinary text stays under 25 bits^2."""


class LiveStrip(Widget):
    """Bars for the last tokens that fit, one a column, the newest at the right.

    With more than one row, threshold lines and valley markers stand in the cells above the bars.
    Bars above the upper threshold are bold. Values beyond the scale fill it and end in `▲`.
    """

    ALLOW_SELECT = False

    def __init__(self, scale: Scale, colours: cues.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.scale = scale
        self.colours = colours
        self.thresholds: tuple[float, ...] = ()
        self.cursor: int | None = None
        """Index of the record under the text's cursor."""
        self._values: deque[tuple[int, float | None]] = deque(maxlen=KEPT)
        self._valleys: deque[int] = deque(maxlen=KEPT)

    def append(self, index: int, value: float | None) -> None:
        """Add the value of record `index`; the caller refreshes once a batch."""
        self._values.append((index, value))

    def mark_valley(self, index: int) -> None:
        self._valleys.append(index)

    def clear(self) -> None:
        self._values.clear()
        self._valleys.clear()
        self.cursor = None
        self.refresh()

    @property
    def value(self) -> float | None:
        """The value under the cursor, otherwise the newest."""
        if self.cursor is not None:
            return next((v for i, v in self._values if i == self.cursor), None)
        return self._values[-1][1] if self._values else None

    def render_line(self, y: int) -> Strip:
        width, height, base = self.size.width, self.size.height, self.rich_style
        styles = self._styles(base)
        segments = [Segment(self._label(y, height), styles["note"] if y else base + BOLD)]
        row = height - 1 - y  # counted from the bottom
        cells = self._cells(max(0, width - LABEL), row, height)
        for kind, group in groupby(cells, key=itemgetter(1)):
            segments.append(Segment("".join(char for char, _ in group), styles[kind]))
        return Strip(segments).crop_extend(0, width, base)

    def _styles(self, base: Style) -> dict[str, Style]:
        """By kind of cell: a bar, one over the upper threshold, the cursor's, anything else."""
        dark = self.app.current_theme.dark
        bar = base + cues.series_style(self.scale.series, self.colours, dark)
        mark = cues.cursor_style(self.colours, dark)
        return {
            "bar": bar,
            "above": bar + BOLD,
            "cursor": base + Style(color=mark.bgcolor, bold=True, reverse=mark.reverse),
            "note": base + cues.style("note", self.colours, dark),
        }

    def _label(self, y: int, height: int) -> str:
        value, (series, symbol, unit, top) = self.value, self.scale
        number = "  -  " if value is None else f"{value:5.2f}"
        if height == 1:
            return f" {symbol} {number} of {top:g} {unit} ".ljust(LABEL)
        rows = [f" {series}", f" {number} {unit}", f" scale 0 to {top:g}"]
        if self.thresholds:
            rows.append(" ┄ " + " ".join(f"{t:.3g}" for t in self.thresholds))
        return (rows[y] if y < len(rows) else "").ljust(LABEL)

    def _cells(self, columns: int, row: int, height: int) -> list[tuple[str, str]]:
        """Each column's character in a row, and which kind of cell it is."""
        skipped = max(0, len(self._values) - columns)
        shown = islice(self._values, skipped, None) if columns else ()
        valleys = set(self._valleys)
        upper = max(self.thresholds, default=math.inf)
        line = self._line(row, height)
        cells = []
        for index, value in shown:
            char = self._bar(value, row, height)
            kind = "above" if value is not None and value > upper else "bar"
            if index in valleys and (height == 1 or (row == height - 1 and char == " ")):
                char, kind = "▾", "note"
            elif char == " ":
                char, kind = line, "note"
            if index == self.cursor:
                char, kind = "│" if char in " ┄" else char, "cursor"
            cells.append((char, kind))
        return cells + [(line, "note")] * (columns - len(cells))

    def _line(self, row: int, height: int) -> str:
        """What stands in a row's empty cells: a threshold's line, if one falls on it."""
        if height == 1:
            return " "
        rows = {min(height - 1, int(t / self.scale.top * height)) for t in self.thresholds}
        return "┄" if row in rows else " "

    def _bar(self, value: float | None, row: int, height: int) -> str:
        if value is None:
            return "·" if row == 0 else " "
        if value > self.scale.top and row == height - 1:
            return "▲"
        eighths = round(value / self.scale.top * height * 8)
        return BLOCKS[max(0 if row else 1, min(8, eighths - 8 * row))]
