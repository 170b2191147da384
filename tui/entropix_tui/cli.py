"""The command `entropix-tui`. Answers `--help` without importing Textual or MLX."""

import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from entropix_mlx.cli.options import (
    date_of,
    model_options,
    require_attention,
    sampler_options,
    settings_of,
    trace_attention_option,
    trace_option,
)
from entropix_mlx.cli.running import run
from entropix_models.errors import UsageError
from entropix_tui.demos import DEMOS
from entropix_tui.keys_command import keys
from entropix_tui.replay_command import replay
from entropix_tui.step_command import step
from entropix_tui.web import is_served, web

if TYPE_CHECKING:
    from entropix_mlx.archive import Archive
    from entropix_tui.making import Wish
    from entropix_tui.sessions import SessionFactory


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="entropix-mlx", prog_name="entropix-tui")
def entropix_tui() -> None:
    """Watch a language model decide, token by token."""


entropix_tui.add_command(keys)
entropix_tui.add_command(replay)
entropix_tui.add_command(step)
entropix_tui.add_command(web)


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
@click.option("--session", metavar="NAME", help="Begin or go on with the session of this name.")
@click.option("--resume", is_flag=True, help="Go on with the session that was used last.")
@click.option("--no-save", is_flag=True, help="Keep nothing of what is said.")
@trace_option
@trace_attention_option
@click.option("--demo", type=click.Choice(list(DEMOS)), help="Begin with a demo prompt.")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.pass_context
def chat(
    context: click.Context,
    model: str | None,
    system: str,
    sampler: str,
    overrides: tuple[str, ...],
    seed: int | None,
    max_tokens: int,
    session: str | None,
    resume: bool,
    no_save: bool,
    trace: Path | None,
    trace_attention: bool,
    date: datetime.datetime | None,
    device: str,
    demo: str | None,
    debug: bool,
) -> int:
    """Talk with a model and see how sure it is of every token.

    Conversations are saved as they happen, each a trace; Ctrl+O lists them.
    """
    settings = settings_of(sampler, overrides)
    if trace_attention:
        require_attention(settings)
        if no_save:
            raise UsageError("--trace-attention goes beside what is saved: leave out --no-save")
    archive, name, first = _session(session, resume, no_save, trace)
    require_terminal()
    from entropix_tui.sessions import SessionFactory

    given = context.get_parameter_source
    chosen = any(given(flag) is ParameterSource.COMMANDLINE for flag in ("sampler", "overrides"))
    factory = SessionFactory(
        settings,
        model=model,
        device=device,
        system=system,
        seed=seed,
        date=date_of(date),
        archive=archive,
        name=name,
        trace=trace,
        explicit=settings if chosen else None,
        trace_attention=trace_attention,
    )
    factory.open_trace()
    return show(factory, first=first, max_tokens=max_tokens, demo=demo, debug=debug)


def _session(
    session: str | None, resume: bool, no_save: bool, trace: Path | None
) -> "tuple[Archive | None, str | None, Wish]":
    """Where conversations are saved, the name of a new one if it is given, and how to begin."""
    from entropix_mlx.archive import Archive
    from entropix_tui.making import AS_STARTED, Resume

    flags = {"--session": session, "--resume": resume, "--no-save": no_save, "--trace": trace}
    if len(given := [flag for flag, value in flags.items() if value]) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: each says where to save")
    archive = Archive()
    if no_save:
        return None, None, AS_STARTED
    if resume:
        saved = archive.list()
        if not saved:
            raise UsageError("there is no session to resume yet; leave out --resume to begin one")
        return archive, None, Resume(saved[0].name)
    if session is None:
        return archive, None, AS_STARTED
    if archive.exists(session):
        return archive, None, Resume(session)
    return archive, session, AS_STARTED


def show(
    factory: "SessionFactory",
    *,
    first: "Wish",
    max_tokens: int,
    debug: bool,
    demo: str | None = None,
    step: Sequence[str] = (),
) -> int:
    """Open the screen, with the debugger before it if there are lines for that to begin with.

    Returns the exit status once it is closed and the engine has ended.
    """
    from entropix_models.devices import release_thread
    from entropix_tui import config, running
    from entropix_tui.app import EntropixApp
    from entropix_tui.engine import Engine
    from entropix_tui.history import History, history_path

    configured = config.read()
    engine = Engine(factory, first=first, release=release_thread)
    app = EntropixApp(
        engine,
        colours=running.colours(),
        dark=configured.is_dark(),
        config=configured,
        archive=factory.archive,
        history=History(history_path()),
        max_tokens=max_tokens,
        demo=demo,
        step=step,
    )
    return running.show(app, engine, debug=debug)


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


def main() -> NoReturn:
    """Run the command; one line on standard error says what went wrong."""
    sys.exit(run(entropix_tui, "entropix-tui", sys.argv[1:]))
