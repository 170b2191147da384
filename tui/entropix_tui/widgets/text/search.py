"""One line to look for a text in the transcript."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from entropix_tui.widgets.text.token_view import TokenView


class SearchBar(Horizontal):
    """Looks for what is typed, whatever its case, and goes from place to place.

    Out of sight until `open`.
    """

    BINDINGS: ClassVar = [
        Binding("enter", "match(1)", "next", priority=True, id="search.next"),
        Binding("shift+enter,up", "match(-1)", "previous", priority=True, id="search.previous"),
        Binding("down", "match(1)", "next", show=False, priority=True, id="search.next_below"),
        Binding("escape", "close", "close", priority=True, id="search.close"),
    ]
    DEFAULT_CSS = """
    SearchBar {
        height: 1; display: none; background: $panel;
        Label { width: auto; padding: 0 1; }
        Input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
        Input:focus { background: $surface; }
    }
    """

    class Closed(Message):
        """The search has ended; nothing is marked any more."""

    def __init__(self, view: TokenView, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view

    def compose(self) -> ComposeResult:
        yield Label("search")
        yield Input(compact=True, placeholder="text in prompts and answers")
        yield Label("", id="count", markup=False)

    def open(self) -> None:
        """Take the keys; what was looked for last is there to be replaced."""
        self.display = True
        entry = self.query_one(Input)
        entry.focus()
        entry.action_select_all()
        self._look()

    def action_close(self) -> None:
        if self.display:
            self.display = False
            self.view.find("")
            self.post_message(self.Closed())

    def action_match(self, step: int) -> None:
        self.view.action_match(step)
        self.count()

    @on(Input.Changed)
    def _look(self) -> None:
        if not self.display:
            return
        self.view.find(self.query_one(Input).value)
        self.view.action_match(1)
        self.count()

    def count(self) -> None:
        """Say where the search stands: `3/12`."""
        finder = self.view.finder
        where = ""
        if finder.query:
            at = 0 if finder.current is None else finder.current + 1
            where = f"{at}/{finder.count}" if finder.count else "not found"
        self.query_one("#count", Label).update(where)
