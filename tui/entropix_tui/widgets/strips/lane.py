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
COURSE = "⣀⠤⠒⠉"
"""A line through a cell, from its bottom to its top."""
LINE, TOO_HIGH, UNKNOWN, CURSOR = "┄", "▲", "·", "│"
BOLD = Style(bold=True)
ROWS = 10
"""A lane is tall where a screen has this many rows for each of its own, and one row otherwise."""
LEAST, MOST = 3, 6
"""Rows of a tall lane."""
WIDTH, NARROW = 23, 34
"""Cells of the label beside a tall lane, and in front of one of one row."""


class Column(NamedTuple):
    """A token's value, what it is besides, and how the values before it go on to it."""

    value: float | None
    prompt: bool = False
    cursor: bool = False
    valley: bool = False
    course: float | None = None


class Looks(NamedTuple):
    """The styles of a lane's cells."""

    name: Style
    bar: Style
    above: Style
    prompt: Style
    note: Style
    cursor: Style
    course: Style
    on_bar: Style
    on_prompt: Style


_BAR, _ABOVE, _PROMPT, _NOTE, _CURSOR, _COURSE, _ON_BAR, _ON_PROMPT = range(1, len(Looks._fields))


@lru_cache(64)
def looks(measure: str, colours: styles.Colours, dark: bool, base: Style, active: bool) -> Looks:
    """`active`: the strip that the keys act on."""
    bar = base + styles.series_style(measure, colours, dark)
    mark = styles.cursor_style(colours, dark)
    note = base + styles.style("note", colours, dark)
    prompt = note if colours == "true" else note + Style(dim=True)
    course = base + styles.style("user", colours, dark)
    return Looks(
        name=bar + Style(bold=True, reverse=active),
        bar=bar,
        above=bar + BOLD,
        prompt=prompt,
        note=note,
        cursor=base + Style(color=mark.bgcolor, bold=True, reverse=mark.reverse),
        course=course,
        on_bar=_on(bar, course),
        on_prompt=_on(prompt, course),
    )


def _on(bar: Style, course: Style) -> Style:
    """A line on a bar; reversed where that has no colour of its own."""
    if bar.color is None or bar.color.is_default:
        return bar + Style(reverse=True)
    return course + Style(bgcolor=bar.color)


def label(
    measure: Scale,
    value: float | None,
    thresholds: Sequence[float],
    height: int,
    active: bool,
    smooth: bool,
) -> list[tuple[str, bool]]:
    """A lane's label, row by row: its text, and whether it is the measure's name; `smooth`: whether
    a course is drawn over its bars.
    """
    mark = "▸" if active else " "
    number = "-" if value is None else f"{value:.2f}"
    split = "split " + " ".join(f"{level:.3g}" for level in thresholds)
    if height == 1:
        text = f"{mark}{measure.name} {number}/{measure.top:g} {measure.unit}".rstrip()
        split = f", {split}" if thresholds else ""
        # Half a threshold would be another one.
        whole = text + split if len(text + split) < NARROW else text
        return [(whole[: NARROW - 1].ljust(NARROW), False)]
    notes = [f" {LINE} {split}"] if thresholds else []
    if smooth:
        notes.append(f" {COURSE[1]} smoothed")
    rows = [f"{mark}{measure.name}", f" {number} of {measure.top:g} {measure.unit}", *notes]
    rows += [""] * (height - len(rows))
    return [(text[: WIDTH - 1].ljust(WIDTH), n == 0) for n, text in enumerate(rows[:height])]


class Bars:
    """The bars of a lane, drawn a column at a time: what stands is never drawn again.

    With more than one row, threshold lines stand behind the bars, the course lies over them and
    valley markers stand above them. Bars from the upper threshold on are bold. What lies beyond the
    scale fills it and ends in `▲`, in the course's colour where that runs there too.
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
        kind = _ABOVE if value is not None and value >= self._upper else _BAR
        if column.prompt:
            kind = _PROMPT
        at, line = divmod(_line(column.course, self.measure.top, height), len(COURSE))
        for row, char in enumerate(bars(value, self.measure.top, height)):
            look = kind
            if row == at:
                char, over = _crossed(char, line)
                look = (_COURSE, kind, _ON_PROMPT if column.prompt else _ON_BAR)[over]
            elif column.valley and (height == 1 or (row == height - 1 and char == " ")):
                char, look = VALLEY, _COURSE
            elif char == " ":
                char, look = self._behind[row], _NOTE
            if column.cursor:
                char, look = CURSOR if char in (" ", LINE) else char, _CURSOR
            cells[row].append((char, look))


def _line(course: float | None, top: float, height: int) -> int:
    """Which line a course falls on, of all those of the rows from the bottom; below them, none."""
    if course is None or height == 1:
        return -1
    return level(course, top, height * len(COURSE))


def _crossed(char: str, line: int) -> tuple[str, int]:
    """A bar's character with a line through it, and what lies under the line: nothing (0), the end
    of a bar (1), or a bar that goes on (2). A bar that ends below the line is drawn with dots; one
    that ends above it hides it. The end of one that goes beyond the scale stays, on the bar.
    """
    if char == TOO_HIGH:
        return char, 2
    levels = len(COURSE)
    reached = BLOCKS.find(char) * levels / 8
    if reached > line:
        return (COURSE[line], 2) if reached == levels else (char, 1)
    drawn = ord(COURSE[line])
    for dots in COURSE[: math.ceil(reached)]:
        drawn |= ord(dots)
    return chr(drawn), int(reached > 0)


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
