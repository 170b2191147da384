"""A list drawn a row at a time: however long, it costs what is seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip

from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.line_view import LineView

Listed = TypeVar("Listed")


class Bar(Segment):
    """Part of a row that keeps its colour, if there are any, under the cursor."""


class Rows(LineView, Generic[Listed], can_focus=True):
    """Rows under one heading that stays, with a cursor while focused.

    Subclasses draw one of what is `listed`; what they draw holds no control characters. A row is
    taken with Enter or a double click.
    """

    BINDING_GROUP_TITLE = "Lists"
    BINDINGS: ClassVar = [
        Binding("up", "move(-1)", "Up", show=False, id="rows.up"),
        Binding("down", "move(1)", "Down", show=False, id="rows.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="rows.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="rows.page_down"),
        Binding("home", "first", "First", show=False, id="rows.first"),
        Binding("end", "last", "Last", show=False, id="rows.last"),
        Binding("enter", "take", "Take", id="rows.take"),
    ]

    @dataclass
    class Taken(Message):
        """Row `row` of `rows` was chosen."""

        rows: "Rows[Any]"
        row: int

    listed: Sequence[Listed] = ()
    """What the rows are about, one each."""
    row = 0
    """The cursor's row; meaningless while there are none."""
    takes = True
    """Whether one of them can be taken."""
    always_marked = False
    """Whether the cursor is drawn without the focus, too."""
    _had_some = False  # rows, before they changed

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.listed)

    @property
    def current(self) -> Listed | None:
        """What the row under the cursor is about."""
        return self.listed[self.row] if 0 <= self.row < self.count else None

    def heading(self, width: int) -> str:  # noqa: ARG002
        """What stands above the rows; empty: nothing does, not even an empty row."""
        return ""

    def nothing(self) -> str:
        """What is said where there are no rows."""
        return ""

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        """One row in at most `width` cells."""
        raise NotImplementedError

    @property
    def top(self) -> int:
        """Lines that the heading takes."""
        return int(bool(self.heading(1_000)))

    def changed(self, *, row: int | None = None) -> None:
        """The rows are others now; `row` puts the cursor there."""
        if row is not None:
            self.row = row
        self.row = max(0, min(self.row, self.count - 1))
        self.measure(self.count + self.top)
        self.settle()
        self.refresh()
        if self._had_some != bool(self.count):
            self._had_some = not self._had_some
            self.refresh_bindings()

    def render_line(self, y: int) -> Strip:
        width, base = self.columns, self.base
        if y < self.top:
            heading = Segment(self.heading(width), base + self.look("note"))
            return Strip([heading]).crop_extend(0, width, base)
        row = self.row_at(y - self.top)
        if not self.count and not row:
            return Strip([Segment(fit(self.nothing(), width), base + self.look("note"))])
        if not 0 <= row < self.count:
            return Strip.blank(width, base)
        segments = self.draw(row, width, base)
        if row == self.row and (self.has_focus or self.always_marked):
            base += self.cursor_look
            keeps = Bar if self.colours != "none" else ()
            segments = [
                part if isinstance(part, keeps) else Segment(part.text, base) for part in segments
            ]
        return Strip(segments).crop_extend(0, width, base)

    def row_at(self, line: int) -> int:
        """The row that stands on a line below the heading."""
        return round(self.scroll_y) + line

    def settle(self) -> None:
        """Have in sight what is to be seen of rows that are new, or that have other room."""
        self._into_view()

    def on_resize(self, _event: events.Resize) -> None:
        self.measure(self.count + self.top)
        self.settle()

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y - self.top)
        if event.y < self.top or not 0 <= row < self.count:
            return
        self.go(row)
        if event.chain == 2:
            self.action_take()

    def action_move(self, step: int) -> None:
        self.go(self.row + step)

    def action_page(self, step: int) -> None:
        self.go(self.row + step * max(1, self.size.height - self.top - 1))

    def action_first(self) -> None:
        self.go(0)

    def action_last(self) -> None:
        self.go(self.count - 1)

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002
    ) -> bool | None:
        return action != "take" or self.takes

    def offer(self, action: str, does: str) -> str:
        return "" if action == "take" and not self.count else does

    def action_take(self) -> None:
        if self.takes and 0 <= self.row < self.count:
            self.post_message(self.Taken(self, self.row))

    def go(self, row: int) -> None:
        """Put the cursor on a row, or on the nearest there is."""
        self.row = max(0, min(row, self.count - 1))
        self._into_view()
        self.refresh()

    def _into_view(self) -> None:
        seen = self.size.height - self.top
        at = round(self.scroll_y)
        goal = max(self.row - seen + 1, min(at, self.row, max(0, self.count - seen)))
        if seen > 0 and goal != at:
            # Forced: rows that are new may not have their scroll bar yet.
            self.scroll_to(y=goal, animate=False, force=True)
