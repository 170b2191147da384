"""The application: themes, commands by name, and the engine's life."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.theme import Theme

from entropix_tui import cues
from entropix_tui.engine import Engine, Failed
from entropix_tui.screens.chat import ChatScreen

# The palette's contrasts are computed against these backgrounds.
DARK = Theme(
    name="entropix-dark",
    primary="#73ADF2",
    accent="#FDB85F",
    foreground="#D6D6D6",
    background="#121212",
    surface="#121212",
    panel="#1E1E1E",
    error="#FF8272",
    warning="#FDB85F",
    success="#7BC47F",
    variables={"border-blurred": "#4A4F55", "scrollbar-background": "#121212"},
    dark=True,
)
LIGHT = Theme(
    name="entropix-light",
    primary="#364491",
    accent="#771908",
    foreground="#1A1A1A",
    background="#FFFFFF",
    surface="#FFFFFF",
    panel="#EDEDED",
    error="#B3261E",
    warning="#771908",
    success="#1E6B2E",
    variables={"border-blurred": "#B9BEC4", "scrollbar-background": "#FFFFFF"},
    dark=False,
)


class EntropixApp(App[None]):
    """`entropix-tui chat`."""

    TITLE = "entropix"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar = [
        Binding("ctrl+t", "toggle_dark", "Dark or light", show=False, priority=True)
    ]

    def __init__(
        self,
        engine: Engine,
        *,
        colours: cues.Colours,
        dark: bool = True,
        max_tokens: int = 512,
        demo: str | None = None,
    ) -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self.engine = engine
        self.colours = colours
        self._dark = dark
        self._chat = ChatScreen(engine, colours, max_tokens=max_tokens, demo=demo)
        self.register_theme(DARK)
        self.register_theme(LIGHT)

    @property
    def failures(self) -> list[Failed]:
        """Everything that went wrong in the engine."""
        return self._chat.conversation.failures

    def on_mount(self) -> None:
        self._set_theme()
        self.push_screen(self._chat)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        chat = self._chat
        if screen is chat:
            yield SystemCommand("New conversation", "With the same model", chat.action_new_chat)
            yield SystemCommand("Stop", "End the answer that is being generated", chat.action_stop)
            yield SystemCommand(
                "Copy answer", "The last one, as plain text", chat.action_copy_answer
            )
            yield SystemCommand(
                "Colours", "Show or hide the quadrants' colours", chat.action_toggle_colours
            )
            yield SystemCommand(
                "Letters", "Name the quadrants beside each line", chat.action_toggle_letters
            )
            yield SystemCommand("Line breaks", "Show or hide ↵", chat.action_toggle_breaks)
        yield SystemCommand("Dark or light", "Change the theme", self.action_toggle_dark)
        yield SystemCommand("Help", "Keys, marks and measures", chat.action_help)
        yield SystemCommand("Quit", "Leave the program", self.action_quit)

    def action_toggle_dark(self) -> None:
        self._dark = not self._dark
        self._set_theme()

    def _set_theme(self) -> None:
        family = "entropix" if self.colours == "true" else "ansi"
        self.theme = f"{family}-{'dark' if self._dark else 'light'}"
