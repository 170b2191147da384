"""Asks for a file's name and gives back its text."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from entropix_mlx.cli.input import read_text
from entropix_mlx.terminal.glyphs import one_line
from entropix_models.errors import EntropixError
from entropix_tui.widgets.choices import Words
from entropix_tui.widgets.keys import KeyBar


class OpenText(ModalScreen[str | None]):
    """Gives back the text of a file, byte for byte, or None."""

    BINDING_GROUP_TITLE = "Opening a file"
    BINDINGS: ClassVar = [
        Binding("enter", "open", "Open", id="open.open", priority=True, tooltip="Read the file"),
        Binding("escape", "dismiss", "Cancel", id="open.cancel", tooltip="Read nothing"),
    ]
    DEFAULT_CSS = """
    OpenText { align: center middle; }
    OpenText Vertical {
        width: 76; max-width: 100%; height: 5; border: round $border; background: $surface;
    }
    OpenText #says { height: 1; color: $error; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Text("Score the text of a file")
            yield Words(placeholder="its name")
            yield Static(id="says")
            yield KeyBar()

    def on_input_changed(self) -> None:
        self._say("")

    def action_open(self) -> None:
        typed = self.query_one(Words).value.strip()
        if not typed:
            self._say("Name a file")
            return
        try:
            self.dismiss(read_text(None, Path(typed).expanduser()))
        except (EntropixError, RuntimeError, ValueError) as error:
            self._say(str(error))

    def _say(self, words: str) -> None:
        self.query_one("#says", Static).update(Text(one_line(words)))
