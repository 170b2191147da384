"""How a row of the transcript is drawn: segments in the style of what each token was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from entropix_mlx.records.quadrants import Quadrant, QuadrantSplit, word
from entropix_mlx.sampling.rules import STRATEGY_OF
from entropix_tui.look import color_scale, styles
from entropix_tui.transcript.blocks import Block, Kind
from entropix_tui.transcript.layout import Run
from entropix_tui.transcript.search import Finder
from entropix_tui.transcript.transcript import Place, Row, Transcript

BARS: dict[Kind, str] = {"user": "▌ ", "system": "§ ", "answer": "  ", "note": "  ", "error": "✗ "}
HERE = "▸ "
"""Stands before the line that the cursor is on."""

LETTERED: tuple[Quadrant, ...] = ("HELV", "LEHV", "HEHV")
"""What has a letter in the gutter: all but what one is sure of."""

GUTTER = len(LETTERED) + 1


def letters(colour: color_scale.Colour, split: QuadrantSplit | None) -> dict[Quadrant, str]:
    """First letters of the strategies where these are coloured, else of the quadrants' words."""
    named = STRATEGY_OF if colour == "strategy" else {q: word(q, split) for q in LETTERED}
    return {quadrant: named[quadrant][0] for quadrant in LETTERED}


@dataclass
class Painter:
    """Draws rows, each once for as long as it and everything here stay as they are.

    Whoever changes a field calls `renew`, or `forget` if the change concerns one place.
    """

    transcript: Transcript
    finder: Finder
    colours: styles.Colours = "true"
    dark: bool = True
    colour: color_scale.Colour = "quadrant"
    split: QuadrantSplit | None = None
    letters: bool = False
    """Whether a gutter names what was met on each line."""
    width: int = 80
    base: Style = field(default_factory=Style.null)
    cursor: Place | None = None
    levels: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    """How strongly pieces are highlighted, by block and piece, from 1 to `styles.LEVELS`."""

    def __post_init__(self) -> None:
        self.renew()

    @property
    def gutter(self) -> int:
        """Cells left of the text."""
        return len(HERE) + (GUTTER if self.letters else 0)

    def renew(self) -> None:
        """Draw everything anew."""
        self._stamp = object()
        self._look = color_scale.looks(self.colour)
        self._lettered = letters(self.colour, self.split)

    def forget(self, place: Place | None) -> None:
        """Draw the lines of a piece anew."""
        if place is not None and place.block < len(self.transcript.blocks):
            for line in (
                self.transcript.blocks[place.block].section_of(place.piece).lines_of(place.piece)
            ):
                line.drawn = None

    def is_drawn(self, row: Row) -> bool:
        """Whether the row has been drawn as it is now."""
        drawn = row.line.drawn if row.line is not None else None
        return drawn is not None and drawn[0] is self._stamp

    def strip(self, row: Row) -> Strip:
        """A row, with a final line's width in cells."""
        line = row.line
        if line is None:
            return Strip.blank(self.width, self.base)
        if line.drawn is None or line.drawn[0] is not self._stamp:
            strip = Strip(self._segments(row)).simplify()
            line.drawn = (self._stamp, strip.crop_extend(0, self.width, self.base))
        drawn: Strip = line.drawn[1]
        return drawn

    def _segments(self, row: Row) -> list[Segment]:
        number, block, section, line, _ = row
        assert line is not None
        base, start, records = self.base, section.start, block.records
        kind = self.style(block.kind)
        looks = [self.look(block, start + run.piece) for run in line.runs]
        cursor = None
        if self.cursor is not None and self.cursor.block == number:
            cursor = self.cursor.piece - start
        here = cursor is not None and any(run.piece == cursor for run in line.runs)
        segments = [Segment(HERE if here else BARS[block.kind], base + kind)]
        if self.letters:
            segments.insert(0, Segment(self._letters(looks), base + self.style("note")))
        levels = self.levels.get(number, {}) if self.levels else {}
        found = self.finder.on(row) if self.finder.count else []
        origin = 0
        for run, look in zip(line.runs, looks, strict=True):
            if run.shown:
                # The space before a word is the word's token, but underlined or reversed it is
                # noise.
                bare = run.shown.isspace() and not section.pieces[run.piece].text.isspace()
                style = base + (kind if bare or look is None else self.style(look))
                if self.levels and self.colours == "none":
                    style = base  # the same cues now say something else
                if level := levels.get(start + run.piece, 0):
                    style += styles.highlight_style(level, self.colours, self.dark)
                under_cursor = run.piece == cursor and bool(records)
                if under_cursor:
                    style += styles.cursor_style(self.colours, self.dark)
                if found:
                    segments += self._marked(run, origin, found, style, under_cursor)
                else:
                    segments.append(Segment(run.shown, style))
            origin += len(run.source)
        return segments

    def look(self, block: Block, piece: int) -> str | None:
        """What a piece looks like; None: as its block."""
        return self._look(block.records[piece]) if block.records else None

    def style(self, look: str) -> Style:
        return styles.style(look, self.colours, self.dark)

    def _letters(self, looks: list[str | None]) -> str:
        """What was met on a line: the quadrants' letters, or the highest class."""
        classes = [look for look in looks if look in color_scale.CLASSES]
        if classes:
            return max(classes)[-1:].ljust(GUTTER)
        return "".join(x if q in looks else " " for q, x in self._lettered.items()) + " "

    def _marked(
        self,
        run: Run,
        origin: int,
        found: list[tuple[int, int, bool]],
        style: Style,
        under_cursor: bool,
    ) -> Iterator[Segment]:
        """A run with what was found in it; whole, where it is not drawn as it is spelt."""

        def marked(current: bool) -> Style:
            if under_cursor:
                return style + styles.MATCH_UNDER_CURSOR
            return style + styles.match_style(current, self.colours, self.dark)

        spelt = run.source == run.shown
        at = 0
        for begin, end, current in found:
            begin, end = max(at, begin - origin), min(len(run.source), end - origin)
            if begin >= end:
                continue
            if not spelt:
                yield Segment(run.shown, marked(current))
                return
            if begin > at:
                yield Segment(run.shown[at:begin], style)
            yield Segment(run.shown[begin:end], marked(current))
            at = end
        if at < len(run.shown):
            yield Segment(run.shown[at:], style)
