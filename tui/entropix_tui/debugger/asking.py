"""Lines on their way to a debugger, answered in order: which output ends the answer to which."""

from collections import deque
from typing import NamedTuple

from entropix_mlx.debugger.outputs import Finished, Halt, Looking, Output, Said, Shown
from entropix_mlx.records.record import Event

SHOWING = frozenset(("waterfall", "attention", "lens", "futures"))
"""Commands that are answered by something shown."""
_SAYING = frozenset(
    (
        *("where", "branches", "breakpoints", "help", "break", "tbreak", "watch", "catch"),
        *("ignore", "delete", "enable", "disable"),
    )
)
_TELLING = frozenset(("name", "prune"))
_DECIDING = frozenset(("take", "type", "ban", "redraw", "set", "preset"))
_LONG = frozenset(("ask", "next", "until", "finish", "continue", "run", "type", "rewind", "branch"))


class Sent(NamedTuple):
    """A line, and its command by its full name. What a `silent` one says is of no interest."""

    line: str
    name: str
    silent: bool = False

    @property
    def says(self) -> bool:
        return self.name in _SAYING

    @property
    def is_long(self) -> bool:
        """Whether it may take more than a step of the model."""
        return self.name in _LONG


class Outstanding:
    """The lines that have not been answered."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def head(self) -> Sent | None:
        """The one that is being answered."""
        return self._sent[0] if self._sent else None

    def is_for(self, name: str) -> bool:
        """Whether what comes now answers this command."""
        return self.head is not None and self.head.name == name

    def add(self, line: str, *, silent: bool = False) -> None:
        if name := full_name(line):
            self._sent.append(Sent(line.strip(), name, silent))

    def refused(self) -> Sent | None:
        """The line that could not be done."""
        return self._sent.popleft() if self._sent else None

    def forget(self) -> None:
        self._sent.clear()

    def answered(self, output: Output, *, returned: bool) -> Sent | None:
        """The line whose answer ends with an output, if one does. `returned`: it came back from
        a recorded token by it, where some commands only begin.
        """
        head = self.head
        if head is None:
            return None
        if head.says:
            ends = isinstance(output, Said)
        elif head.name in SHOWING:
            ends = isinstance(output, Shown)
        elif head.name in _TELLING:
            ends = isinstance(output, Event)
        else:
            stands = isinstance(output, Halt | Looking | Finished)
            ends = stands and not (returned and head.name in _DECIDING)
        return self._sent.popleft() if ends else None


def full_name(line: str) -> str:
    """The name of a line's command; as it was typed if there is none, empty for a comment.

    Imports the commands, and MLX with them, which are there once a debugger is.
    """
    from entropix_mlx.debugger.commands import COMMANDS

    word = line.strip().partition(" ")[0] or "step"
    if word.startswith("#"):
        return ""
    return next((c.name for c in COMMANDS if word in (c.name, *c.aliases)), word)
