"""`entropix-mlx generate`: one prompt, one answer."""

import shlex
import sys
from collections.abc import Generator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entropix_mlx.cli.exit_status import INTERRUPTED, debug_option, graceful
from entropix_mlx.cli.input import AskedPrompt, read_prompts, read_text
from entropix_mlx.cli.options import SessionOptions, load_model, session_options, writers
from entropix_mlx.cli.output import Format, Output, format_option
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import tell
from entropix_mlx.debugger.breakpoints import Breakpoints
from entropix_mlx.records.lost import LOST, sentence
from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import UsageError
from entropix_models.progress import quiet

if TYPE_CHECKING:
    from entropix_mlx.records.record import TurnRecord
    from entropix_mlx.session.session import Session
    from entropix_mlx.session.turn import Turn
    from entropix_models.language_model import LanguageModel


@click.command()
@click.argument("prompt", required=False)
@session_options(least_tokens=0)
@click.option(
    "--raw",
    is_flag=True,
    help="The prompt as it stands: no chat template, special tokens in it recognised.",
)
@click.option(
    "--prefill", default="", metavar="TEXT", help="How the answer begins; not part of the output."
)
@click.option(
    "--stop", multiple=True, metavar="TEXT", help="End the answer before this text; repeatable."
)
@click.option(
    "--break",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Stop before the token for which this holds, and report it: 'entropy > 3 and rank > 1'. A "
    "planned stop: status 0.",
)
@click.option(
    "--prompts",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    metavar="FILE",
    help='A prompt a line, or JSON Lines with {"prompt": "..."}; --trace is then a folder of '
    "traces, with which a run that was broken off goes on.",
)
@click.option(
    "-n",
    "--samples",
    type=click.IntRange(1, 10_000),
    default=1,
    metavar="N",
    help="Answers to each prompt, each by a seed that follows from --seed. Default: 1.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 256),
    default=8,
    metavar="N",
    help="Of several answers so many are decoded side by side. Default: 8.",
)
@format_option
@debug_option
def generate(
    prompt: str | None,
    raw: bool,
    prefill: str,
    stop: tuple[str, ...],
    conditions: tuple[str, ...],
    prompts: Path | None,
    samples: int,
    rows: int,
    format_: Format,
    asked: SessionOptions,
) -> int:
    """Generate text and show the model's uncertainty at each token.

    PROMPT is read from standard input for -, or if it is not given and standard input is no
    terminal. A valley, of which the summary tells how many there were, is where the entropy,
    averaged over the last 20 tokens or so, turned from a fall into a rise.

    Several answers, of --prompts or -n, are decoded side by side and written in order, in jsonl one
    object for each.
    """
    if prompts is not None or samples > 1:
        return _several(
            _asked_prompts(prompt, prompts, conditions, asked),
            asked,
            format_,
            samples=samples,
            rows=rows,
            stop=stop,
            raw=raw,
            prefill=prefill,
        )
    breakpoints = Breakpoints()
    for condition in conditions:
        breakpoints.add(condition)
    text = read_text(prompt)
    if raw and asked.system:
        raise UsageError("--raw takes no --system: write it into the prompt")

    from entropix_models.devices import release_thread

    try:
        with writers(asked.trace, asked.trace_attention) as written, stderr_progress() as progress:
            loaded = load_model(asked.model, asked.device, progress)
            raw |= _has_no_template(loaded, asked, raw)
            told = progress if sys.stderr.isatty() else quiet
            session = asked.begin(loaded, written, told)
            request = TurnRequest(
                text, max_tokens=asked.max_tokens, stop=stop, raw=raw, prefill=prefill
            )
            output = Output(format_)
            halted: list[str] = []
            if conditions:
                records = _until(session, session.prepare(request), breakpoints, halted)
            else:
                records = session.run(request)
            with graceful(session.stop):
                summary = _stream(session.header, records, output)
        tell(summary.line(session.seed))
        if halted:
            again = _command(text, session.seed, click.get_current_context().params)
            tell("\n".join([*halted, f"step on from here: {again}"]))
            return 0
        return INTERRUPTED if summary.finish_reason == "interrupted" else 0
    finally:
        release_thread()


