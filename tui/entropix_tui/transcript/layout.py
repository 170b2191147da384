"""Word wrapping that grows at its end: adding a token lays out the last line only.

A layout holds *pieces* (one for each token, by index) and the *lines* made of them. Lines are
objects that keep their identity while they keep their content, so that a view can cache what
it draws for each. Widths are in terminal cells.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.cells import cell_len

from entropix_mlx.terminal.glyphs import Glyph, glyph, graphemes, joins

TAB = 4
_PARTS = re.compile(r"\n|\t|[ \u1680\u2000-\u2006\u2008-\u200a\u205f\u3000]+|[^\s]+|\s")
# Closing and opening punctuation of wide scripts, which stays with what it belongs to.
_NEVER_FIRST = frozenset(
    "\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff09\u300d\u300f\u3011\u3009\u300b\uff1a\uff1b\u2026\u201d\u2019\u30fc\u3005"
)
_NEVER_LAST = frozenset("\uff08\u300c\u300e\u3010\u3008\u300a\u201c\u2018")


class Piece(NamedTuple):
    """One token's contribution: its `text`, a `mark` drawn before its first visible glyph, and
    `shown`, drawn in place of the text where the two differ (bytes of an unfinished character).
    """

    text: str
    mark: str = ""
    shown: str | None = None


class Run(NamedTuple):
    """Consecutive glyphs of one piece: their text, what is drawn for it, and in how many cells."""

    piece: int
    source: str
    shown: str
    cells: int


@dataclass(eq=False, slots=True)
class Line:
    """A laid-out line; `first` is the piece it begins with, `drawn` a place for a view's cache."""

    first: int
    runs: list[Run] = field(default_factory=list)
    cells: int = 0
    drawn: Any = None

    @property
    def source(self) -> str:
        return "".join(run.source for run in self.runs)

    def piece_at(self, column: int) -> int | None:
        """The piece drawn at a column."""
        for run in self.runs:
            column -= run.cells
            if column < 0:
                return run.piece
        return None


