"""How a program with a screen runs and ends."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from entropix_mlx.cli.options import SessionOptions
from entropix_mlx.cli.say import tell
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.app import EntropixApp
    from entropix_tui.engine.protocol import SessionRequest
    from entropix_tui.look.styles import Colours

_DRIVER = "textual.drivers.web_driver:WebDriver"

PATIENCE = 5.0
"""Seconds that the engine has to end in, once the screen is closed."""


def is_served(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process draws in a browser: there is a screen although no terminal."""
    return environ.get("TEXTUAL_DRIVER") == _DRIVER


def require_terminal(instead: str = "`entropix-mlx generate`") -> None:
    """Raise UsageError unless a screen can be drawn and keys read."""
    if is_served():
        return
    instead = f"use {instead} instead"
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if not stream.isatty():
            raise UsageError(f"standard {name} is not a terminal: {instead}")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(f"the terminal cannot draw a screen (TERM=dumb): {instead}")


def colours() -> "Colours":
    """What the terminal can show."""
    from rich.console import Console

    from entropix_tui.look import styles

    # In a browser standard error is no terminal, but the page has all the colours.
    return "true" if is_served() else styles.detect(Console(stderr=True).color_system)


def run_app(app: "EntropixApp", *, debug: bool) -> int:
    """Run the screen until it is closed and the engine has ended; the exit status.

    With `debug`, what went wrong in the engine is told in full afterwards.
    """
    try:
        app.run()
    finally:
        ended = app.first.engine.quit(PATIENCE)
    if debug:
        for failure in app.first.conversation.failures:
            tell(failure.details)
    status = app.return_code or 0
    if not ended:
        # A thread in a blocking call would keep the interpreter waiting for it.
        sys.stderr.flush()
        os._exit(status)
    return status


def show(
    asked: SessionOptions,
    *,
    archive: "Archive | None",
    debug: bool,
    name: str | None = None,
    first: "SessionRequest | None" = None,
    explicit: bool = False,
    demo: str | None = None,
    step: Sequence[str] = (),
) -> int:
    """Open the screen, with the debugger before it if there are lines for that to begin with.

    The conversation begins with `first`, by default as a new one, in `archive` as `name`; with
    `explicit` it has the settings that were asked for, whatever it had before. Returns the exit
    status once the screen is closed and the engine has ended. Raises TraceError if the trace cannot
    be written.
    """
    from entropix_models.devices import release_thread
    from entropix_tui.app import EntropixApp
    from entropix_tui.conversation.history import History, history_path
    from entropix_tui.engine.engine import Engine
    from entropix_tui.engine.factory import SessionFactory
    from entropix_tui.engine.protocol import AS_STARTED
    from entropix_tui.keys import config
    from entropix_tui.screens.chat.chat import ChatScreen

    factory = SessionFactory(
        asked.settings,
        model=asked.model,
        device=asked.device,
        system=asked.system,
        seed=asked.seed,
        date=asked.date,
        archive=archive,
        name=name,
        trace=asked.trace,
        explicit=asked.settings if explicit else None,
        trace_attention=asked.trace_attention,
    )
    configured = config.read()
    chat = ChatScreen(
        Engine(factory, first=first or AS_STARTED, release=release_thread),
        max_tokens=asked.max_tokens,
        archive=archive,
        history=History(history_path()),
        demo=demo,
        step=step,
    )
    app = EntropixApp(chat, colours(), dark=configured.is_dark(), config=configured)
    return run_app(app, debug=debug)
