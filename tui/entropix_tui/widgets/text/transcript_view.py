"""A transcript on screen: a line at a time, drawn once, at a cost that length does not change."""

from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from entropix_tui.transcript.layout import Line
from entropix_tui.transcript.painter import Painter
from entropix_tui.transcript.search import Finder
from entropix_tui.transcript.selection import highlighted, selected
from entropix_tui.transcript.transcript import Place, Transcript
from entropix_tui.widgets.styled import Styled


class TranscriptView(ScrollView, Styled, can_focus=True):
    """Shows a transcript; follows its end unless the reader has scrolled away from it.

    Only what is on screen is ever laid out. What is being read stays where it is while heights
    above it become known. Model text goes into segments as laid out by `layout`; no markup
    parser ever sees it.
    """

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    TranscriptView {
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        &:focus { scrollbar-color: $primary; scrollbar-background: $border-blurred; }
    }
    """

    def __init__(self, transcript: Transcript, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.transcript = transcript
        self.finder = Finder(transcript)
        self.painter = Painter(transcript, self.finder)
        self.follow = True
        self._top = Place(0, 0)  # what stands on the first row, and how many rows further down
        self._below = 0
        self._placing = False
        self._restyled = True
        self._shown: dict[int, Line | None] = {}  # what was last drawn on each row of the screen

    def on_mount(self) -> None:
        self.painter.colours = self.colours
        self.painter.letters = self.colours == "none"

    def update(self) -> None:
        """Show what the transcript has become; draws what has changed."""
        self.transcript.settle()
        if self.finder.extend():
            self.redraw()
        self._bring(None if self.follow else self._row_of_top())
        self._refresh_changed()

    def redraw(self) -> None:
        """Draw everything on screen anew."""
        self._restyled = True
        self.refresh()

    def lay_out(self, *, breaks: bool | None = None) -> None:
        """Wrap to the present width, and keep what is being read where it is."""
        width = self.scrollable_content_region.width
        room = width - self.painter.gutter - 1  # the cell beside the scroll bar stays empty
        if room <= 0:
            return
        self.painter.width = width
        top, end = self._top, self.follow
        if self.transcript.resize(room, breaks=breaks):
            known = top.block < len(self.transcript.blocks)
            self._bring(None if end else self.transcript.row_of_place(top) if known else 0)
        else:
            self._bring(None if end else self._row_of_top())
        self.redraw()

    # Scrolling.

    def show_row(self, y: int) -> None:
        """Scroll to have a row in view, in the middle if it was not."""
        top, rows = self._row_of_top(), self.size.height
        self._bring(top if top <= y < top + rows else max(0, y - rows // 2))

    def _row_of_top(self) -> int:
        """Where the first row on screen stands now."""
        if self._top.block >= len(self.transcript.blocks):
            return 0
        return self.transcript.row_of_place(self._top) + self._below

    def _bring(self, y: int | None) -> None:
        """Scroll to row `y` (None: to the end), with all that is then on screen laid out."""
        transcript, rows = self.transcript, self.size.height
        if y is None:
            y = transcript.reach_end(rows)
        else:
            last = max(0, transcript.height - rows)
            y = transcript.reach(min(y, last), rows)
        size = Size(self.scrollable_content_region.width, transcript.height)
        self._placing = True
        try:
            if size != self.virtual_size:
                # Setting it would lay out the whole screen anew, for each new row.
                self.set_reactive(ScrollView.virtual_size, size)
                self._scroll_update(size)
            if y != self.scroll_y:
                self.scroll_to(y=y, animate=False)
        finally:
            self._placing = False
        self._remember()

    def _remember(self) -> None:
        """Take note of what stands on the first row."""
        y = self.scroll_offset.y
        self._top = self.transcript.place_of_row(y) or Place(0, 0)
        self._below = y - self.transcript.row_of_place(self._top) if self.transcript.height else 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._placing:
            return
        if new_value >= self.max_scroll_y:
            self.follow = True
            self._bring(None)
            return
        y, height = round(new_value), self.transcript.height
        reached = self.transcript.reach(y, self.size.height)
        if (reached, self.transcript.height) != (y, height):
            # An animation would go on to where its aim was.
            moving = self.app.animator.is_being_animated(self, "scroll_y")
            self._bring(reached + (round(self.scroll_target_y) - y if moving else 0))
        else:
            self._remember()
        self.follow = self.scroll_y >= self.max_scroll_y

    def on_resize(self, _event: events.Resize) -> None:
        self.lay_out()

    # Drawing.

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Strips from the painter, which draws each row once.

        The general way would draw every row anew whenever the text scrolls.
        """
        painter = self.painter
        if self._restyled:
            self._restyled = False
            painter.base, painter.dark, painter.split = self.rich_style, self.dark, self.split
            painter.renew()
        top, selection = self.scroll_offset.y, self.text_selection
        background, filters = self.background_colors[1], self.get_line_filters()
        chosen = self.screen.get_component_rich_style("screen--selection") if selection else None
        blank = Strip.blank(painter.width, painter.base)
        strips: list[Strip] = []
        for y, row in enumerate(self.transcript.rows(top + crop.y, crop.height), top + crop.y):
            self._shown[y - top] = None if row is None else row.line
            strip = blank
            if row is not None:
                strip = painter.strip(row)
                if selection and chosen and (span := selection.get_span(y)) is not None:
                    strip = highlighted(strip, *span, chosen)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip)
        if crop.x or crop.right < painter.width:
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """A row that tells where in the text it stands, which selecting with the mouse asks for."""
        (strip,) = self.render_lines(Region(0, y, self.size.width, 1))
        return strip.apply_offsets(0, self.scroll_offset.y + y)

    def _refresh_changed(self) -> None:
        """Draw the rows on screen that are not drawn as they are now."""
        changed = []
        for y, row in enumerate(self.transcript.rows(self.scroll_offset.y, self.size.height)):
            line = None if row is None else row.line
            stale = row is not None and line is not None and not self.painter.is_drawn(row)
            if stale or self._shown.get(y, ...) is not line:
                changed.append(y)
        if changed:
            first = changed[0]
            self.refresh(Region(0, first, self.size.width, changed[-1] + 1 - first))

    # Selecting with the mouse.

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selected(self.transcript, selection, self.painter.gutter), "\n"
