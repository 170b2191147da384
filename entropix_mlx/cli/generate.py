"""`entropix-mlx generate`: one prompt, one answer."""

import datetime
import sys
from collections.abc import Generator
from itertools import chain
from pathlib import Path
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
from entropix_mlx.cli.output import Format, Output, format_option
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.running import INTERRUPTED, debug_option, graceful
from entropix_mlx.records import RunHeader
from entropix_mlx.summary import Summary
from entropix_models.errors import UsageError
from entropix_models.progress import quiet

if TYPE_CHECKING:
    from entropix_mlx.records import TurnRecord


@click.command()
@click.argument("prompt", required=False)
@model_options
@click.option("--system", default="", help="A system message before the prompt.")
@click.option(
    "--raw",
    is_flag=True,
    help="The prompt as it stands: no chat template, special tokens in it recognised.",
)
@click.option(
    "--prefill", default="", metavar="TEXT", help="How the answer begins; not part of the output."
)
@sampler_options
@click.option(
    "--max-tokens",
    type=click.IntRange(0),
    default=512,
    metavar="N",
    help="The longest answer, in tokens. Default: 512.",
)
@click.option(
    "--stop", multiple=True, metavar="TEXT", help="End the answer before this text; repeatable."
)
@trace_option
@format_option
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
                loaded,
                settings,
                seed=seed,
                system=system,
                date=date_of(date),
                trace=writer,
                progress=progress if sys.stderr.isatty() else quiet,
            )
            note_calibration(loaded, session.calibration)
            if seed is None and settings.temperature is not None:
                click.echo(f"seed: {session.seed}", err=True)
            turn = session.send(text, max_tokens=max_tokens, stop=stop, prefill=prefill, raw=raw)
            with graceful(session.stop):
                summary = _stream(session.header, turn, Output(cast(Format, format_)))
        click.echo(summary.line(session.seed), err=True)
        return INTERRUPTED if summary.finish_reason == "interrupted" else 0
    finally:
        if writer:
            writer.close()
        release_thread()


def _stream(header: RunHeader, turn: "Generator[TurnRecord]", output: Output) -> Summary:
    """Write the answer as it comes."""
    summary = Summary()
    try:
        for record in chain((header, next(turn)), turn):  # begun, so that it comes to an end
            summary.add(record)
            output.write(record)
    finally:
        turn.close()  # the trace gets its end, whatever stopped us
        output.finish()
    return summary
