"""The transcript on screen: a line at a time, drawn once, at a cost that length does not change."""

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from entropix_tui import cues
from entropix_tui.transcript import Block, Place, Row, Transcript
from entropix_tui.wrapping import Line, Run

_BARS = {"user": "▌ ", "answer": "  ", "note": "  ", "error": "✗ "}
_LETTERS = tuple(cues.LETTERS)
TAIL = 6
"""Rows that a new token can change: its own, and those of an unfinished character before it."""


class TokenView(ScrollView, can_focus=True):
    """Shows a transcript; follows its end unless the reader has scrolled away from it.

    Model text goes into segments as laid out by `wrapping`; no markup parser ever sees it.
    """

    ALLOW_SELECT = True
    BINDINGS: ClassVar = [
        Binding("up", "scroll_up", "Scroll up", show=False),
        Binding("down", "scroll_down", "Scroll down", show=False),
        Binding("left", "cursor(-1)", "Token before", show=False),
        Binding("right", "cursor(1)", "Token after", show=False),
        Binding("home", "scroll_home", "To the top", show=False),
        Binding("end", "scroll_end", "To the end", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
    ]
    DEFAULT_CSS = """
    TokenView {
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        &:focus { scrollbar-color: $primary; scrollbar-background: $border-blurred; }
    }
    """

    @dataclass
    class CursorMoved(Message):
        """The token under the cursor, by place; None when there is no cursor."""

        place: Place | None

    def __init__(
        self, transcript: Transcript, colours: cues.Colours, *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.transcript = transcript
        self.colours = colours
        self.letters = colours == "none"
        """Whether a gutter names the quadrants met on each line."""
        self.plain = False
        """Whether tokens are drawn without their quadrant's colour."""
        self.follow = True
        self.cursor: Place | None = None
        self._laying_out = False

    # What has changed.

    def update(self, *, tail: bool = False) -> None:
        """Show what the transcript has become; `tail`: only its last rows have changed."""
        self.transcript.settle()
        height = self.transcript.height
        if tail and height == self.virtual_size.height:
            self.refresh_lines(height - TAIL, TAIL)
            return
        self.virtual_size = Size(self.scrollable_content_region.width, height)
        if self.follow:
            self.scroll_to(y=self.max_scroll_y, animate=False)
        self.refresh()

    def reset(self) -> None:
        """Show a transcript that was cleared."""
        self.cursor, self.follow = None, True
        self.update()

    def restyle(self, *, letters: bool | None = None, plain: bool | None = None) -> None:
        """Draw everything in other cues."""
        self.letters = self.letters if letters is None else letters
        self.plain = self.plain if plain is None else plain
        self._lay_out()
        self._forget()

    def show_breaks(self, breaks: bool) -> None:
        self._lay_out(breaks=breaks)

    def move_cursor(self, place: Place | None) -> None:
        """Put the cursor on a token, in view, or take it away."""
        for touched in (self.cursor, place):
            if touched is not None and touched.block < len(self.transcript.blocks):
                self._forget_piece(touched)
        self.cursor = place
        if place is not None:
            row = self.transcript.row_of_place(place)
            if not self.scroll_offset.y <= row < self.scroll_offset.y + self.size.height:
                self.scroll_to(y=row - self.size.height // 2, animate=False)
        self.refresh()
        self.post_message(self.CursorMoved(place))

    def action_cursor(self, step: int) -> None:
        place = self.transcript.next_token(self.cursor, step)
        if place is not None:
            self.move_cursor(place)

    # Scrolling and size.

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._laying_out:
            self.follow = new_value >= self.max_scroll_y

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget()

    def on_click(self, event: events.Click) -> None:
        x, y = event.x - self._gutter, event.y + self.scroll_offset.y
        place = self.transcript.place_at(x, y) if x >= 0 else None
        if place is not None:
            self.move_cursor(place)

    @property
    def _gutter(self) -> int:
        """Cells left of the text."""
        return 2 + (len(_LETTERS) + 1 if self.letters else 0)

    def _lay_out(self, breaks: bool | None = None) -> None:
        """Wrap to the present width, and keep what is being read where it is."""
        width = self.scrollable_content_region.width - self._gutter
        if width <= 0:
            return
        at = None if self.follow else self.transcript.place_of_row(self.scroll_offset.y)
        self.transcript.resize(width, breaks=breaks)
        self._laying_out = True
        try:
            self.virtual_size = Size(self.scrollable_content_region.width, self.transcript.height)
            row = self.max_scroll_y if at is None else self.transcript.row_of_place(at)
            self.scroll_to(y=row, animate=False)
        finally:
            self._laying_out = False
        self.refresh()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        width, base = self.scrollable_content_region.width, self.rich_style
        top = self.scroll_offset.y + y
        row = self.transcript.row(top)
        if row is None or row.line is None:
            return Strip.blank(width, base)
        line = row.line
        key = (self.letters, self.plain, width)
        if line.drawn is None or line.drawn[0] != key:
            strip = Strip(self._segments(row, base)).simplify().crop_extend(0, width, base)
            line.drawn = (key, strip)
        strip = line.drawn[1]
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(top)) is not None:
            strip = self._select(strip, *span)
        return strip.apply_offsets(0, top)

    def _segments(self, row: Row, base: Style) -> list[Segment]:
        block, line = row.block, row.line
        assert line is not None
        look = self._style(block.kind)
        cursor = self._cursor_piece(block)
        here = cursor is not None and any(run.piece == cursor for run in line.runs)
        segments = [Segment("▸ " if here else _BARS[block.kind], base + look)]
        if self.letters:
            met = {block.looks[run.piece] for run in line.runs}
            letters = "".join(cues.LETTERS[q] if q in met else " " for q in _LETTERS)
            segments.insert(0, Segment(letters + " ", base + self._style("note")))
        for run in line.runs:
            if not run.shown:
                continue
            # The space before a word is the word's token, but underlined or reversed it is noise.
            spacing = run.shown.isspace() and not block.layout.pieces[run.piece].text.isspace()
            style = look if self.plain or spacing else self._style(block.looks[run.piece])
            style = base + style
            if run.piece == cursor:
                style += self._cursor_style(style)
            segments.append(Segment(run.shown, style))
        return segments

    def _style(self, look: str) -> Style:
        return cues.style(look, self.colours, self.app.current_theme.dark)

    def _cursor_piece(self, block: Block) -> int | None:
        cursor = self.cursor
        if cursor is None or self.transcript.blocks[cursor.block] is not block:
            return None
        return cursor.piece

    def _cursor_style(self, under: Style) -> Style:
        if self.colours == "none":  # show on a token that is drawn reversed, too
            return Style(reverse=not under.reverse, bold=True, underline2=True)
        return cues.cursor_style(self.colours, self.app.current_theme.dark)

    def _forget(self) -> None:
        for block in self.transcript.blocks:
            for line in block.layout.lines:
                line.drawn = None
        self.refresh()

    def _forget_piece(self, place: Place) -> None:
        layout = self.transcript.blocks[place.block].layout
        for line in layout.lines[layout.line_of(place.piece) :]:
            if line.first > place.piece:
                break
            line.drawn = None

    # Selecting with the mouse.

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as the model gave it: wrapped lines joined, nothing of the gutter."""
        last = self.transcript.height - 1 if selection.end is None else selection.end.y
        parts: list[str] = []
        for y in range(0 if selection.start is None else selection.start.y, last + 1):
            row, span = self.transcript.row(y), selection.get_span(y)
            if row is None or span is None:
                continue
            start, end = (max(0, x - self._gutter) if x >= 0 else x for x in span)
            if row.line is not None:
                parts.append(
                    "".join(_covered(run, a, b) for run, a, b in _spans(row.line, start, end))
                )
            if row.line is None or row.line is row.block.layout.lines[-1]:
                parts.append("\n")
        return "".join(parts).removesuffix("\n"), "\n"

    def _select(self, strip: Strip, start: int, end: int) -> Strip:
        """Highlight code points `start` to `end` (-1: all the rest) of what is drawn."""
        style = self.screen.get_component_rich_style("screen--selection")
        segments: list[Segment] = []
        for text, under, _ in strip:
            stop = len(text) if end < 0 else max(0, min(end, len(text)))
            begin = min(max(0, start), stop)
            for part, chosen in ((text[:begin], 0), (text[begin:stop], 1), (text[stop:], 0)):
                if part:
                    segments.append(
                        Segment(part, (under or Style.null()) + style if chosen else under)
                    )
            start -= len(text)
            end = end if end < 0 else max(0, end - len(text))
        return Strip(segments)


def _spans(line: Line, start: int, end: int) -> list[tuple[Run, int, int]]:
    """The runs of a line with the part of each that code points `start` to `end` cover."""
    spans = []
    for run in line.runs:
        length = len(run.shown)
        a, b = max(0, start), length if end < 0 else min(end, length)
        if a < b or (not run.shown and start <= 0 and end):
            spans.append((run, a, b))
        start -= length
        end = end if end < 0 else max(0, end - length)
    return spans


def _covered(run: Run, start: int, end: int) -> str:
    """The source of a part of a run; all of it where it is not drawn as it is spelt."""
    return run.source[start:end] if run.source == run.shown else run.source
