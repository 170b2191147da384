"""A passage as a terminal shows it, as an SVG: coloured tokens, wrapped, nothing to load.

Colours follow the viewer's light or dark; where styles are not understood, it is light.
"""

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import NamedTuple

from entropix_mlx.export.passage import Cell, Passage, Turn
from entropix_mlx.export.style import LETTERS, NONE, attributes, colours
from entropix_mlx.terminal.glyphs import glyphs, one_line
from entropix_mlx.terminal.palette import FORCED, VALLEY, Theme

WIDTH = 100
"""Columns, if nothing else is asked for."""

CELL, LINE, MARGIN = 8.4, 18, 14
"""Units of a column and of a row, and around the text; the type is 14 units high."""

TAB = 8


class Inked(NamedTuple):
    """A glyph in a style, and in how many cells."""

    shown: str
    cells: int
    style: str


def svg(passage: Passage, width: int = WIDTH) -> str:
    """`width`: columns to wrap at, 2 or more."""
    lines = list(_lines(passage, width))
    height = len(lines) * LINE + 2 * MARGIN
    across = width * CELL + 2 * MARGIN
    title = one_line(passage.header.model)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {height}"'
        f' width="{across:g}" height="{height}" role="img" aria-labelledby="title">',
        f'<title id="title">Text and uncertainty of {escape(title)}</title>',
        f"<style>{_style()}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
    ]
    for row, line in enumerate(lines):
        parts.append("".join(_drawn(line, row)))
    return "\n".join([*(part for part in parts if part), "</svg>\n"])


def _drawn(line: list[Inked], row: int) -> Iterator[str]:
    column, y = 0, MARGIN + row * LINE
    for style, run in groupby(line, key=lambda inked: inked.style):
        glyphs_ = list(run)
        cells = sum(inked.cells for inked in glyphs_)
        said = "".join(inked.shown for inked in glyphs_)
        x, wide = MARGIN + column * CELL, cells * CELL
        if said.strip():
            # Fonts differ in width, and few have wide characters of exactly two cells.
            yield (
                f'<text class="{style}" x="{x:.1f}" y="{y + 13}" textLength="{wide:.1f}"'
                f' lengthAdjust="spacingAndGlyphs">{escape(said, quote=False)}</text>'
            )
        column += cells


def _lines(passage: Passage, width: int) -> Iterator[list[Inked]]:
    cells = iter(passage.cells)
    for number, turn in enumerate(passage.turns):
        if number:
            yield []
        yield from _wrapped([_ink(one_line(turn.speaker), "who")], width)
        said = [next(cells) for _ in turn.tokens]
        yield from _wrapped(_paragraphs(passage, turn, said), width)


def _paragraphs(passage: Passage, turn: Turn, said: list[Cell]) -> list[list[Inked]]:
    """The glyphs of every line of a turn, without the line breaks."""
    found: list[list[Inked]] = [[]]
    pieces = [(turn.text, NONE, "", "")]
    if said:
        pieces = [_piece(passage, cell) for cell in said]
    for source, style, before, after in pieces:
        found[-1] += _ink(before, "mark")
        for n, part in enumerate(source.replace("\r\n", "\n").split("\n")):
            if n:
                found.append([])
            found[-1] += _ink(part, style, len(found[-1]))
        found[-1] += _ink(after, "mark")
    if len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _piece(passage: Passage, cell: Cell) -> tuple[str, str, str, str]:
    token = cell.token
    style = LETTERS.get(token.quadrant, NONE)
    before = FORCED.get(token.forced or "", "")
    return token.text, style, before, VALLEY if passage.is_valley(cell) else ""


def _ink(text: str, style: str, at: int = 0) -> list[Inked]:
    found: list[Inked] = []
    for glyph in glyphs(text):
        if glyph.source == "\t":
            found += [Inked(" ", 1, style)] * (TAB - (at + len(found)) % TAB)
        else:
            found.append(Inked(glyph.shown, glyph.cells, style))
    return found


def _wrapped(paragraphs: list[list[Inked]], width: int) -> Iterator[list[Inked]]:
    """Lines of at most `width` cells, broken after spaces where there are any."""
    for paragraph in paragraphs:
        begin = room = 0
        space = -1  # the last place to break at
        for n, inked in enumerate(paragraph):
            if room + inked.cells > width and n > begin:
                if inked.shown == " ":  # it may hang over the edge
                    yield paragraph[begin:n]
                    begin, room, space = n + 1, 0, -1
                    continue
                end = space if space > begin else n
                yield paragraph[begin:end]
                begin, space = end, -1
                room = sum(other.cells for other in paragraph[begin:n])
            room += inked.cells
            if inked.shown == " ":
                space = n + 1
        yield paragraph[begin:]


def _style() -> str:
    rules = [
        "text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}",
        ".who{font-weight:bold}",
    ]
    for letter in LETTERS.values():
        for attribute in attributes(letter):
            rules += {
                "italic": [f"text.{letter}{{font-style:italic}}"],
                "bold": [f"text.{letter}{{font-weight:bold}}"],
            }.get(attribute, [])
    rules += _colours("light")
    rules.append(f"@media (prefers-color-scheme:dark){{{''.join(_colours('dark'))}}}")
    return "".join(rules)


def _colours(theme: Theme) -> list[str]:
    named = colours(theme)
    rules = [f".ground{{fill:{named['ground']}}}.who{{fill:{named['ink']}}}"]
    rules.append(f".mark{{fill:{named['cursor']}}}")
    for letter in (*LETTERS.values(), NONE):
        rules.append(f".{letter}{{fill:{named[letter]}}}")
    return rules
