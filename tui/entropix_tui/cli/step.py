"""`entropix-tui step`: the debugger, on a screen or from a file of commands."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.exit_status import INTERRUPTED, graceful
from entropix_mlx.cli.input import read_text
from entropix_mlx.cli.options import SessionOptions, load_model, session_options, writers
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say
from entropix_mlx.debugger.breakpoints import Breakpoints
from entropix_models.errors import EntropixError, UsageError

if TYPE_CHECKING:
    from entropix_mlx.debugger.debugger import Debugger


@click.command()
@click.argument("prompt", required=False)
@session_options(least_tokens=1)
@click.option(
    "--break",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Halt before the token for which this holds: 'entropy > 3 and rank > 1'; repeatable.",
)
@click.option("--inject", metavar="TEXT", help="Insert this text where --at holds.")
@click.option("--at", metavar="CONDITION", help="Where to insert: 'entropy > 3 and step > 10'.")
@click.option(
    "--script",
    metavar="FILE",
    help="Do the commands of a file (-: standard input), one a line, without a screen.",
)
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def step(
    prompt: str | None,
    conditions: tuple[str, ...],
    inject: str | None,
    at: str | None,
    script: str | None,
    debug: bool,
    asked: SessionOptions,
) -> int:
    """Halt before each token: look, decide, go on, go back.

    `help` in the debugger lists its commands. With --break it goes on to the first token that is
    met; a session of the screen is saved like a chat.
    """
    lines = _first_lines(prompt, conditions, inject, at)
    if script is not None:
        commands = [*lines, *_commands(script)]

        from entropix_mlx.debugger.debugger import Debugger
        from entropix_models.devices import release_thread

        try:
            with writers(asked.trace, asked.trace_attention) as written:
                with stderr_progress() as progress:
                    loaded = load_model(asked.model, asked.device, progress)
                session = asked.begin(loaded, written)
                return _run(commands, Debugger(session, max_tokens=asked.max_tokens))
        finally:
            release_thread()

    from entropix_mlx.trace.archive import Archive
    from entropix_tui.cli.launch import require_terminal, show

    require_terminal("`--script FILE`, or `entropix-mlx generate --break CONDITION`")
    return show(asked, archive=Archive(), step=lines or [""], debug=debug)


def _first_lines(
    prompt: str | None, conditions: Iterable[str], inject: str | None, at: str | None
) -> list[str]:
    """The debugger's first commands, checked. Raises UsageError."""
    if (inject is None) != (at is None):
        raise UsageError("--inject TEXT and --at CONDITION belong together")
    for condition in (*conditions, *([at] if at is not None else [])):
        Breakpoints().add(condition)  # columns are those of what was typed
    points = [f"break {condition}" for condition in conditions]
    if inject is not None:
        points.append(f"break {at} do inject {json.dumps(inject)}")
        Breakpoints().add(points[-1])
    if prompt is None:
        return points
    if not prompt.strip():
        raise UsageError("the prompt is empty; give some text")
    return [*points, f"ask {json.dumps(prompt)}", *(["continue"] if points else [])]


def _commands(script: str) -> list[str]:
    """The lines of a script. Raises EntropixError where it cannot be read."""
    text = read_text("-") if script == "-" else read_text(None, Path(script))
    return [line for line in text.splitlines() if line.strip()]


def _run(commands: Iterable[str], debugger: "Debugger") -> int:
    """Do commands one after another; what they give goes to standard output. Exit status."""
    from entropix_mlx.debugger.commands import execute
    from entropix_mlx.debugger.outputs import Refused
    from entropix_mlx.debugger.text import lines

    stopped: list[bool] = []

    def stop() -> None:
        stopped.append(True)
        debugger.stop()

    try:
        with graceful(stop):
            for command in commands:
                say(f"(step) {command}")
                for output in execute(debugger, command):
                    for line in lines(debugger, output):
                        say(line)
                    if isinstance(output, Refused):
                        raise EntropixError(f"{command!r} could not be done: {output.message}")
                    sys.stdout.flush()
                if stopped:
                    return INTERRUPTED
    finally:
        debugger.leave()
    return 0
