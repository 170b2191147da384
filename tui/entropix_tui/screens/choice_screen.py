"""The base of every screen on which one thing is chosen from a list."""

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.widgets.choices import Choices, Item, Words
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.rows import Rows

Answer = TypeVar("Answer")


class ChoiceScreen(ModalScreen[Answer], Generic[Item, Answer]):
    """A list in a box, a filter above it, what is known of the item under the cursor below it.

    Subclasses say what the box is called, which list it holds, what is known (`about`) and what
    becomes of an item that is taken (`take`).
    """

    BINDING_GROUP_TITLE = "Choosing"
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
    ChoiceScreen {
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

    def __init__(self, choices: Choices[Item]) -> None:
        super().__init__()
        self.choices = choices
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
        self.query_one("#about", Static).update(Text(one_line(words), self.choices.look(look)))

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
