"""The footer: the keys that matter most, in a fixed order, each a button for the mouse too."""

from typing import NamedTuple

from rich.text import Text
from textual import events
from textual.widget import Widget


class Key(NamedTuple):
    """A key as it is shown, what it does, and the action that a click runs on the screen."""

    key: str
    does: str
    action: str


class KeyBar(Widget):
    """At most eight keys; the rest is in the command palette and in the help."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; }"

    def __init__(self, keys: tuple[Key, ...], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.keys = keys

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for key, does, _ in self.keys:
            text.append(f" {key}", "bold").append(f" {does} ")
        return text

    async def on_click(self, event: events.Click) -> None:
        x = event.x
        for key, does, action in self.keys:
            x -= len(key) + len(does) + 3
            if x < 0:
                await self.screen.run_action(action)
                return
