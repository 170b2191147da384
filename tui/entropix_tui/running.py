"""How a program with a screen runs and ends."""

import os
import sys
from typing import TYPE_CHECKING

import click

from entropix_tui.web import is_served

if TYPE_CHECKING:
    from entropix_tui.app import EntropixApp
    from entropix_tui.cues import Colours
    from entropix_tui.engine import Engine

PATIENCE = 5.0
"""Seconds that the engine has to end in, once the screen is closed."""


def colours() -> "Colours":
    """What the terminal can show."""
    from rich.console import Console

    from entropix_tui import cues

    # In a browser standard error is no terminal, but the page has all the colours.
    return "true" if is_served() else cues.detect(Console(stderr=True).color_system)


def show(app: "EntropixApp", engine: "Engine", *, debug: bool) -> int:
    """Run the screen until it is closed and the engine has ended; the exit status.

    With `debug`, what went wrong in the engine is told in full afterwards.
    """
    try:
        app.run()
    finally:
        ended = engine.quit(PATIENCE)
    if debug:
        for failure in app.failures:
            click.echo(failure.details, err=True)
    status = app.return_code or 0
    if not ended:
        # A thread in a blocking call would keep the interpreter waiting for it.
        sys.stderr.flush()
        os._exit(status)
    return status
