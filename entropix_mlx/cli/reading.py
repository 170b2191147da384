"""Traces that a command is given."""

from pathlib import Path

import click

from entropix_mlx.terminal.visible import escaped
from entropix_mlx.trace.trace import Trace, read_trace

trace_file = click.Path(path_type=Path, readable=False)
"""Not checked by click: what is no trace is no wrong usage."""

branch_option = click.option(
    "--branch",
    type=int,
    metavar="INDEX",
    help="The branch that ends at this record. Default: where the conversation stands.",
)


def read(path: Path) -> Trace:
    """A trace, what is wrong with it on standard error. Raises TraceError."""
    found = read_trace(path)
    for problem in found.problems:
        click.echo(f"note: {escaped(str(path))}: {escaped(problem)}", err=True)
    return found
