"""The base of every screen on which one thing is chosen from a list."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Label, Static

from entropix_mlx.glyphs import one_line
from entropix_tui import cues
from entropix_tui.labels import fit
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.prompt import harmless
from entropix_tui.widgets.rows import Rows

Item = TypeVar("Item")
Answer = TypeVar("Answer")

CURRENT = "●"
"""The sign of what is in use at present."""


class Choices(Rows, Generic[Item]):
    """Items, one a row, those that have the words of the filter; `▸` stands before the cursor's.

    Subclasses draw an item (`line`), and say by which words it is found. Nothing they draw may
    hold control characters.
    """

    NOTHING: ClassVar[str] = "There is nothing here."

    @dataclass
    class Moved(Message):
        """The cursor is on another item."""

    def __init__(self, colours: cues.Colours, *, id: str | None = None) -> None:
        super().__init__(colours, id=id)
        self.items: list[Item] = []
        self.shown: list[Item] = []
        self.wanted = ""
        self.note = self.NOTHING
        """What is said in place of a list without items."""

    def line(self, item: Item, width: int) -> Text:
        raise NotImplementedError

    def words(self, item: Item) -> str:
        raise NotImplementedError

    def heading(self, width: int) -> str:  # noqa: ARG002
        return ""

    @property
    def count(self) -> int:
        return len(self.shown)

    @property
    def current(self) -> Item | None:
        """The item under the cursor."""
        return self.shown[self.row] if 0 <= self.row < len(self.shown) else None

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
        self.shown = [
            item
            for item in self.items
            if all(word in self.words(item).casefold() for word in words)
        ]
        rows = (row for row, item in enumerate(self.shown) if at is not None and at(item))
        self.changed(row=next(rows, 0 if at is not None else None))
        self.post_message(self.Moved())

    def go(self, row: int) -> None:
        super().go(row)
        self.post_message(self.Moved())

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        text = Text("▸ " if row == self.row else "  ", end="")
        text.append_text(self.line(self.shown[row], width - 2))
        return [
            Segment(segment.text, base + (segment.style or Style.null()))
            for segment in text.render(self.app.console)
        ]

    def render_line(self, y: int) -> Strip:
        if self.count or y != self.top:
            return super().render_line(y)
        width, base = self.scrollable_content_region.width, self.rich_style
        note = "Nothing here has these words." if self.items else self.note
        return Strip([Segment(fit(f"  {note}", width), base + self.look("note"))])


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


class Choosing(ModalScreen[Answer], Generic[Item, Answer]):
    """A list in a box, a filter above it, what is known of the item under the cursor below it.

    Subclasses say what the box is called, which list it holds, what is known (`about`) and what
    becomes of an item that is taken (`take`).
    """

    HEADING: ClassVar[str] = ""
    ABOUT: ClassVar[int] = 3
    """Rows for what is known of an item."""
    AUTO_FOCUS = "Choices"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="choosing.filter", tooltip="Show what has words"),
        Binding(
            "escape", "leave", "Close", id="choosing.close", tooltip="Back to the list, or close"
        ),
    ]
    DEFAULT_CSS = """
    Choosing {
        align: center middle;
        & > Vertical {
            width: 112; max-width: 100%; height: 34; max-height: 100%;
            border: round $border; background: $surface;
        }
        Choices { height: 1fr; background: $surface; }
        Horizontal { height: 1; }
        Horizontal Label { padding: 0 1; }
        #about { padding: 0 1; border-top: solid $border-blurred; }
        #ask { display: none; }
    }
    """

    def __init__(self, choices: Choices[Item], colours: cues.Colours) -> None:
        super().__init__()
        self.choices = choices
        self.colours = colours
        self._answer: Callable[[str], None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Text(self.HEADING)
            with Horizontal(id="filter"):
                yield Label("Filter", markup=False)
                yield Words(placeholder="/ and some words", id="wanted")
            yield self.choices
            yield from self.more()
            with Horizontal(id="ask"):
                yield Label("", id="asked", markup=False)
                yield Words(id="answer")
            about = Static(id="about")
            about.styles.height = self.ABOUT + 1
            yield about
            yield KeyBar()

    def more(self) -> ComposeResult:
        """What else stands between the list and what is known of an item."""
        yield from ()

    def about(self, item: Item) -> Text:
        raise NotImplementedError

    def take(self, item: Item) -> None:
        raise NotImplementedError

    def say(self, words: str, *, look: str = "note") -> None:
        """A message in the place of what is known of the item, until the cursor moves."""
        style = cues.style(look, self.colours, self.app.current_theme.dark)
        self.query_one("#about", Static).update(Text(one_line(words), style))

    # The list.

    def on_choices_moved(self) -> None:
        item = self.choices.current
        self.query_one("#about", Static).update(Text() if item is None else self.about(item))

    def on_rows_taken(self, event: Rows.Taken) -> None:
        event.stop()
        if (item := self.choices.current) is not None:
            self.take(item)

    def on_words_beside(self, event: Words.Beside) -> None:
        self.choices.go(self.choices.row + event.step)

    # The filter, and questions.

    def action_filter(self) -> None:
        self.query_one("#wanted", Words).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "wanted":
            self.choices.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "wanted":
            self.choices.action_take()
        elif event.input.id == "answer" and self._answer is not None:
            answer = self._answer
            self._close_question()
            answer(event.value.strip())

    def ask(self, question: str, value: str, answer: Callable[[str], None]) -> None:
        """Let something be written below the list; `answer` is given it, stripped."""
        self.query_one("#asked", Label).update(question)
        self.query_one("#ask").display = True
        field = self.query_one("#answer", Words)
        field.value = value
        field.focus()
        self._answer = answer

    def _close_question(self) -> None:
        self._answer = None
        self.query_one("#ask").display = False
        self.choices.focus()

    def action_leave(self) -> None:
        """Out of a question or a filter first."""
        wanted = self.query_one("#wanted", Words)
        if self._answer is not None:
            self._close_question()
        elif wanted.value or self.focused is wanted:
            wanted.value = ""
            self.choices.focus()
        else:
            self.dismiss(None)
