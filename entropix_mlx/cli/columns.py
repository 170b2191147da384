"""Rows of words, set under each other."""

from collections.abc import Iterable, Sequence

from entropix_mlx.terminal.visible import escaped


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """A line for each row, every column as wide as its widest word; safe for a terminal."""
    table = [[" ".join(escaped(str(cell)).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
