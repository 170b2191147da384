"""The application: themes, commands by name, and the engine's life."""

import gc
import importlib
import math
import pkgutil
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual import events
from textual._styles_cache import StylesCache
from textual.app import SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.widgets import Input, TextArea

import entropix_tui
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.keys import keymap
from entropix_tui.keys.config import Config
from entropix_tui.keys.keynames import with_key
from entropix_tui.look.styles import Colours
from entropix_tui.look.themes import ThemedApp
from entropix_tui.screens import dismissal as dismissal
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.screens.palette import Palette
from entropix_tui.terminal.driver import TerminalDriver, watch_hangup

TWICE = 2.0
"""Seconds within which a second Ctrl+C quits."""


class EntropixApp(ThemedApp):
    """`entropix-tui chat`, `step` and `replay`: one screen over a conversation, and what it opens.

    The user's keys, and what is wrong with them, are in `config`.
    """

    TITLE = "entropix"
    BINDING_GROUP_TITLE = "Everywhere"
    BINDINGS: ClassVar = [
        Binding(
            "ctrl+t", "toggle_dark", "Dark or light", id="app.theme", show=False, priority=True
        ),
        Binding(
            "ctrl+p", "command_palette", "Commands", id="app.palette", show=False, priority=True
        ),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", show=False, priority=True),
        Binding(
            "ctrl+c",
            "interrupt",
            "Copy, stop or quit",
            id="app.interrupt",
            show=False,
            priority=True,
            tooltip="Copy what is selected; else stop the answer; else, twice, quit",
        ),
    ]

    def __init__(
        self,
        first: ConversationScreen,
        colours: Colours = "true",
        *,
        dark: bool = True,
        config: Config | None = None,
    ) -> None:
        super().__init__(colours, dark=dark)
        self.first = first
        self.clock: Callable[[], float] = time.monotonic
        self._config = Config() if config is None else config
        self._interrupted = -math.inf

    def get_driver_class(self) -> type[Driver]:
        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen

    def on_mount(self) -> None:
        gc.set_threshold(700, 10, 100)  # a full pass walks over every record: a tenth of a second
        self._set_keys()
        self.push_screen(self.first)
        if not self.is_headless:  # a browser's program has a pipe, which ends with its server
            watch_hangup(lambda: self.call_from_thread(self.exit, return_code=1))

    def _handle_exception(self, error: Exception) -> None:
        # A program that is told to end while it mounts takes away what its parts look for.
        if not self._exit:
            super()._handle_exception(error)

    def pop_screen(self) -> AwaitComplete:
        # A cache of Textual's has the widgets that asked among its keys (`@lru_cache` on a method
        # of theirs): all that a thousand of them drew would stay after their screens are gone.
        StylesCache.get_inner_outer.cache_clear()
        return super().pop_screen()

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
            loaded = keymap.check(self._config, scopes())
            self.set_keymap(loaded.keymap)
            self._config.notices.extend(loaded.notices)
        for notice in self._config.notices:
            self.notify(one_line(notice), severity="warning", markup=False, timeout=10)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        if isinstance(screen, ConversationScreen):
            yield from screen.commands()
        for name, means, action, do in (
            ("Dark or light", "Change the theme", "toggle_dark", self.action_toggle_dark),
            ("Help", "What can be done here; keys, marks, measures", "app.help", self.action_help),
            ("Quit", "Leave the program", "quit", self.action_quit),
        ):
            yield SystemCommand(name, with_key(means, screen, action), do)

    @property
    def conversations(self) -> list[ConversationScreen]:
        """The screens over a conversation, the uppermost last."""
        return [screen for screen in self.screen_stack if isinstance(screen, ConversationScreen)]

    def action_help(self) -> None:
        """One at a time, wherever in the stack: Textual draws a dialog within those below it, and
        forty of them are more calls than Python nests.
        """
        from entropix_tui.screens.help import Help

        if not any(isinstance(screen, Help) for screen in self.screen_stack):
            self.push_screen(Help(scopes()))

    def action_interrupt(self) -> None:
        """Copy what is selected; else stop what runs; else quit, the second time."""
        field, now = self.focused, self.clock()
        selected = field.selected_text if isinstance(field, Input | TextArea) else ""
        if text := selected or self.screen.get_selected_text():
            self.copy_to_clipboard(text)
            self.notify(f"Copied {len(text)} characters.", markup=False)
        elif any(screen.halt() for screen in reversed(self.conversations)):
            pass
        elif now - self._interrupted <= TWICE:
            self.exit()
        else:
            self._interrupted = now
            self.notify("Ctrl+C once more quits.", markup=False, timeout=TWICE)

    def action_command_palette(self) -> None:
        """One at a time, wherever in the stack."""
        if not any(isinstance(screen, Palette) for screen in self.screen_stack):
            self.push_screen(Palette())

    def action_jump(self) -> None:
        from entropix_tui.screens.jump import jump

        jump(self.screen)

    def action_toggle_dark(self) -> None:
        self.set_dark(not self.dark)


def scopes() -> list[keymap.Scope]:
    """All of the program's classes that have named keys; imports every screen and widget."""
    for folder in ("screens", "widgets"):
        for path in entropix_tui.__path__:
            package = f"entropix_tui.{folder}"
            for module in pkgutil.walk_packages([f"{path}/{folder}"], f"{package}."):
                importlib.import_module(module.name)
    return keymap.scopes_of("entropix_tui")
