"""Where the user writes: Enter sends, other keys of a text editor do what they always do."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.message import Message

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.history import History, Recall
from entropix_tui.widgets.text_editor import Editor


class Prompt(Editor):
    """A text area of a few lines, with the history of what was sent."""

    BINDING_GROUP_TITLE = "The prompt"
    HELP = (
        "Write to the model. What was sent before comes back with ↑ and ↓. A prompt that begins"
        " with // is sent with one slash."
    )
    BINDINGS: ClassVar = [
        Binding("enter", "submit", "Send", id="prompt.send", priority=True,
                tooltip="Send what is written; with nothing written, continue a cut-off answer"),
        Binding("ctrl+j,shift+enter,alt+enter", "newline", "New line", id="prompt.newline",
                priority=True, tooltip="Begin a new line", show=False),
        Binding("up", "recall(-1)", "Before", id="prompt.older", priority=True,
                tooltip="In the first line: what was sent before", show=False),
        Binding("down", "recall(1)", "After", id="prompt.newer", priority=True,
                tooltip="In the last line: what was sent after it", show=False),
    ]  # fmt: skip
    DEFAULT_CSS = """
    Prompt { height: auto; min-height: 3; max-height: 8; border: round $border-blurred; }
    Prompt:focus { border: round $border; }
    """

    @dataclass
    class Submitted(Message):
        """Enter was pressed on `text`, which may be blank."""

        text: str

    def __init__(self, history: History | None = None, *, id: str | None = None) -> None:
        super().__init__(placeholder="Say something to the model", id=id)
        self.sent = History() if history is None else history
        self._recall = Recall(self.sent)
        self._mode = ""

    @property
    def mode(self) -> str:
        """What the text is for, where it is not simply the next turn; shown as the title."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode
        self.border_title = Text(one_line(mode)) if mode else None

    def take(self) -> str:
        """Empty the field and remember what was in it."""
        text = self.text
        notice = self.sent.add(text)
        if notice:
            self.app.notify(one_line(notice), severity="warning", markup=False)
        self._recall = Recall(self.sent)
        self.load_text("")
        return text

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Up and down are the editor's own inside of a text of several lines."""
        if action != "recall":
            return super().check_action(action, parameters)
        if parameters == (-1,):
            return self.cursor_at_first_line and self._recall.at != 0 and bool(self.sent.texts)
        return self.cursor_at_last_line and self._recall.at is not None

    def on_key(self, event: events.Key) -> None:
        """Arrows that recall nothing move: the editor's own bindings of them are overridden."""
        if event.key in ("up", "down"):
            event.stop()
            event.prevent_default()
            (self.action_cursor_up if event.key == "up" else self.action_cursor_down)()

    def action_submit(self) -> None:
        self.post_message(self.Submitted(self.text))

    def action_newline(self) -> None:
        start, end = self.selection
        self._replace_via_keyboard("\n", start, end)

    def action_recall(self, step: int) -> None:
        self.put(self._recall.move(step, self.text))
