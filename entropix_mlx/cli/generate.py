"""`entropix-mlx generate`: one prompt, one answer."""

import datetime
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, cast

import click

from entropix_mlx.cli.input import read_text
from entropix_mlx.cli.options import (
    date_of,
    load_model,
    model_options,
    note_calibration,
    sampler_options,
    settings_of,
    trace_option,
)
from entropix_mlx.cli.output import FORMATS, Format, Output
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.running import INTERRUPTED, debug_option
from entropix_mlx.summary import Summary
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_mlx.session import Session


@click.command()
@click.argument("prompt", required=False)
@model_options
@click.option("--system", default="", help="A system message before the prompt.")
@click.option("--raw", is_flag=True, help="The prompt as it stands: no chat template.")
@click.option("--prefill", default="", metavar="TEXT", help="How the answer begins.")
@sampler_options
@click.option(
    "--max-tokens", type=click.IntRange(0), default=512, show_default=True, help="At most so many."
)
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this text; repeatable.")
@trace_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    help="auto: colour on a terminal, else the text alone; jsonl: the trace.",
)
@debug_option
def generate(
    prompt: str | None,
    model: str | None,
    device: str,
    system: str,
    raw: bool,
    prefill: str,
    sampler: str,
    overrides: tuple[str, ...],
    seed: int | None,
    date: datetime.datetime | None,
    max_tokens: int,
    stop: tuple[str, ...],
    trace: Path | None,
    format_: str,
) -> int:
    """Generate text and show the model's uncertainty at each token.

    PROMPT is read from standard input for -, or if it is not given and standard input is no
    terminal.
    """
    settings = settings_of(sampler, overrides)
    text = read_text(prompt)
    if raw and system:
        raise UsageError("--raw takes no --system: write it into the prompt")

    from entropix_mlx.session import Session
    from entropix_mlx.trace import TraceWriter
    from entropix_models.devices import release_thread

    writer = TraceWriter(trace) if trace else None
    try:
        with stderr_progress() as progress:
            loaded = load_model(model, device, progress)
        if not raw and not loaded.tokenizer.has_chat_template:
            if system:
                raise UsageError(f"{loaded.facts.name} has no chat template: no --system")
            click.echo(f"note: {loaded.facts.name} has no chat template; raw prompt", err=True)
            raw = True
        session = Session(
            loaded, settings, seed=seed, system=system, date=date_of(date), trace=writer
        )
        note_calibration(loaded, session.calibration)
        if seed is None and settings.temperature is not None:
            click.echo(f"seed: {session.seed}", err=True)
        output = Output(cast(Format, format_))
        with _graceful(session):
            return _stream(
                session, output, text, max_tokens=max_tokens, stop=stop, prefill=prefill, raw=raw
            )
    finally:
        if writer:
            writer.close()
        release_thread()


def _stream(
    session: "Session",
    output: Output,
    text: str,
    *,
    max_tokens: int,
    stop: tuple[str, ...],
    prefill: str,
    raw: bool,
) -> int:
    """Write the answer and its summary; the exit status."""
    turn = session.send(text, max_tokens=max_tokens, stop=stop, prefill=prefill, raw=raw)
    summary = Summary()
    try:
        output.write(session.header)
        for record in turn:
            summary.add(record)
            output.write(record)
        output.finish()
    finally:
        turn.close()  # the trace gets its end, whatever stopped us
    click.echo(summary.line(session.seed), err=True)
    return INTERRUPTED if summary.finish_reason == "interrupted" else 0


@contextmanager
def _graceful(session: "Session") -> Iterator[None]:
    """The first Ctrl-C ends the answer after the current step; a second one at once."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        session.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
