"""`entropix-tui chat`: a conversation, saved as it happens."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

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
from entropix_models.errors import UsageError
from entropix_tui.cli.launch import require_terminal, show
from entropix_tui.conversation.demos import DEMOS

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.engine.protocol import SessionRequest


@click.command()
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
    from entropix_tui.engine.factory import SessionFactory

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
) -> "tuple[Archive | None, str | None, SessionRequest]":
    """Where conversations are saved, the name of a new one if it is given, and how to begin."""
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.engine.protocol import AS_STARTED, Resume

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
