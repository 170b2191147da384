"""The application: themes, commands by name, and the engine's life."""

import gc
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.history import History
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed
from entropix_tui.keys.config import Config
from entropix_tui.look import styles
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.terminal import hangup
from entropix_tui.terminal.driver import TerminalDriver

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive

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
    """`entropix-tui chat`, `step` and `replay`."""

    TITLE = "entropix"
    BINDING_GROUP_TITLE = "Everywhere"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar = [
        Binding(
            "ctrl+t", "toggle_dark", "Dark or light", id="app.theme", show=False, priority=True
        ),
        Binding(
            "ctrl+p", "command_palette", "Commands", id="app.palette", show=False, priority=True
        ),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", show=False, priority=True),
    ]

    def __init__(
        self,
        engine: Engine,
        *,
        colours: styles.Colours,
        dark: bool = True,
        max_tokens: int = 512,
        demo: str | None = None,
        archive: "Archive | None" = None,
        history: History | None = None,
        config: Config | None = None,
        step: Sequence[str] = (),
        chat: ChatScreen | None = None,
    ) -> None:
        """`chat`: the screen to show, instead of one that the rest is for."""
        super().__init__(ansi_color=None if colours == "true" else True)
        self.engine = engine
        self.colours = colours
        self._dark = dark
        self._config = Config() if config is None else config
        self._chat = chat or ChatScreen(
            engine,
            colours,
            max_tokens=max_tokens,
            archive=archive,
            history=history,
            demo=demo,
            step=step,
        )
        self.register_theme(DARK)
        self.register_theme(LIGHT)

    def get_driver_class(self) -> type[Driver]:
        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen

    @property
    def failures(self) -> list[Failed]:
        """Everything that went wrong in the engine."""
        return self._chat.conversation.failures

    def on_mount(self) -> None:
        gc.set_threshold(700, 10, 100)  # a full pass walks over every record: a tenth of a second
        self._set_theme()
        self._set_keys()
        self.push_screen(self._chat)
        if not (self.is_headless or self.is_web):
            hangup.watch(lambda: self.call_from_thread(self.exit, return_code=1))

    def on_key(self, event: events.Key) -> None:
        """Several keys that come at once are all handed to the part that has the focus when the
        first one comes. A field that this one gave the focus to takes what it types by itself; what
        gets here was meant for it, and is no key of the screen's.
        """
        field = self.focused
        if isinstance(field, Input) and event.is_printable and event.character is not None:
            event.prevent_default()
            field.insert_text_at_cursor(event.character)

    def _set_keys(self) -> None:
        """Take over the user's keys; what can't be used is told."""
        if self._config.keys:
            from entropix_tui.keys import keymap

            loaded = keymap.check(self._config)
            self.set_keymap(loaded.keymap)
            self._config.notices.extend(loaded.notices)
        for notice in self._config.notices:
            self.notify(one_line(notice), severity="warning", markup=False, timeout=10)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        chat = self._chat
        if screen is chat:
            offered = (c for c in commands(chat) if c[0] not in chat.UNOFFERED)
            yield from (SystemCommand(*command) for command in (*chat.own_commands(), *offered))
        yield SystemCommand("Dark or light", "Change the theme", self.action_toggle_dark)
        yield SystemCommand("Help", "Keys, marks and measures", chat.action_help)
        yield SystemCommand("Quit", "Leave the program", self.action_quit)

    def action_toggle_dark(self) -> None:
        self._dark = not self._dark
        self._set_theme()

    def _set_theme(self) -> None:
        family = "entropix" if self.colours == "true" else "ansi"
        self.theme = f"{family}-{'dark' if self._dark else 'light'}"


def commands(chat: ChatScreen) -> list[tuple[str, str, Callable[[], Any]]]:
    """The conversation's commands by name, as the palette lists them."""
    tokens = chat.tokens
    return [
        ("New conversation", "With the same model and sampler", chat.action_new_chat),
        ("System prompt", "A new conversation that begins with one", chat.action_system_prompt),
        ("Stop", "End the answer that is being generated", chat.action_leave),
        ("Continue", "Go on with an answer that was cut off", chat.action_go_on),
        ("Regenerate", "The last answer, with another seed: a branch", chat.action_regenerate),
        ("Edit message", "Write the last one anew: a branch", lambda: chat.action_edit(-1)),
        ("Step", "The debugger: halt before each token", chat.action_step),
        ("Fork here", "Take another token at the cursor: a branch", tokens.action_fork),
        ("Branches", "Switch, name, compare", chat.action_branches),
        ("Sessions", "Resume, rename, delete", chat.action_sessions),
        ("Model", "Switch to another, in a new conversation", chat.action_models),
        ("Sampler", "Preset, thresholds, parameters", chat.action_sampler),
        ("Side by side", "Another sampler, seed or wording", chat.action_compare),
        ("Vocabulary", "All that could have stood at the cursor", chat.action_vocabulary),
        ("Attention", "Where the model looked", chat.action_attention),
        ("Panel", "Show or hide the plane and the figures", chat.action_side),
        ("Search", "Look for a text", chat.action_search),
        ("Markdown", "The answer as a document, or its tokens", chat.action_markdown),
        ("Copy answer", "The last one, as plain text", chat.action_copy_answer),
        ("Export as Markdown", "The conversation", lambda: chat.action_export(".md")),
        ("Export as text", "The conversation", lambda: chat.action_export(".txt")),
        ("Export as a page (HTML)", "Text, charts, figures", lambda: chat.action_export(".html")),
        ("Export as a table (CSV)", "A row for each token", lambda: chat.action_export(".csv")),
        ("Export as data (JSON)", "An object for each token", lambda: chat.action_export(".json")),
        ("Export the screen", "As a picture (SVG)", lambda: chat.action_export(".svg")),
        ("Colours", "Colour by the next measure", lambda: chat.action_colour(1)),
        ("Letters", "Letters beside each line", chat.action_letters),
        ("Line breaks", "Show or hide ↵", chat.action_breaks),
        ("Jump", "A letter over every part", chat.action_jump),
        ("About this conversation", "Model, seed, where it is saved", chat.action_about),
    ]
