"""The entropy x varentropy plane in cells: where values fall, and how it is divided."""

import math
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Literal, NamedTuple

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant, above
from entropix_mlx.records.record import Region, TokenRecord
from entropix_tui.tokens.measures import ENTROPY, VARENTROPY

DOTS_X, DOTS_Y = 2, 4
"""Dots of a Braille cell."""

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Bit of a dot, by column and by row from the bottom."""

TICKS_X = (0, 4, 2, 1, 0.5, 8, 6)
TICKS_Y = (0, 30, 10, 3, 20, 1, 5)
"""The more wanted first."""

_WITHIN = 1e-6
"""Of a cell: far more than rounding, far less than can be seen."""


def braille(dots: int) -> str:
    return chr(0x2800 + dots)


Divided = Callable[[float, float], Region | None]
"""From an entropy and a varentropy to the quadrant, or the sampler's region."""


class Place(NamedTuple):
    """Of a text: its row from the top, and its first column."""

    row: int
    column: int


class Dot(NamedTuple):
    """A cell, counted from the left and from the top, and a dot within it."""

    column: int
    row: int
    bit: int


class PlaneMap:
    """`columns` x `rows` cells. Both axes go with the square root of the value.

    On a plain scale nine tokens of ten and all that divides it would lie in its lower left quarter.
    The scales end where those of the measures do; what lies beyond is at the edge. `divided` says
    what rules at an entropy and a varentropy; None: nobody knows, and only the corners are named.
    """

    def __init__(self, columns: int, rows: int, divided: Divided | None) -> None:
        self.columns, self.rows = columns, rows
        ruling = divided or _quarter
        self.regions = [[ruling(*self.value(x, y)) for x in range(columns)] for y in range(rows)]
        """By row from the top, then column: what rules at a cell's upper end. So an edge is drawn
        in the cell that it runs through, and no token beside it is on its wrong side.
        """
        self.lines = [" " * columns] * rows
        """What is drawn where no token fell: the edges of the regions, otherwise spaces."""
        if divided is not None:
            self.lines = ["".join(self._line(x, y) for x in range(columns)) for y in range(rows)]

    def _line(self, column: int, row: int) -> str:
        here = self.regions[row][column]
        left = column > 0 and self.regions[row][column - 1] != here
        below = row + 1 < self.rows and self.regions[row + 1][column] != here
        return (" ┊", "┄┼")[below][left]

    def value(self, column: int, row: int) -> tuple[float, float]:
        """Entropy and varentropy at the upper end of a cell, just within it."""
        x = (column + 1 - _WITHIN) / self.columns
        y = (self.rows - row - _WITHIN) / self.rows
        return ENTROPY.top * x * x, VARENTROPY.top * y * y

    def dot(self, entropy: float, varentropy: float) -> Dot:
        """Where a token falls."""
        x = _place(entropy / ENTROPY.top, self.columns * DOTS_X)
        y = _place(varentropy / VARENTROPY.top, self.rows * DOTS_Y)
        return Dot(x // DOTS_X, self.rows - 1 - y // DOTS_Y, _DOTS[x % DOTS_X][y % DOTS_Y])

    def place(self, text: str, corner: Quadrant, beside: int | None = None) -> Place | None:
        """Where a text about a corner has room within it, as far outside as there is any; with
        `beside`, on the next row inwards from that one.

        In the lower left corner, where most tokens fall, it stands at the inner end of its row.
        """
        high, wide = above(corner)
        inwards = 1 if wide else -1
        rows = range(self.rows)[::inwards] if beside is None else [beside + inwards]
        for row in rows:
            if not 0 <= row < self.rows:
                continue
            ruled = [x for x, region in enumerate(self.regions[row]) if region == corner]
            if len(ruled) >= len(text):
                at_end = high or not wide
                return Place(row, ruled[-1] + 1 - len(text) if at_end else ruled[0])
        return None

    def axis(self, name: str) -> str:
        """The entropy's axis: labels that don't touch, and the name before the last of them."""
        cells = [" "] * self.columns
        last = f" {name} {ENTROPY.top:g} "  # text does not touch the screen's edge
        if len(last) < self.columns:
            cells[-len(last) :] = last
        for tick in TICKS_X:
            text = f"{tick:g}"
            at = max(0, min(self.dot(tick, 0).column, self.columns - len(text)))
            around = cells[max(0, at - 1) : at + len(text) + 1]
            if not "".join(around).strip():
                cells[at : at + len(text)] = text
        return "".join(cells)

    def ticks_y(self) -> dict[int, str]:
        """Rows and labels of the varentropy's axis."""
        found: dict[int, str] = {}
        for tick in TICKS_Y:
            found.setdefault(self.dot(0, tick).row, f"{tick:g}")
        return found


class Density:
    """How many tokens fell into each cell of a map, onto which of its dots, and what the last one
    was: its quadrant, or what else `kind` names of a record.
    """

    def __init__(self, plane: PlaneMap, kind: Literal["quadrant", "region"] = "quadrant") -> None:
        self._columns, self._rows = plane.columns, plane.rows
        self._kind: Callable[[TokenRecord], Region | None] = attrgetter(kind)
        self.kinds: list[list[Region | None]] = [[None] * plane.columns for _ in range(plane.rows)]
        self.dots = [[0] * plane.columns for _ in range(plane.rows)]
        """By row from the top, then column: the bits of a Braille cell."""
        self.counts = [[0] * plane.columns for _ in range(plane.rows)]
        self.most = 1
        """The greatest count, at least 1."""

    def add(self, tokens: Iterable[TokenRecord]) -> set[int]:
        """Count tokens where they fall; the rows that this changes.

        It is `PlaneMap.dot`, written out: a restored session has a hundred thousand of them.
        """
        across, up = self._columns * DOTS_X, self._rows * DOTS_Y
        x_scale, y_scale = across / math.sqrt(ENTROPY.top), up / math.sqrt(VARENTROPY.top)
        dots, counts, bottom, sqrt = self.dots, self.counts, self._rows - 1, math.sqrt
        kinds, kind = self.kinds, self._kind
        most, changed = self.most, set()
        for token in tokens:
            entropy, varentropy = token.entropy, token.varentropy
            if entropy is None or varentropy is None:
                continue
            x = int(sqrt(entropy) * x_scale) if entropy > 0 else 0
            y = int(sqrt(varentropy) * y_scale) if varentropy > 0 else 0
            if x >= across:
                x = across - 1
            if y >= up:
                y = up - 1
            row, column = bottom - y // DOTS_Y, x // DOTS_X
            dots[row][column] |= _DOTS[x % DOTS_X][y % DOTS_Y]
            counts[row][column] = count = counts[row][column] + 1
            kinds[row][column] = kind(token)
            if count > most:
                most = count
            changed.add(row)
        self.most = most
        return changed


def _quarter(entropy: float, varentropy: float) -> Quadrant:
    """The halves of both scales as they are drawn."""
    return QUADRANTS[(4 * entropy >= ENTROPY.top) + 2 * (4 * varentropy >= VARENTROPY.top)]


def _place(share: float, dots: int) -> int:
    return min(dots - 1, int(math.sqrt(max(0.0, min(share, 1.0))) * dots))
