"""Side by side: two branches in two columns, a common cursor, the first difference marked."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from entropix_mlx.records.tree import Tree
from entropix_tui.conversation.comparison import Comparing, Difference, Side
from entropix_tui.engine.outputs import Failed, TurnRecord
from entropix_tui.keys.keymap import Task
from entropix_tui.tokens.labels import fit
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.choices import Choices
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.strips.side_by_side import NAMES, Course, Head, PairFigures
from entropix_tui.widgets.text.token_view import TokenView

INTERVAL = 0.1
"""Seconds between two drawings of what grows: two columns cost twice as much as one."""


class Column(TokenView):
    """One side's tokens, which are only looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.pair(-1)", "previous pair", show=False, id="compare.previous_pair"),
        Binding("right", "screen.pair(1)", "next pair", show=False, id="compare.next_pair"),
        Binding("home", "screen.edge(0)", "first pair", show=False, id="compare.first_pair"),
        Binding("end", "screen.edge(-1)", "last pair", show=False, id="compare.last_pair"),
        Binding("v", "move('valley', 1)", "next valley", show=False, id="tokens.next_valley"),
        Binding("f", "move('doubt', 1)", "next doubt", show=False, id="tokens.next_doubt"),
        Binding("c", "colour(1)", "colour", show=False, id="tokens.next_colour"),
    ]
    asks = frozenset()

    def point(self, ref: TokenRef | None, near: TokenRef | None) -> None:
        """The cursor to a token; without one, no cursor but the text near another in view."""
        if ref is not None and self.move_to(ref):
            return
        self.move_cursor(None)
        place = None if near is None else self.transcript.place_of(near)
        if place is not None:
            self.follow = False
            self.show_row(self.transcript.row_of_place(place))


WIDE = 120
"""Cells from which on the list of differences says what it measures in words."""