def _asked_prompts(
    prompt: str | None, file: Path | None, conditions: tuple[str, ...], asked: SessionOptions
) -> list[AskedPrompt]:
    """Raises UsageError for what several answers cannot have."""
    if file is not None and prompt is not None:
        raise UsageError("give a PROMPT or --prompts, not both")
    if conditions:
        raise UsageError("--break looks at one answer: leave out --prompts and -n")
    if asked.trace_attention:
        raise UsageError("--trace-attention goes with one answer: leave out --prompts and -n")
    if asked.max_tokens < 1:
        raise UsageError("--max-tokens 0 goes with one answer: leave out --prompts and -n")
    return read_prompts(file) if file is not None else [AskedPrompt("1", read_text(prompt))]


def _several(
    prompts: list[AskedPrompt],
    asked: SessionOptions,
    format_: Format,
    *,
    samples: int,
    rows: int,
    **said: Any,
) -> int:
    """Answers to several prompts, or several to one."""
    from entropix_mlx.cli.answers import Many, answers_of, write_all
    from entropix_models.devices import release_thread

    if said["raw"] and asked.system:
        raise UsageError("--raw takes no --system: write it into the prompt")
    try:
        with stderr_progress() as progress:
            loaded = load_model(asked.model, asked.device, progress)
            said["raw"] |= _has_no_template(loaded, asked, said["raw"])
            answers = answers_of(loaded, asked, rows)
            many = Many(prompts, samples, **said)
            with graceful(answers.stop):
                return 0 if write_all(answers, asked, many, format_, progress) else INTERRUPTED
    finally:
        release_thread()


def _has_no_template(loaded: "LanguageModel", asked: SessionOptions, raw: bool) -> bool:
    """Whether the prompt is taken raw though nobody said so, which is told."""
    if raw or loaded.tokenizer.has_chat_template:
        return False
    if asked.system:
        raise UsageError(f"{loaded.info.name} has no chat template: no --system")
    tell(f"note: {loaded.info.name} has no chat template; raw prompt")
    return True


def _until(
    session: "Session", turn: "Turn", breakpoints: Breakpoints, halted: list[str]
) -> "Generator[TurnRecord]":
    """The turn's records up to a breakpoint, which is reported in `halted`."""
    from entropix_mlx.debugger.debugger import Debugger
    from entropix_mlx.debugger.outputs import Halt, Message
    from entropix_mlx.debugger.text import report

    debugger = Debugger(session)
    debugger.breakpoints = breakpoints
    try:
        for output in chain(debugger.begin(turn), debugger.onwards()):
            if isinstance(output, Halt):
                if output.hits:
                    halted += map(escaped, report(debugger, output))
                    break
            elif isinstance(output, Message):
                tell("\n".join(map(escaped, output.lines)))
            elif isinstance(output, PromptRecord | TokenRecord | Event | End):
                yield output
        yield from debugger.leave("break")
    finally:
        debugger.leave()


def _command(text: str, seed: int, given: dict[str, Any]) -> str:
    """The command that opens the same point in the debugger's screen."""
    words = ["entropix-tui", "step", text, "--seed", str(seed)]
    for name, option in (("model", "--model"), ("system", "--system"), ("sampler", "--sampler")):
        if given[name]:
            words += [option, given[name]]
    for name, option in (("overrides", "--set"), ("conditions", "--break")):
        for value in given[name]:
            words += [option, value]
    if given["date"]:
        words += ["--date", given["date"].date().isoformat()]
    return shlex.join(words)


def _stream(header: RunHeader, turn: "Generator[TurnRecord]", output: Output) -> Summary:
    """Write the answer as it comes."""
    summary = Summary()
    try:
        for record in chain((header, next(turn)), turn):  # begun, so that it comes to an end
            summary.add(record)
            output.write(record)
            if isinstance(record, Event) and record.kind == LOST:
                tell(f"note: {sentence(record)}")
    finally:
        turn.close()  # the trace gets its end, whatever stopped us
        output.finish()
    return summary
