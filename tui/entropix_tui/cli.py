"""The command `entropix-tui`. Answers `--help` without importing Textual or MLX."""

import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from entropix_mlx.cli.options import (
    date_of,
    model_options,
    sampler_options,
    settings_of,
    trace_option,
)
from entropix_mlx.cli.running import run
from entropix_models.errors import UsageError
from entropix_tui.demos import DEMOS

if TYPE_CHECKING:
    from entropix_tui.engine import MakeSession

PATIENCE = 5.0
"""Seconds that quitting waits for the engine, which may be inside a download's blocking call."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="entropix-mlx", prog_name="entropix-tui")
def entropix_tui() -> None:
    """Watch a language model decide, token by token."""


@entropix_tui.command()
@model_options
@click.option(
    "--system", metavar="TEXT", default="", help="A system message before the first turn."
)
@sampler_options
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    default=512,
    help="The longest answer, in tokens. Default: 512.",
)
@trace_option
@click.option("--demo", type=click.Choice(list(DEMOS)), help="Begin with a demo prompt.")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def chat(
    model: str | None,
    system: str,
    sampler: str,
    overrides: tuple[str, ...],
    seed: int | None,
    max_tokens: int,
    trace: Path | None,
    date: datetime.datetime | None,
    device: str,
    demo: str | None,
    debug: bool,
) -> int:
    """Talk with a model and see how sure it is of every token."""
    require_terminal()
    from entropix_tui.sessions import SessionFactory

    factory = SessionFactory(
        settings_of(sampler, overrides),
        model=model,
        device=device,
        system=system,
        seed=seed,
        date=date_of(date),
        trace=trace,
    )
    factory.open_trace()
    return show(factory, max_tokens=max_tokens, demo=demo, debug=debug)


def show(factory: "MakeSession", *, max_tokens: int, demo: str | None, debug: bool) -> int:
    """Open the screen; return the exit status once it is closed and the engine has ended."""
    from rich.console import Console

    from entropix_models.devices import release_thread
    from entropix_tui import cues
    from entropix_tui.app import EntropixApp
    from entropix_tui.engine import Engine

    engine = Engine(factory, release=release_thread)
    app = EntropixApp(
        engine,
        colours=cues.detect(Console(stderr=True).color_system),
        dark=not cues.is_light(os.environ),
        max_tokens=max_tokens,
        demo=demo,
    )
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


def require_terminal() -> None:
    """Raise UsageError unless a screen can be drawn and keys read."""
    instead = "use `entropix-mlx generate` instead"
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if not stream.isatty():
            raise UsageError(f"standard {name} is not a terminal: {instead}")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(f"the terminal cannot draw a screen (TERM=dumb): {instead}")


def main() -> NoReturn:
    """Run the command; one line on standard error says what went wrong."""
    sys.exit(run(entropix_tui, "entropix-tui", sys.argv[1:]))
