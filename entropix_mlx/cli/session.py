"""A command's session, and the files that keep what it gives."""

import datetime
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.options import date_of, note_calibration
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError
from entropix_models.progress import Progress, quiet

if TYPE_CHECKING:
    from entropix_mlx.session.session import Session
    from entropix_mlx.trace.attention_file import AttentionWriter
    from entropix_mlx.trace.trace import TraceWriter
    from entropix_models.language_model import LanguageModel

Writers = tuple["TraceWriter | None", "AttentionWriter | None"]


@contextmanager
def writers(trace: Path | None, with_attention: bool) -> Iterator[Writers]:
    """What --trace and --trace-attention ask for, closed at the end.

    Raises UsageError for attention without a trace, TraceError if a file cannot be written.
    """
    if trace is None:
        if with_attention:
            raise UsageError("--trace-attention goes with --trace FILE: it writes FILE.attention")
        yield None, None
        return
    from entropix_mlx.trace.attention_file import AttentionWriter
    from entropix_mlx.trace.trace import TraceWriter, attention_beside

    with ExitStack() as stack:
        writer = stack.enter_context(closing(TraceWriter(trace)))
        attention = None
        if with_attention:
            attention = stack.enter_context(closing(AttentionWriter(attention_beside(trace))))
        yield writer, attention


def begin(
    model: "LanguageModel",
    settings: Settings,
    written: Writers,
    *,
    seed: int | None,
    system: str,
    date: datetime.datetime | None,
    progress: Progress = quiet,
) -> "Session":
    """A session; thresholds and a seed that are not the user's are told on standard error."""
    from entropix_mlx.session.journal import Storage
    from entropix_mlx.session.session import Session

    session = Session(
        model,
        settings,
        seed=seed,
        system=system,
        date=date_of(date),
        trace=Storage(*written),
        progress=progress,
    )
    note_calibration(model, session.calibration)
    if seed is None and settings.temperature is not None:
        click.echo(f"seed: {session.seed}", err=True)
    return session
