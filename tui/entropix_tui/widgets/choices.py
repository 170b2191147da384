"""A list to choose from, and a field of one line that sifts it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from entropix_tui.widgets.rows import Rows
from entropix_tui.widgets.text_editor import harmless

Item = TypeVar("Item")

CURRENT = "●"
"""The sign of what is in use at present."""


class Choices(Rows[Item], Generic[Item]):
    """Items, one a row, those that have the words of the filter; `▸` stands before the cursor's.

    Subclasses draw an item (`line`), and say by which words it is found. Nothing they draw may
    hold control characters.
    """

    NOTHING: ClassVar[str] = "There is nothing here."

    @dataclass
    class Moved(Message):
        """The cursor is on another item."""

    items: Sequence[Item] = ()
    wanted = ""
    note: str | None = None
    """What is said in place of a list without items; None: `NOTHING`."""

    def line(self, item: Item, width: int) -> Text:
        raise NotImplementedError

    def words(self, item: Item) -> str:
        raise NotImplementedError

    def fill(self, items: Iterable[Item], *, at: Callable[[Item], bool] | None = None) -> None:
        """Other items; the cursor goes to the first one of which `at` is true."""
        self.items = list(items)
        self._sift(at)

    def filter(self, wanted: str) -> None:
        """Show the items that have all these words, in any case."""
        before = self.current
        self.wanted = wanted
        self._sift(lambda item: item is before)

    def _sift(self, at: Callable[[Item], bool] | None) -> None:
        words = self.wanted.casefold().split()
        self.listed = [
            item
            for item in self.items
            if all(word in self.words(item).casefold() for word in words)
        ]
        rows = (row for row, item in enumerate(self.listed) if at is not None and at(item))
        self.changed(row=next(rows, 0 if at is not None else None))
        self.post_message(self.Moved())

    def go(self, row: int) -> None:
        super().go(row)
        self.post_message(self.Moved())

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        text = Text("▸ " if row == self.row else "  ", end="")
        text.append_text(self.line(self.listed[row], width - 2))
        return [
            Segment(segment.text, base + (segment.style or Style.null()))
            for segment in text.render(self.app.console)
        ]

    def nothing(self) -> str:
        return f"  {'Nothing here has these words.' if self.items else self.note or self.NOTHING}"


class Words(Input):
    """A field of one line beside a list; up and down move in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "beside(-1)", "Up", show=False, id="choosing.up"),
        Binding("down", "beside(1)", "Down", show=False, id="choosing.down"),
    ]
    DEFAULT_CSS = """
    Words { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
    Words:focus { border: none; }
    """

    @dataclass
    class Beside(Message):
        """So many rows up or down in the list."""

        step: int

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(value, placeholder=placeholder, select_on_focus=False, id=id)

    def validate_value(self, value: str) -> str:
        """Nothing that steers a terminal, whether it was pasted or is a name from a file."""
        return " ".join(harmless(value).splitlines())

    def action_beside(self, step: int) -> None:
        self.post_message(self.Beside(step))
