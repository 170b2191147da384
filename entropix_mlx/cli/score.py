"""`entropix-mlx score`: what surprised the model in a text."""

import sys
import threading
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.exit_status import INTERRUPTED, debug_option, graceful
from entropix_mlx.cli.input import read_text
from entropix_mlx.cli.options import (
    Writers,
    load_model,
    model_options,
    note_calibration,
    trace_options,
    writers,
)
from entropix_mlx.cli.output import Format, Output, format_option
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import tell
from entropix_mlx.cli.surprisal import painted, ranked
from entropix_mlx.records.lost import lost, sentence
from entropix_mlx.records.record import End, Event, FinishReason, Record, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.records.tree import ROOT
from entropix_models.progress import quiet

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel


@click.command()
@click.argument("text", required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Read the text from a file, byte for byte.",
)
@model_options
@click.option("--no-bos", is_flag=True, help="Add no beginning-of-sequence token.")
@trace_options
@format_option
@debug_option
def score(
    text: str | None,
    file: Path | None,
    model: str | None,
    device: str,
    no_bos: bool,
    trace: Path | None,
    trace_attention: bool,
    format_: Format,
) -> int:
    """Score a given text: what surprised the model in it.

    On a terminal every token has the colour of its surprisal, in bits; then come those that
    surprised most, each beside what was expected in its place. A valley is where the entropy,
    averaged over the last 20 tokens or so, turned from a fall into a rise.

    TEXT is read from standard input for -, or if neither it nor --file is given and standard
    input is no terminal. Special tokens in it are recognised; nothing is added but the
    beginning-of-sequence token, where the tokenizer adds one.
    """
    given = read_text(text, file)

    from entropix_models.devices import release_thread

    try:
        with writers(trace, trace_attention) as written:
            with stderr_progress() as progress:
                loaded = load_model(model, device, progress)
            output = Output(format_)
            return _stream(loaded, model, given, output, written, bos=not no_bos)
    finally:
        release_thread()


def _stream(
    model: "LanguageModel",
    named: str | None,
    text: str,
    output: Output,
    written: Writers,
    *,
    bos: bool,
) -> int:
    """Write the records and their summary; the exit status."""
    from entropix_mlx.decoding.make_records import calibration_of, header_of
    from entropix_mlx.decoding.score import score as score_ids
    from entropix_mlx.sampling.valleys import marked

    writer, attention = written
    tokenizer = model.tokenizer
    ids = tokenizer.encode(text, special=True, bos=bos and tokenizer.adds_bos)
    calibration = calibration_of(model)
    note_calibration(model, calibration, named)
    summary = Summary()
    kept: list[TokenRecord | Event] = []

    def write(record: Record) -> None:
        if writer:
            writer.write(record)
        summary.add(record)
        if output.format != "color":
            output.write(record)
        if output.format != "jsonl" and isinstance(record, TokenRecord | Event):
            kept.append(record)

    stopped = threading.Event()
    began = time.perf_counter()
    reason: FinishReason = "error"
    streams = sys.stdout.isatty() and output.format != "color"
    shown = nullcontext(quiet) if streams else stderr_progress()
    try:
        with graceful(stopped.set), shown as progress:
            scored = score_ids(
                model,
                ids,
                calibration,
                partial(progress, "scoring"),
                None if attention is None else attention.add,
            )
            records = marked(scored, calibration.valley_delta)
            write(header_of(model, None, calibration, seed=None, date=None))
            if places := tokenizer.lost(text):
                write(event := lost(ROOT, text, places))
                tell(f"note: {sentence(event)}")
            for record in records:
                write(record)
                if stopped.is_set():
                    break
            reason = "interrupted" if stopped.is_set() else "stop"
        if output.format == "color":  # a valley is known some tokens after its minimum
            output.put(painted(kept, output.depth))
    except (KeyboardInterrupt, BrokenPipeError):
        reason = "interrupted"
        raise
    finally:  # whatever stopped us, what was scored is a whole trace
        end = End(
            leaf=summary.tokens - 1,
            finish_reason=reason,
            tokens=summary.tokens,
            seconds=time.perf_counter() - began,
            prefill_seconds=0.0,
        )
        if writer and writer.count:
            writer.write(end)
        output.finish()
    summary.add(end)
    output.write(end)
    for line in ranked([record for record in kept if isinstance(record, TokenRecord)]):
        tell(line)
    tell(f"{summary.line()} · {_fit(summary)}")
    return INTERRUPTED if reason == "interrupted" else 0


def _fit(summary: Summary) -> str:
    if summary.bits_per_byte is None or summary.excess is None:
        return "nothing measured"
    return (
        f"{summary.bits_per_byte:.3f} bits per byte · "
        f"log-perplexity minus mean entropy {summary.excess:+.2f} bits"
    )
