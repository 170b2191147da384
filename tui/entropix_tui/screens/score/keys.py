"""The keys of a scored text, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.keys.keymap import Task
from entropix_tui.screens.conversation.keys import (
    ANYTHING,
    BRANCHES,
    COPY,
    PALETTE,
    PLACES,
    READ,
    TEXT,
    TOKENS,
    Command,
)


def _key(key: str, action: str, name: str, id: str, tooltip: str) -> Binding:
    return Binding(key, action, name, id=f"score.{id}", tooltip=tooltip, show=True, priority=True)


KEYS: list[BindingType] = [
    _key("ctrl+r", "score", "Score", "score", "Score the text that is written"),
    _key("ctrl+up", "edit", "Edit", "edit", "Change the text, and score it again: a branch"),
    _key("ctrl+n", "new", "New text", "new", "Type or paste another text"),
    _key("ctrl+o", "open", "Open", "open", "Read a text from a file"),
    Binding("escape", "leave", "Back", id="score.back", show=True, priority=True,
            tooltip="Stop scoring; else close the nearest thing that is open"),
    BRANCHES,
    *TOKENS,
    *TEXT,
    *PLACES,
    *COPY,
    Binding("e", "edit", "Edit", id="score.edit_here", show=False),
]  # fmt: skip

TASKS = [
    Task("Score the text that is written", ("score.score",)),
    Task("Change the text, and score it again", ("score.edit",)),
    Task("Type or paste another text; read one from a file", ("score.new", "score.open")),
    Task("Go through the surprises: the text's cursor follows", ("rows.up", "rows.down")),
    *READ,
    Task("Go to a text that was scored before; two side by side", ("chat.branches",)),
    *ANYTHING,
]

COMMANDS = [
    Command("Score the text", "That is written", "score"),
    Command("Edit the text", "Change it, and score it again: a branch", "edit"),
    Command("New text", "Type or paste another one", "new"),
    Command("Open a file", "Read a text from it", "open"),
    *PALETTE,
]