class Layout:
    """Pieces wrapped to a width of at least 2 cells; it takes the list `pieces` over.

    Spaces at a wrap stay at the line's end, undrawn where they do not fit. A line break is drawn
    as `↵` when `breaks` is set and there is room.
    """

    def __init__(
        self, width: int, *, breaks: bool = True, pieces: list[Piece] | None = None
    ) -> None:
        self.width = max(2, width)
        self.breaks = breaks
        self.pieces: list[Piece] = [] if pieces is None else pieces
        self.lines: list[Line] = []
        self._joined: set[int] = set()  # pieces whose head belongs to a glyph of the one before
        self._restart(0, 0)

    def add(self, piece: Piece) -> None:
        """Append a piece, at a cost that does not depend on what is there."""
        self.pieces.append(piece)
        self._lay(len(self.pieces) - 1)

    def change(self, index: int, **fields: Any) -> None:
        """Replace fields of a piece and lay out again from shortly before it."""
        self.pieces[index] = self.pieces[index]._replace(**fields)
        start = max(0, self.line_of(index) - 1)
        while start and not self._begins_piece(start):
            start -= 1
        first = self.lines[start].first if start else 0
        self._restart(start, first)

    def line_of(self, piece: int) -> int:
        """Index of the line in which a piece begins (its neighbour's, if it draws nothing)."""
        index = bisect_right(self.lines, piece, key=lambda line: line.first) - 1
        while index > 0 and self.lines[index].first == piece and not self._begins_piece(index):
            index -= 1
        return max(0, index)

    def first_begun(self, line: int) -> int:
        """The first piece that begins on a line; the line's first if none does."""
        first = self.lines[line].first
        if line and not self._begins_piece(line):
            return next((r.piece for r in self.lines[line].runs if r.piece != first), first)
        return first

    def _begins_piece(self, index: int) -> bool:
        """Whether nothing of the line's first piece stands on the line before it."""
        first, before = self.lines[index].first, self.lines[index - 1].runs
        return first not in self._joined and (not before or before[-1].piece != first)

    def _restart(self, line: int, piece: int) -> None:
        del self.lines[line:]
        self.lines.append(Line(piece))
        self._opportunity = 0  # index of the last line's run before which it may break; 0: none
        self._tail = ""  # the last glyph's source, while a later piece may still join it
        for index in range(piece, len(self.pieces)):
            self._lay(index)

    def _lay(self, index: int) -> None:
        text, mark, shown = self.pieces[index]
        self._joined.discard(index)
        if shown is None and not mark and self._lay_plainly(index, text):
            return
        if shown is not None:
            self._mark(index, mark)
            self._opaque(index, text, shown)
            return
        if self._tail and text and text[0] >= "\u0300" and not mark:
            text = self._join(index, text)
        for match in _PARTS.finditer(text):
            part = match.group()
            if part == "\n":
                self._mark(index, mark)
                mark = ""
                self._break(index)
            elif part == "\t":
                self._blank(index, part, TAB - self.lines[-1].cells % TAB)
            elif part.isspace() and glyph(part[0]).shown == part[0]:
                self._blank(index, part, cell_len(part))
            else:
                self._mark(index, mark)
                mark = ""
                self._word(index, part)
        self._mark(index, mark)

    def _lay_plainly(self, index: int, text: str) -> bool:
        """Lay most tokens, ASCII words with a space before them or none, the short way; False
        if it isn't one, or doesn't fit on the line.
        """
        word = text[1:] if text[:1] == " " else text
        line = self.lines[-1]
        runs = line.runs
        if not word or not word.isascii() or not word.isprintable() or " " in word:
            return False
        if line.cells + len(text) > self.width:
            return False
        if not runs:
            line.first = index
        if word is not text:
            runs.append(Run(index, " ", " ", 1))
            self._opportunity = len(runs)
        elif runs and not runs[-1].source[-1:].isascii():
            return False
        runs.append(Run(index, word, word, len(word)))
        line.cells += len(text)
        line.drawn = None
        self._tail = word[-1]
        return True

    def _mark(self, index: int, mark: str) -> None:
        for char in mark:
            self._glyph(index, Glyph("", char, 1))
            self._tail = ""

    def _join(self, index: int, text: str) -> str:
        """Give the last glyph what joins it from the next piece; return the rest."""
        cluster, taken = self._tail, 0
        while taken < len(text) and joins(cluster, text[taken]):
            cluster += text[taken]
            taken += 1
        if taken:
            line = self.lines[-1]
            last = line.runs.pop()
            old = glyph(self._tail)
            kept = last._replace(
                source=last.source[: -len(self._tail)],
                shown=last.shown[: -len(old.shown)],
                cells=last.cells - old.cells,
            )
            if kept.source or kept.shown:
                line.runs.append(kept)
            line.cells -= old.cells
            line.drawn = None
            self._opportunity = min(self._opportunity, len(line.runs))
            self._glyph(last.piece, glyph(cluster))
            self._tail = cluster
            if taken < len(text):
                self._joined.add(index)
        return text[taken:]

    def _word(self, index: int, word: str) -> None:
        if word.isascii() and word.isprintable() and len(word) <= self.width:
            self._glyph(index, Glyph(word, word, len(word)))
            self._tail = word[-1]
            return
        for cluster in graphemes(word):
            self._glyph(index, glyph(cluster))
            self._tail = cluster

    def _opaque(self, index: int, source: str, shown: str) -> None:
        """Draw `shown` for a source that it does not spell."""
        for position, char in enumerate(shown):
            self._glyph(index, Glyph("" if position else source, char, 1))
        if source and not shown:
            self._put(index, Glyph(source, "", 0))
        self._tail = ""

    def _break(self, index: int) -> None:
        drawn = self.breaks and self.lines[-1].cells < self.width
        self._put(index, Glyph("\n", "↵" if drawn else "", int(drawn)))
        self.lines.append(Line(index + 1))
        self._opportunity, self._tail = 0, ""

    def _blank(self, index: int, source: str, cells: int) -> None:
        room = min(cells, self.width - self.lines[-1].cells)
        self._put(index, Glyph(source, " " * room, room))
        self._opportunity, self._tail = len(self.lines[-1].runs), ""

    def _glyph(self, index: int, part: Glyph) -> None:
        """Place something unbreakable, on a new line where it does not fit on this one."""
        if part.cells > self.width:
            for position, char in enumerate(part.shown):
                self._glyph(index, Glyph("" if position else part.source, char, 1))
            return
        runs = self.lines[-1].runs
        if runs and self._may_break(runs[-1].source[-1:], part):
            self._opportunity = len(runs)
        if self.lines[-1].cells + part.cells > self.width:
            self._wrap(index)
        room = self.width - self.lines[-1].cells
        if part.cells > room:
            if part.source == part.shown and part.source.isascii():
                # The rest of a word that is longer than a line: fill this one first.
                if room:
                    self._put(index, Glyph(part.source[:room], part.shown[:room], room))
                part = Glyph(part.source[room:], part.shown[room:], part.cells - room)
            self.lines.append(Line(index))
            self._opportunity = 0
        self._put(index, part)

    @staticmethod
    def _may_break(before: str, part: Glyph) -> bool:
        """Whether a line may end between two glyphs without a space: beside a wide one."""
        if not before or (before.isascii() and part.source.isascii()):
            return False
        wide = (part.cells == 2 and part.source == part.shown) or cell_len(before) == 2
        return wide and before not in _NEVER_LAST and part.source not in _NEVER_FIRST

    def _wrap(self, index: int) -> None:
        """Start a line with what follows the last opportunity to break, if there is one."""
        if not self._opportunity:
            return
        line = self.lines[-1]
        moved = line.runs[self._opportunity :]
        new = Line(moved[0].piece if moved else index, moved, sum(run.cells for run in moved))
        del line.runs[self._opportunity :]
        line.cells -= new.cells
        line.drawn = None
        self.lines.append(new)
        self._opportunity = 0

    def _put(self, index: int, part: Glyph) -> None:
        line = self.lines[-1]
        if not line.runs:
            line.first = index
        line.drawn = None
        line.cells += part.cells
        if line.runs and len(line.runs) > self._opportunity:
            last = line.runs[-1]
            if last.piece == index:
                source, shown = last.source + part.source, last.shown + part.shown
                line.runs[-1] = Run(index, source, shown, last.cells + part.cells)
                return
        line.runs.append(Run(index, *part))
