"""How large a screen may be, whatever a terminal or a page says of itself."""

COLUMNS, ROWS = 640, 240
"""At most: what a wall of screens shows in small print. A program keeps and lays out each cell."""


def bounded(columns: int, rows: int) -> tuple[int, int]:
    return min(max(columns, 1), COLUMNS), min(max(rows, 1), ROWS)
