"""What a screen over a conversation offers just now: in its footer and in the palette."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual.actions import parse
from textual.app import SystemCommand

from entropix_mlx.records.tree import ROOT
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.keys.keymap import Task
from entropix_tui.keys.keynames import with_key
from entropix_tui.screens.conversation.keys import Command
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.keys import TellingScreen


class OfferingScreen(TellingScreen):
    """Subclasses say what runs (`runs`), and whether Escape leads back to something."""

    PALETTE: ClassVar[Sequence[Command]]
    TASKS: ClassVar[Sequence[Task]]
    """What the help says first."""
    conversation: Conversation
    view: ConversationView

    @property
    def runs(self) -> bool:
        """Whether something runs that Escape stops."""
        raise NotImplementedError

    @property
    def is_away(self) -> bool:
        """Whether Escape, where nothing runs, leads back to something."""
        return self.view.tokens.cursor is not None or not self.view.home.has_focus

    def offer(self, action: str, does: str) -> str:
        match action:
            case "leave":
                return "stop" if self.runs else "back" if self.is_away else ""
            case "branches" if self.conversation.branches < 2:
                return ""
            case "cursor(-1)" | "cursor(1)" if self.conversation.tree.leaf == ROOT:
                return ""
        return does

    def commands(self) -> Iterator[SystemCommand]:
        """What can be done here, by name, as the palette lists it."""
        for name, means, action in self.PALETTE:
            _, called, parameters = parse(action)
            # Of what would do something else just now the name says nothing.
            same = self.offer(action, name).casefold() == name.casefold()
            if same and self.check_action(called, parameters):
                told = with_key(means, self, action)
                yield SystemCommand(name, told, partial(self.run_action, action))
