"""One strip's picture: a measure of some columns on its fixed, labelled scale. No widget."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from entropix_mlx.records.measures import Scale
from entropix_mlx.terminal.palette import VALLEY
from entropix_tui.look import styles

BLOCKS = " ▁▂▃▄▅▆▇█"
LINE, TOO_HIGH, UNKNOWN, CURSOR = "┄", "▲", "·", "│"
BOLD = Style(bold=True)
TALL = 4
"""Rows of a lane where there is room; one otherwise."""
LABELS = {TALL: 23, 1: 33}
"""Cells of the label, by rows."""


class Column(NamedTuple):
    """A token's value, and what it is besides."""

    value: float | None
    prompt: bool = False
    valley: bool = False
    cursor: bool = False


class Looks(NamedTuple):
    """The styles of a lane's cells."""

    name: Style
    bar: Style
    above: Style
    prompt: Style
    note: Style
    cursor: Style


_BAR, _ABOVE, _PROMPT, _NOTE, _CURSOR = (
    Looks._fields.index(name) for name in ("bar", "above", "prompt", "note", "cursor")
)


@lru_cache(64)
def looks(measure: str, colours: styles.Colours, dark: bool, base: Style, active: bool) -> Looks:
    """`active`: the strip that the keys act on."""
    bar = base + styles.series_style(measure, colours, dark)
    mark = styles.cursor_style(colours, dark)
    note = base + styles.style("note", colours, dark)
    return Looks(
        name=bar + Style(bold=True, reverse=active),
        bar=bar,
        above=bar + BOLD,
        prompt=note if colours == "true" else note + Style(dim=True),
        note=note,
        cursor=base + Style(color=mark.bgcolor, bold=True, reverse=mark.reverse),
    )


def label(
    measure: Scale, value: float | None, thresholds: Sequence[float], height: int, active: bool
) -> list[tuple[str, bool]]:
    """A lane's label, row by row: its text, and whether it is the measure's name."""
    width = LABELS[height]
    mark = "▸" if active else " "
    number = "-" if value is None else f"{value:.2f}"
    if height == 1:
        text = f"{mark}{measure.name} {number}/{measure.top:g} {measure.unit}".rstrip()
        levels = f" {LINE}" + " ".join(f"{t:.2g}" for t in thresholds) if thresholds else ""
        # Half a threshold would be another one.
        return [(_fit(text + levels if len(text + levels) < width else text, width), False)]
    levels = f"{LINE} " + " ".join(f"{t:.3g}" for t in thresholds) if thresholds else ""
    rows = [
        (f"{mark}{measure.name}", True),
        (f" {number:>5} {measure.unit}", False),
        (f" scale 0 to {measure.top:g}", False),
        (f" {levels}", False),
    ]
    return [(_fit(text, width), name) for text, name in rows]


def _fit(text: str, width: int) -> str:
    return text[: width - 1].ljust(width)


class Bars:
    """The bars of a lane, drawn a column at a time: what stands is never drawn again.

    With more than one row, threshold lines stand behind the bars and valley markers above them.
    Bars above the upper threshold are bold. What lies beyond the scale fills it and ends in `▲`.
    """

    def __init__(
        self, measure: Scale, thresholds: Sequence[float], height: int, styles: Looks
    ) -> None:
        self.measure = measure
        self.drawn = 0
        """Columns so far."""
        self._height = height
        self._styles = styles
        self._upper = max(thresholds, default=math.inf)
        lines = {level(t, measure.top, height) for t in thresholds} if height > 1 else set()
        self._behind = [LINE if row in lines else " " for row in range(height)]
        self._runs: list[list[tuple[str, int]]] = [[] for _ in range(height)]

    def add(self, columns: Iterable[Column]) -> None:
        cells: list[list[tuple[str, int]]] = [[] for _ in range(self._height)]
        for column in columns:
            self.drawn += 1
            self._draw(column, cells)
        for runs, new in zip(self._runs, cells, strict=True):
            _join(runs, new)

    def rows(self, width: int) -> list[list[Segment]]:
        """From the top row to the bottom one, filled up to `width` cells."""
        rest, styles = width - self.drawn, self._styles
        drawn = []
        for runs, behind in zip(self._runs, self._behind, strict=True):
            segments = [Segment(text, styles[look]) for text, look in runs]
            drawn.append([*segments, Segment(behind * rest, styles.note)] if rest else segments)
        return drawn[::-1]

    def _draw(self, column: Column, cells: list[list[tuple[str, int]]]) -> None:
        value, height = column.value, self._height
        kind = _ABOVE if value is not None and value > self._upper else _BAR
        if column.prompt:
            kind = _PROMPT
        for row, char in enumerate(bars(value, self.measure.top, height)):
            look = kind
            if column.valley and (height == 1 or (row == height - 1 and char == " ")):
                char, look = VALLEY, _NOTE
            elif char == " ":
                char, look = self._behind[row], _NOTE
            if column.cursor:
                char, look = CURSOR if char in (" ", LINE) else char, _CURSOR
            cells[row].append((char, look))


def level(value: float, top: float, height: int) -> int:
    """The row, counted from the bottom, that a value's line falls on."""
    return min(height - 1, int(value / top * height))


def bars(value: float | None, top: float, height: int) -> str:
    """A column's characters from the bottom row to the top one."""
    if value is None:
        return UNKNOWN + " " * (height - 1)
    # At least a sliver: a value of nothing is a value.
    return _bar(height, max(1, round(min(value, top) / top * height * 8)), value > top)


@lru_cache(256)
def _bar(height: int, eighths: int, over: bool) -> str:
    drawn = "".join(BLOCKS[max(0, min(8, eighths - 8 * row))] for row in range(height))
    return drawn[:-1] + TOO_HIGH if over else drawn


def _join(runs: list[tuple[str, int]], cells: Iterable[tuple[str, int]]) -> None:
    """Add cells to runs of one look; a space has none of its own, so it joins what is before it."""
    for look, group in groupby(cells, key=itemgetter(1)):
        text = "".join([char for char, _ in group])
        if runs and (runs[-1][1] == look or (text.isspace() and runs[-1][1] != _CURSOR)):
            runs[-1] = (runs[-1][0] + text, runs[-1][1])
        else:
            runs.append((text, look))
