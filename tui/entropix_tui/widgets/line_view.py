"""What draws its lines itself, and does not lay out the screen anew for each that it gains."""

from typing import ClassVar

from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from entropix_tui.widgets.styled import Styled


class LineView(ScrollView, Styled):
    """A view whose lines become more or fewer while everything stays where it is.

    With a height of `auto` it grows to the most lines that it has had, and keeps that: from token
    to token nothing jumps. `columns` and `base` hold while lines are drawn.
    """

    KEEPS_ROOM: ClassVar[bool] = False
    """Whether it can be scrolled as far as the longest of its contents so far at this width: a
    scroll bar that changes costs more than what it stands beside.
    """

    DEFAULT_CSS = """
    LineView {
        overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1;
        &:focus { scrollbar-color: $primary; scrollbar-background: $border-blurred; }
    }
    """

    columns = 0
    """Cells of a line."""
    base = Style.null()
    _most = 0

    @property
    def room(self) -> int:
        """Cells that a line has: the one beside a scroll bar stays empty."""
        return max(0, self.scrollable_content_region.width - self.show_vertical_scrollbar)

    def measure(self, lines: int, columns: int | None = None) -> None:
        """Take in how many lines there are, and how wide, by default as what is seen of them."""
        if columns is None:
            columns = self.room
        before = self.virtual_size
        room = max(lines, before.height) if self.KEEPS_ROOM and columns == before.width else lines
        size = Size(columns, room)
        if size != before:
            # Setting it as such would lay out the whole screen.
            self.set_reactive(ScrollView.virtual_size, size)
            seen = self.container_size.height
            if size.width != before.width or max(room, before.height) > seen:
                self._scroll_update(size)  # draws the scroll bar anew, even an empty one
        if lines > self._most:
            self._most = lines
            if self.styles.auto_dimensions:
                self.refresh(layout=True)

    def on_focus(self) -> None:
        self.refresh()

    on_blur = on_focus

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return self._most

    def render_lines(self, crop: Region) -> list[Strip]:
        # Once for all lines: these are looked up along the tree of widgets.
        self.columns, self.base = self.room, self.rich_style
        return super().render_lines(crop)
