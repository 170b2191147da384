"""The keys of the replay, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.keys.keymap import Task
from entropix_tui.screens.conversation.keys import (
    ANYTHING,
    BRANCHES,
    COPY,
    PALETTE,
    PLACES,
    READ,
    STEP,
    STOP,
    TEXT,
    TOKENS,
    Command,
)


def _key(key: str, action: str, name: str, id: str) -> Binding:
    """The transport's keys, wherever nothing else wants them."""
    return Binding(key, action, name, id=f"replay.{id}", show=False)


KEYS: list[BindingType] = [
    STOP,
    BRANCHES,
    *TOKENS,
    *TEXT,
    STEP,
    *PLACES,
    *COPY,
    _key("space", "play", "Play", "play_anywhere"),
    _key("comma", "travel('token', -1)", "Token before", "token_before"),
    _key("full_stop", "travel('token', 1)", "Token after", "token_after"),
    _key("less_than_sign", "faster(-1)", "Slower", "slower_anywhere"),
    _key("greater_than_sign", "faster(1)", "Faster", "faster_anywhere"),
    _key("T", "travel('turn', -1)", "Turn before", "turn_before_anywhere"),
    _key("t", "travel('turn', 1)", "Turn after", "turn_after_anywhere"),
    *(_key(str(n), f"seek({n / 10})", f"To {n} tenths", f"tenth_{n}") for n in range(10)),
]

TASKS = [
    Task("Play, from the beginning or from here", ("replay.play_anywhere",)),
    Task("Go token by token", ("replay.token_before", "replay.token_after")),
    Task("Go turn by turn", ("replay.turn_before_anywhere", "replay.turn_after_anywhere")),
    *READ,
    Task("Go to another branch; from there, two side by side", ("chat.branches",)),
    Task("Step in at the cursor: loads the model, the file stays as it is", ("chat.step",)),
    *ANYTHING,
]

COMMANDS = [
    Command("Play or pause", "At the end, from the beginning", "play"),
    Command("To the beginning", "Nothing is shown", "seek(0)"),
    Command("To the end", "All is shown", "seek(1)"),
    Command("Next turn", "To where its answer begins", "travel('turn', 1)"),
    Command("Turn before", "To where its answer began", "travel('turn', -1)"),
    Command("Next valley", "To where it was confirmed", "travel('valley', 1)"),
    Command("Valley before", "To where it was confirmed", "travel('valley', -1)"),
    Command("Faster", "Up to at once", "faster(1)"),
    Command("Slower", "Down to a quarter", "faster(-1)"),
    Command("Step in", "The debugger at the cursor: loads the model", "step"),
    Command("About this recording", "File, model, when", "about"),
    *PALETTE,
]
