"""The entropy x varentropy plane in cells: where values fall, which region rules where."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from entropix_mlx.records.record import Region, TokenRecord
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.settings import Settings
from entropix_tui.tokens.measures import ENTROPY, VARENTROPY

DOTS_X, DOTS_Y = 2, 4
"""Dots of a Braille cell."""

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Bit of a dot, by column and by row from the bottom."""

TICKS_X = (0, 4, 2, 1, 0.5, 8, 6)
TICKS_Y = (0, 30, 10, 3, 20, 1, 5)
"""The more wanted first."""


def braille(dots: int) -> str:
    return chr(0x2800 + dots)


class Dot(NamedTuple):
    """A cell, counted from the left and from the top, and a dot within it."""

    column: int
    row: int
    bit: int


class PlaneMap:
    """`columns` x `rows` cells. Both axes go with the square root of the value.

    On a plain scale nine tokens of ten and all four corners' thresholds would lie in its lower
    left quarter. The scales end where those of the measures do; what lies beyond is at the edge.
    """

    def __init__(self, columns: int, rows: int, settings: Settings | None) -> None:
        self.columns, self.rows = columns, rows
        corners = bounds(settings.to_dict()) if settings is not None else {}
        self.regions = [
            [region_of(*self.value(x, y), corners) for x in range(columns)] for y in range(rows)
        ]
        """By row from the top, then column."""
        self.lines = ["".join(self._line(x, y) for x in range(columns)) for y in range(rows)]
        """What is drawn where no token fell: the edges of the regions, otherwise spaces."""

    def _line(self, column: int, row: int) -> str:
        here = self.regions[row][column]
        left = column > 0 and self.regions[row][column - 1] != here
        below = row + 1 < self.rows and self.regions[row + 1][column] != here
        return (" ┊", "┄┼")[below][left]

    def value(self, column: int, row: int) -> tuple[float, float]:
        """Entropy and varentropy at the centre of a cell."""
        x = (column + 0.5) / self.columns
        y = (self.rows - row - 0.5) / self.rows
        return ENTROPY.top * x * x, VARENTROPY.top * y * y

    def dot(self, entropy: float, varentropy: float) -> Dot:
        """Where a token falls."""
        x = _place(entropy / ENTROPY.top, self.columns * DOTS_X)
        y = _place(varentropy / VARENTROPY.top, self.rows * DOTS_Y)
        return Dot(x // DOTS_X, self.rows - 1 - y // DOTS_Y, _DOTS[x % DOTS_X][y % DOTS_Y])

    def anchor(self, corner: Region) -> tuple[int, int] | None:
        """Row and column where a corner's name has its outer end; None if it rules nowhere.

        The names stand in the plane's corners, but for that of the lower left one, where most
        tokens fall: it stands at the top of its region.
        """
        right = corner[0] == "H"
        edge = self.columns - 1 if right else 0
        rows = [y for y in range(self.rows) if self.regions[y][edge] == corner]
        if not rows:
            return None
        return (rows[-1] if corner == "HELV" else rows[0]), edge

    def axis(self, name: str) -> str:
        """The entropy's axis: labels that don't touch, and the name before the last of them."""
        cells = [" "] * self.columns
        last = f" {name} {ENTROPY.top:g}"
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
    """How many tokens fell into each cell of a map, and onto which of its dots."""

    def __init__(self, plane: PlaneMap) -> None:
        self._columns, self._rows = plane.columns, plane.rows
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
            if count > most:
                most = count
            changed.add(row)
        self.most = most
        return changed


def _place(share: float, dots: int) -> int:
    return min(dots - 1, int(math.sqrt(max(0.0, min(share, 1.0))) * dots))
