"""Parts of a block that are laid out when they are first seen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Generic, TypeVar

from rich.cells import cell_len

from entropix_mlx.terminal.glyphs import graphemes, joins
from entropix_tui.transcript.layout import Layout, Line, Piece

Owner = TypeVar("Owner")

PIECES = 96
"""A section ends at the first line break after this many pieces."""

LONG = 2048
"""Without a line break it ends at a word after this many pieces, after twice as many anywhere:
the price is one line that ends early."""

FILL = 0.96
"""How much of a line words fill before they wrap, for the estimate of a height."""


@dataclass
class Frame:
    """What everything is laid out for: `width` in cells, and whether line breaks are drawn.

    `touched` are the sections whose height may have changed since they were last stacked.
    """

    width: int
    breaks: bool
    touched: "set[Section[Any]]" = field(default_factory=set)


class Section(Generic[Owner]):
    """Pieces `start` to `stop` of a block, which begin a line.

    Before it is laid out its height, in rows, is an estimate.
    """

    def __init__(self, frame: Frame, block: Owner, start: int, origin: int) -> None:
        self.frame = frame
        self.block = block
        self.start = start
        self.origin = origin
        """Code points of the block's text before the section's."""
        self.pieces: list[Piece] = []
        self._layout: Layout | None = None
        self._text: str | None = ""
        self._paragraphs: list[int] | None = None  # their widths in cells

    @property
    def stop(self) -> int:
        return self.start + len(self.pieces)

    @property
    def is_laid_out(self) -> bool:
        layout, frame = self._layout, self.frame
        return layout is not None and (layout.width, layout.breaks) == (
            max(2, frame.width),
            frame.breaks,
        )

    @property
    def layout(self) -> Layout:
        """The lines, laid out now if they are not yet; pieces count from `start`."""
        if self._layout is None or not self.is_laid_out:
            self._layout = Layout(self.frame.width, breaks=self.frame.breaks, pieces=self.pieces)
            self.frame.touched.add(self)
        return self._layout

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = "".join([piece.text for piece in self.pieces])
        return self._text

    @property
    def height(self) -> int:
        """After a final line break there is a line with nothing on it, which is the next one's."""
        if self._layout is not None and self.is_laid_out:
            lines = self._layout.lines
            rows = len(lines) - (not lines[-1].runs)
        else:
            rows = self._estimate()
        return rows or int(not self.start)

    def add(self, piece: Piece) -> None:
        self._text = self._paragraphs = None
        self.frame.touched.add(self)
        if self._layout is None or not self.is_laid_out:
            self.pieces.append(piece)
        else:
            self._layout.add(piece)

    def change(self, number: int, **fields: Any) -> None:
        """Replace fields of piece `number` of the block."""
        self._text = self._paragraphs = None
        self.frame.touched.add(self)
        number -= self.start
        if self._layout is not None and self.is_laid_out:
            self._layout.change(number, **fields)
        else:
            self.pieces[number] = self.pieces[number]._replace(**fields)

    def ends_before(self, text: str) -> bool:
        """Whether a piece with this text begins the next section."""
        count = len(self.pieces)
        if count < PIECES:
            return False
        before = self.pieces[-1]
        if before.shown is None and before.text.endswith("\n"):
            return True
        if count < LONG or not text:
            return False
        if text[0] == " " or count < 2 * LONG or not before.text:
            return text[0] == " "
        return not joins(graphemes(before.text)[-1], text[0])

    def begun(self, line: int) -> int:
        """The first piece of the block that begins on a line."""
        return self.start + self.layout.first_begun(line)

    def before(self, line: int) -> int:
        """Code points of the block's text before a line."""
        return self.origin + sum(
            [len(run.source) for above in self.layout.lines[:line] for run in above.runs]
        )

    def column(self, line: int, number: int) -> int:
        """The cell of a line in which piece `number` of the block begins; the first, if not."""
        cells = 0
        for run in self.layout.lines[line].runs:
            if run.piece == number - self.start:
                return cells
            cells += run.cells
        return 0

    def lines_of(self, number: int) -> Iterator[Line]:
        """The lines on which piece `number` of the block stands."""
        number -= self.start
        lines = self.layout.lines
        for at in range(self.layout.line_of(number), len(lines)):
            if lines[at].first > number:
                break
            yield lines[at]

    def _estimate(self) -> int:
        if self._paragraphs is None:
            drawn = "".join([p.text if p.shown is None else p.shown for p in self.pieces])
            self._paragraphs = [
                len(part) if part.isascii() else cell_len(part) for part in drawn.split("\n")
            ]
        *most, last = self._paragraphs
        room = max(1.0, self.frame.width * FILL)
        return max(1, sum(ceil(cells / room) or 1 for cells in most) + ceil(last / room))
