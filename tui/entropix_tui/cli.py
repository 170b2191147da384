"""The command `entropix-tui`. Answers `--help` without importing Textual or MLX."""

import datetime
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from entropix_models.errors import EntropixError, UsageError
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
@click.option("--model", metavar="NAME|PATH", help="Model; the default suits the device.")
@click.option("--system", metavar="TEXT", default="", help="System prompt.")
@click.option("--sampler", metavar="PRESET", default="calibrated", show_default=True)
@click.option(
    "--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change one of its settings."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Same seed, same tokens.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    default=512,
    show_default=True,
    help="Longest answer.",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the session as JSON Lines.",
)
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Date for templates that print one; default today.",
)
@click.option("--device", metavar="D", default="auto", show_default=True)
@click.option("--demo", type=click.Choice(list(DEMOS)), help="Begin with a demo prompt.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def chat(
    model: str | None,
    system: str,
    sampler: str,
    overrides: Sequence[str],
    seed: int | None,
    max_tokens: int,
    trace: Path | None,
    date: datetime.datetime | None,
    device: str,
    demo: str | None,
    debug: bool,
) -> None:
    """Talk with a model and see how sure it is of every token."""
    require_terminal()
    from entropix_mlx.settings import Settings
    from entropix_tui.sessions import SessionFactory

    factory = SessionFactory(
        Settings.make(sampler, assignments(overrides)),
        model=model,
        device=device,
        system=system,
        seed=seed,
        date=date.date() if date else None,
        trace=trace,
    )
    factory.open_trace()
    sys.exit(run(factory, max_tokens=max_tokens, demo=demo, debug=debug))


def run(factory: "MakeSession", *, max_tokens: int, demo: str | None, debug: bool) -> int:
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


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises UsageError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r}: give KEY=VALUE")
        found[key.strip()] = value
    return found


def main() -> NoReturn:
    """Run the command; one line on standard error says what went wrong."""
    debug = "--debug" in sys.argv
    try:
        status = entropix_tui.main(standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        sys.exit(130)
    except EntropixError as error:
        if debug:
            traceback.print_exc()
        _fail(str(error), error.exit_status)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(status)
