"""Where a line for the debugger is written: a whole command, or what one of them takes."""

import json
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Label

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.history import History, Recall
from entropix_tui.debugger import completion
from entropix_tui.keys import slash
from entropix_tui.keys.slash import unslashed
from entropix_tui.widgets.choices import Words
from entropix_tui.widgets.styled import Styled


class Ask(NamedTuple):
    """What is to be written: `label` stands before the field, `verb` before what is sent.

    `quoted`: it is a text, to be taken as it stands, spaces included.
    """

    label: str
    verb: str
    hint: str = ""
    quoted: bool = False

    @property
    def is_prompt(self) -> bool:
        """Whether the model reads it."""
        return self.verb == "ask"

    def line(self, written: str) -> str:
        """The line for the debugger."""
        if self.quoted:
            return f"{self.verb} {json.dumps(written, ensure_ascii=False)}"
        if self.verb == "break" and completion.begins_with_verb(written):
            return written.strip()
        return f"{self.verb} {written}".strip()


COMMAND = Ask(":", "", "a command; help lists them")


class _Suggested(Suggester):
    def __init__(self, field: "CommandInput") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._field = field

    async def get_suggestion(self, value: str) -> str | None:
        return completion.completed(value, self._field.ask.verb)


class CommandInput(Words):
    """One line, with the history of what was written and the rest of a word that is begun."""

    BINDING_GROUP_TITLE = "The command line"
    HELP = "Write to the debugger. Tab completes a word, ↑ and ↓ bring back what was written."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", id="step.complete",
                tooltip="Complete the word, or go on to the next part of the screen"),
        Binding("up", "recall(-1)", "Before", show=False, id="step.older",
                tooltip="What was written before"),
        Binding("down", "recall(1)", "After", show=False, id="step.newer",
                tooltip="What was written after it"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="command")
        self.ask = COMMAND
        self.suggester = _Suggested(self)
        self._histories: dict[str, History] = {}  # by what was written for
        self._recall = Recall(History())

    def begin(self, ask: Ask, value: str = "") -> None:
        """Ask for something else."""
        self.ask = ask
        self._recall = Recall(self._histories.setdefault(ask.verb, History()))
        self.value = value
        self.cursor_position = len(value)

    def finish(self) -> str:
        """Empty the field, and remember what was in it."""
        written = self.value
        if written.strip():
            self._recall.history.add(written)
        self.begin(self.ask)
        return written

    def offer(self, action: str, does: str) -> str:
        """A text has no words that are known beforehand."""
        return "" if action == "complete" and self.ask.quoted else does

    def action_complete(self) -> None:
        rest = completion.completed(self.value, self.ask.verb)
        if rest is None:
            self.screen.focus_next()
        else:
            self.value = rest
            self.cursor_position = len(rest)

    def action_recall(self, step: int) -> None:
        self.value = self._recall.move(step, self.value)
        self.cursor_position = len(self.value)


class CommandLine(Widget):
    """The field, what it is for, and what is wrong with what is written, below its column."""

    DEFAULT_CSS = """
    CommandLine {
        height: auto;
        Horizontal { height: 1; }
        Label { width: auto; text-style: bold; }
        _Problem { height: 1; display: none; }
        &.-wrong _Problem { display: block; }
    }
    """

    @dataclass
    class Given(Message):
        """A line for the debugger; `typed`: it was written as a whole."""

        line: str
        typed: bool

    @dataclass
    class Left(Message):
        """The field is done with."""

    def __init__(self) -> None:
        super().__init__()
        self.field = CommandInput()
        self._label = Label("", markup=False)
        self._problem = _Problem()
        self._asked = ""  # the prompt that looked like a command, and is sent if it was meant

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._label
            yield self.field
        yield self._problem

    def on_mount(self) -> None:
        self.begin(COMMAND)

    @property
    def ask(self) -> Ask:
        return self.field.ask

    def begin(self, ask: Ask, value: str = "") -> None:
        """Ask for something."""
        self.field.begin(ask, value)
        self.field.placeholder = ask.hint
        self._label.update(f" {ask.label} ")
        self._check()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._check()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        ask, written = self.ask, self.field.value
        if not written.strip() and not (ask.quoted and written):
            if ask is COMMAND:
                self.post_message(self.Left())
            return
        if self._check() or (ask.is_prompt and self._asks(written)):
            return
        self.field.finish()
        said = unslashed(written) if ask.is_prompt else written
        self.post_message(self.Given(ask.line(said), typed=ask is COMMAND))

    def _asks(self, written: str) -> bool:
        """Whether it is asked what was meant by a prompt: once, if it looks like a command."""
        if written == self._asked:
            return False
        self._asked, question = written, slash.question(written, self.screen)
        if question:
            self.set_class(True, "-wrong")
            self._problem.say(cell_len(f" {self.ask.label} "), question)
        return bool(question)

    def _check(self) -> bool:
        """Tell what is wrong with a breakpoint while it is written; whether anything is."""
        wrong = completion.wrong(self.field.value, self.ask.verb)
        self.set_class(wrong is not None, "-wrong")
        if wrong is not None:
            column, problem = wrong
            start = cell_len(f" {self.ask.label} ")
            self._problem.say(start + cell_len(self.field.value[: column - 1]), problem)
        return wrong is not None


class _Problem(Styled):
    """One line, with an arrow to a column."""

    _at, _said = 0, ""

    def say(self, at: int, problem: str) -> None:
        self._at, self._said = at, one_line(problem)
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis", style=self.look("error"))
        if self._at + 2 + cell_len(self._said) <= self.size.width:
            return text.append(" " * self._at + "^ " + self._said)
        if cell_len(self._said) + 1 <= self._at:
            return text.append(f"{' ' * (self._at - 1 - cell_len(self._said))}{self._said} ^")
        return text.append(f"^ {self._said}")