class Differences(Choices[Difference]):
    """What differs, and what that did to the tokens that stayed."""

    NOTHING = "No difference."

    def line(self, item: Difference, width: int) -> Text:
        note = self.look("note")
        wide = width >= WIDE
        room = max(6, (width - (78 if wide else 58)) // 2)
        text = Text("≠ ", end="")
        old = fit(item.old or "(nothing)", room)
        text.append(old.rstrip(), note if not item.old else "strike")
        text.append(" " * (len(old) - len(old.rstrip())))
        text.append(" → ").append(fit(item.new or "(nothing)", room), "" if item.new else note)
        if not item.stay:
            return text.append("  then nothing is the same", note)
        text.append(f"  then {item.stay:>4} same:", note)
        means = (
            ("mean entropy" if wide else "H", item.entropy),
            ("surprisal" if wide else "S", item.surprisal),
        )
        for name, value in means:
            text.append(f" {name} ", note).append("    -" if value is None else f"{value:+z5.2f}")
        if item.most is not None:
            text.append(", of one " if wide else ", one S ", note)
            text.append(f"{item.most[1]:+z5.1f}").append(" bits", note)
        return text

    def words(self, item: Difference) -> str:
        return item.old + item.new


_KEEP = Binding.Group("keep A/B", compact=True)


class Compare(Screen[int | None]):
    """Gives back the leaf of the branch to go on with, or None.

    `take` is given the records of the branch that is being made, as they come. `b` may be growing.
    """

    BINDING_GROUP_TITLE = "Side by side"
    AUTO_FOCUS = "#b"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "difference(1)", "Next ≠", id="compare.next", tooltip="Next difference"),
        Binding("p", "difference(-1)", "Previous ≠", id="compare.previous",
                tooltip="Previous difference"),
        Binding("d", "parting", "First ≠", id="compare.parting", tooltip="Where they part"),
        Binding("i", "list", "List", id="compare.list", tooltip="The list of differences"),
        Binding("1", "keep(0)", "Keep A", id="compare.keep_a", group=_KEEP,
                tooltip="Go on with the left one"),
        Binding("2", "keep(1)", "Keep B", id="compare.keep_b", group=_KEEP,
                tooltip="Go on with the right one"),
        Binding("escape", "close", "Close", id="compare.close"),
        Binding("f1", "app.help", "Help", id="compare.help", tooltip="What can be done here"),
    ]  # fmt: skip
    TASKS: ClassVar[list[Task]] = [
        Task(
            "Go to the next difference, or to the one before", ("compare.next", "compare.previous")
        ),
        Task("Go to where they part", ("compare.parting",)),
        Task("List the differences", ("compare.list",)),
        Task("Go on with the left one, or the right one", ("compare.keep_a", "compare.keep_b")),
        Task("Back, with the conversation as it was", ("compare.close",)),
    ]
    """What the help says first."""
    DEFAULT_CSS = """
    Compare {
        layout: vertical; overflow: hidden;
        #title { height: 1; padding: 0 1; text-style: bold; }
        #columns { height: 1fr; }
        #columns > Vertical { width: 1fr; }
        #columns > #right { border-left: solid $border-blurred; }
        Column { height: 1fr; }
        Differences { display: none; height: 4; border-top: solid $border-blurred; }
        &.-high Differences { height: 9; }
        &.-listing Differences { display: block; }
    }
    """

    def __init__(self, tree: Tree, a: Side, b: Side) -> None:
        super().__init__()
        self.comparing = Comparing(tree, a, b)
        self.row: int | None = None
        self._tracks = b.growing or a.growing  # the newest pair, until the user moves
        self.behind = False
        """Whether there is something to draw that has come."""
        self._listed = False  # whether the list has been shown, by the user or of itself
        self._marked: tuple[TokenRef | None, TokenRef | None] | None = None

    def compose(self) -> ComposeResult:
        a, b = self.comparing.ways
        yield Static(self._title(), id="title", markup=False)
        with Horizontal(id="columns"):
            for side, (way, other) in enumerate(((a, b), (b, a))):
                with Vertical(id=("left", "right")[side]):
                    yield Head(NAMES[side], way, other)
                    yield Column(way.transcript, id=("a", "b")[side])
                    yield Course(self.comparing, side)
        yield Differences(id="differences")
        yield PairFigures(self.comparing)
        yield KeyBar()

    def on_mount(self) -> None:
        self.columns = tuple(self.query(Column))
        self.courses = tuple(self.query(Course))
        self.heads = tuple(self.query(Head))
        self.figures = self.query_one(PairFigures)
        self.list = self.query_one(Differences)
        self.call_after_refresh(self._first_look)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to keep once it is begun, to go to once there is a difference."""
        match action, parameters:
            case "keep", (int(side),):
                return self.comparing.ways[side].is_begun
            case "difference" | "parting" | "list", _:
                return self.comparing.apart is not None
        return True

    def _first_look(self) -> None:
        self._show_changes()
        if not self._tracks:
            self.action_parting()

    def _title(self) -> str:
        earlier = self.comparing.earlier
        return "Side by side" + (", from the turn on in which they part" if earlier else "")

    # What is being made.

    def take(self, record: TurnRecord | Failed) -> None:
        """One more record of the branch that is being made; others are ignored."""
        if self.comparing.take(record) and not self.behind:
            self.behind = True
            self.set_timer(INTERVAL, self._grown)

    def _grown(self) -> None:
        self.behind = False
        if not self.is_mounted:
            return
        ended = not self.comparing.is_growing
        self.comparing.refresh(soon=not ended)
        self._show_changes()
        if self._tracks and ended:
            self._tracks = False
            self.action_parting()
        elif self._tracks and (newest := self.comparing.newest) is not None:
            self._go(newest)

    def _show_changes(self) -> None:
        """Draw what has come: text, figures, differences."""
        comparing = self.comparing
        self.refresh_bindings()
        if comparing.apart != self._marked:
            self._marked = comparing.apart
            refs = comparing.apart or (None, None)
            for column, ref in zip(self.columns, refs, strict=True):
                column.mark_divergence(ref)
            if comparing.is_counterfactual and not self._listed:
                self._show_list(True)
        for column in self.columns:
            column.update()
        if self.list.display:
            self._fill_list()
        for widget in (*self.heads, *self.courses, self.figures):
            widget.refresh()

    # The common cursor.

    def _go(self, row: int) -> None:
        """Put the cursor on a pair, in both columns."""
        rows = self.comparing.rows
        if not rows:
            return
        row = max(0, min(row, len(rows) - 1))
        self.row = self.figures.row = row
        for side, (column, ref) in enumerate(zip(self.columns, rows[row][:2], strict=True)):
            if ref is None or column.ref != ref:
                column.point(ref, self._near(row, side))
        for course in self.courses:
            course.row = row
            course.refresh()
        self.figures.refresh()

    def _near(self, row: int, side: int) -> TokenRef | None:
        """The nearest token before a row that has none on a side."""
        for at in range(row, -1, -1):
            ref = self.comparing.rows[at][:2][side]
            if ref is not None:
                return ref
        return None

    def on_token_view_cursor_moved(self, event: TokenView.CursorMoved) -> None:
        """A column's own motions, and the mouse: the other column follows.

        What arrives when the column has moved on is old: to follow it would chase it for ever.
        """
        event.stop()
        is_old = event.ref not in [column.ref for column in self.columns]
        row = None if event.ref is None or is_old else self.comparing.row_of(event.ref)
        if row is not None and row != self.row:
            self._tracks = False
            self._go(row)

    def on_course_chosen(self, event: Course.Chosen) -> None:
        self._tracks = False
        self._go(event.row)

    def action_pair(self, step: int) -> None:
        self._tracks = False
        self._go((self.row or 0) + step)

    def action_edge(self, row: int) -> None:
        """The first pair, or the last one, which is followed while it is being made."""
        self._tracks = row < 0 and self.comparing.is_growing
        newest = self.comparing.newest if self._tracks else None
        self._go(row % max(1, len(self.comparing.rows)) if newest is None else newest)

    def action_parting(self) -> None:
        self._tracks = False
        parting = self.comparing.parting
        self._go(len(self.comparing.rows) - 1 if parting is None else parting)

    def action_difference(self, step: int) -> None:
        """The next (1) or previous (-1) difference."""
        starts = [found.start for found in self.comparing.differences()]
        at = -1 if self.row is None else self.row
        further = [row for row in starts if (row > at if step > 0 else row < at)]
        if not further:
            self.app.bell()
            return
        self._tracks = False
        self._go(further[0] if step > 0 else further[-1])

    # The list of differences.

    def action_list(self) -> None:
        self._show_list(not self.list.display)

    def _show_list(self, shown: bool) -> None:
        self._listed = True
        self.set_class(shown, "-listing")
        if shown:
            self._fill_list()
        elif self.focused is self.list:
            self.columns[1].focus()

    def _fill_list(self) -> None:
        before = self.list.current
        self.list.fill(
            self.comparing.differences(),
            at=lambda found: before is not None and found.start == before.start,
        )

    def on_choices_moved(self) -> None:
        """In the list: the text follows."""
        item = self.list.current
        if item is not None and self.focused is self.list:
            self._tracks = False
            self._go(item.start)

    def on_rows_taken(self) -> None:
        self.columns[1].focus()

    # Around it.

    def on_descendant_focus(self) -> None:
        for head, column in zip(self.heads, self.columns, strict=True):
            if head.active != column.has_focus:
                head.active = column.has_focus
                head.refresh()

    def action_keep(self, side: int) -> None:
        """Go on with a branch; one that is being made goes on being made."""
        self.dismiss(self.comparing.ways[side].leaf)

    def action_close(self) -> None:
        if self._listed and self.focused is self.list:
            self.columns[1].focus()
        else:
            self.dismiss(None)
