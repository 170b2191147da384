"""`entropix-tui chat`: a conversation, saved as it happens."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from entropix_mlx.cli.options import SessionOptions, session_options
from entropix_models.errors import UsageError
from entropix_tui.cli.launch import require_terminal, show
from entropix_tui.conversation.demos import DEMOS

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.engine.protocol import SessionRequest


@click.command()
@session_options(least_tokens=1)
@click.option("--session", metavar="NAME", help="Begin or go on with the session of this name.")
@click.option("--resume", is_flag=True, help="Go on with the session that was used last.")
@click.option("--no-save", is_flag=True, help="Keep nothing of what is said.")
@click.option("--demo", type=click.Choice(list(DEMOS)), help="Begin with a demo prompt.")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.pass_context
def chat(
    context: click.Context,
    session: str | None,
    resume: bool,
    no_save: bool,
    demo: str | None,
    debug: bool,
    asked: SessionOptions,
) -> int:
    """Talk with a model and see how sure it is of every token.

    Conversations are saved as they happen, each a trace; Ctrl+O lists them.
    """
    if asked.trace_attention and no_save:
        raise UsageError("--trace-attention goes beside what is saved: leave out --no-save")
    archive, name, first = _session(session, resume, no_save, asked.trace)
    require_terminal()
    given = context.get_parameter_source
    return show(
        asked,
        archive=archive,
        name=name,
        first=first,
        explicit=any(given(f) is ParameterSource.COMMANDLINE for f in ("sampler", "overrides")),
        demo=demo,
        debug=debug,
    )


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
