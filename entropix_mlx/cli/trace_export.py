"""`entropix-mlx trace export`: what was recorded, as a page, a picture, a table or a text."""

import os
from functools import partial
from pathlib import Path

import click

from entropix_mlx.cli.exit_status import debug_option
from entropix_mlx.cli.input import branch_option, read, trace_file
from entropix_mlx.cli.say import hand_over, tell
from entropix_mlx.export.formats import FORMATS, by_ending, write
from entropix_mlx.export.passage import Passage
from entropix_mlx.export.svg import WIDTH, svg
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError, UsageError

_STDOUT = Path("-")


@click.command()
@click.argument("file", type=trace_file)
@click.option(
    "--to",
    "name",
    type=click.Choice(list(FORMATS)),
    help="What to make. Default: what --out's ending says, else html.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    metavar="PATH|-",
    help="Where to; what is there is replaced. Default: beside FILE, where nothing is replaced.",
)
@branch_option
@click.option(
    "--width",
    type=click.IntRange(20, 1000),
    default=WIDTH,
    metavar="COLUMNS",
    help=f"Where an svg's lines are wrapped. Default: {WIDTH}.",
)
@debug_option
def export(file: Path, name: str | None, out: Path | None, branch: int | None, width: int) -> int:
    """Make a page of a trace, or a picture, a table or a text.

    html is one file that works without a network; svg is the text as a terminal shows it; csv and
    json have a row for each token; md and txt have what was said.
    """
    name = name or _name_of(out)
    passage = Passage.of_trace(read(file), branch)
    make = partial(svg, width=width) if name == "svg" else FORMATS[name].make
    if out == _STDOUT:
        hand_over(make(passage))
        return 0
    target = _beside(file, name) if out is None else out
    if target.exists() and target.samefile(file):
        raise UsageError(f"{target} is the trace itself: name another file with --out")
    try:
        write(target, make(passage))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EntropixError(f"cannot write {target}: {reason}; choose another path") from error
    tell(f"written: {escaped(str(target))}")
    return 0


def _name_of(out: Path | None) -> str:
    """The format that the output's name asks for. Raises UsageError."""
    if out is None or out == _STDOUT:
        return "html"
    if (name := by_ending(out)) is None:
        endings = ", ".join(format.endings[0] for format in FORMATS.values())
        raise UsageError(f"--out {out}: give --to, or a name that ends with {endings}")
    return name


def _beside(file: Path, name: str) -> Path:
    """A name like the trace's that is not taken. Raises UsageError."""
    target = file.with_suffix(FORMATS[name].endings[0])
    if os.path.lexists(target):
        raise UsageError(f"{target} is there already: --out {target} replaces it")
    return target
