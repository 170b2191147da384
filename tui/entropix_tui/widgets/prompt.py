"""Where the user writes: Enter sends, other keys of a text editor do what they always do."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea

NEWLINE = ("ctrl+j", "shift+enter", "alt+enter")


class Prompt(TextArea):
    """A text area of a few lines, with the history of what was sent."""

    DEFAULT_CSS = """
    Prompt { height: auto; min-height: 3; max-height: 8; border: round $border-blurred; }
    Prompt:focus { border: round $border; }
    """

    @dataclass
    class Submitted(Message):
        """Enter was pressed on `text`, which is not blank."""

        text: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Say something to the model",
        )
        self._history: list[str] = []
        self._at = 0  # position in the history; its length: the draft
        self._draft = ""

    def take(self) -> str:
        """Empty the field and remember what was in it."""
        text = self.text
        if not self._history or self._history[-1] != text:
            self._history.append(text)
        self._at = len(self._history)
        self._draft = ""
        self.load_text("")
        return text

    def put(self, text: str) -> None:
        """Replace the text, the cursor after it."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            if self.text.strip():
                self.post_message(self.Submitted(self.text))
        elif event.key in NEWLINE:
            start, end = self.selection
            self.replace("\n", start, end)
        elif event.key == "up" and self.cursor_at_first_line and self._at > 0:
            self._recall(self._at - 1)
        elif event.key == "down" and self.cursor_at_last_line and self._at < len(self._history):
            self._recall(self._at + 1)
        else:
            return
        event.stop()
        event.prevent_default()

    def _recall(self, at: int) -> None:
        if self._at == len(self._history):
            self._draft = self.text
        self._at = at
        self.put(self._history[at] if at < len(self._history) else self._draft)
