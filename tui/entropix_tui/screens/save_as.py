"""Asks for a file's name and writes the file; what is there already needs a second Enter."""

import datetime
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from entropix_mlx.export.formats import FORMATS, by_ending, write
from entropix_mlx.export.passage import Passage
from entropix_mlx.records.record import RunHeader
from entropix_mlx.records.tree import Tree
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.look import screenshot
from entropix_tui.widgets.keys import KeyBar


class SaveAs(ModalScreen[Path | None]):
    """Gives back the path of the file that was written, or None."""

    BINDING_GROUP_TITLE = "Saving a file"
    BINDINGS: ClassVar = [
        Binding("enter", "save", "Save", id="save.save", priority=True, tooltip="Write the file"),
        Binding("escape", "dismiss", "Cancel", id="save.cancel", tooltip="Write nothing"),
    ]
    DEFAULT_CSS = """
    SaveAs { align: center middle; }
    SaveAs Vertical {
        width: 76; max-width: 100%; height: 5; border: round $border; background: $surface;
    }
    SaveAs Input { padding: 0 1 !important; }
    SaveAs #says { height: 1; padding: 0 1; color: $error; text-wrap: nowrap;
                   text-overflow: ellipsis; }
    """

    def __init__(self, what: str, default: Path, data: str) -> None:
        super().__init__()
        self.what = what
        self.default = default
        self.data = data
        self._confirmed: Path | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Text(one_line(f"Save {self.what}"))
            yield Input(str(self.default), select_on_focus=False, compact=True)
            yield Static(id="says")
            yield KeyBar()

    def on_input_changed(self) -> None:
        self._say("")

    def action_save(self) -> None:
        typed = self.query_one(Input).value.strip()
        if not typed:
            self._say("Name a file")
            return
        try:
            path = Path(typed).expanduser().absolute()
            if path.is_dir():
                self._say("That is a folder: name a file in it")
            elif path.exists() and self._confirmed != path:
                self._say("It is there already: Enter again overwrites it")
                self._confirmed = path
            else:
                write(path, self.data)
                self.dismiss(path)
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self._say(f"Not written: {reason or error}")

    def _say(self, words: str) -> None:
        self._confirmed = None
        self.query_one("#says", Static).update(Text(one_line(words)))


def save(app: App[object], what: str, default: Path, data: str) -> None:
    """Ask where `data` shall go, write it there and say so."""

    def done(path: Path | None) -> None:
        if path is not None:
            app.notify(f"Saved {one_line(str(path))}", markup=False)

    app.push_screen(SaveAs(what, default, data), done)


def save_conversation(app: App[object], header: RunHeader, tree: Tree, suffix: str) -> None:
    """The conversation, or with .svg what is on the screen, in the format that the suffix names."""
    name = by_ending(Path(f"conversation{suffix}")) if suffix != ".svg" else None
    if name is None:
        kind, what, data = "screen", "the screen as a picture", screenshot.svg(app)
    else:
        kind, what = "chat", f"the conversation as {FORMATS[name].title}"
        data = FORMATS[name].make(Passage.of(header, tree))
    now = datetime.datetime.now()
    save(app, what, screenshot.default_name(kind, suffix, now, Path.cwd()), data)
