"""`entropix-mlx eval`: a task, answered by several samplers, and what it comes to."""

from pathlib import Path

import click

from entropix_mlx.cli.evaluation import (
    EvaluationOptions,
    answered,
    evaluation_options,
    items_of,
    loaded,
)
from entropix_mlx.cli.exit_status import INTERRUPTED, debug_option
from entropix_mlx.cli.output import columns
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say, tell
from entropix_mlx.evaluation.sampler_text import samplers_of
from entropix_mlx.evaluation.task import declared
from entropix_mlx.terminal.visible import escaped

SAMPLERS = ("greedy", "temperature", "min-p", "calibrated")
"""Compared if none is named."""


@click.command()
@evaluation_options
@click.option(
    "--sampler",
    "texts",
    multiple=True,
    metavar='"NAME [KEY=VALUE ...]"',
    help='A preset, links, or one of your own, perhaps with settings ("min-p min_p=0.1"); '
    f"repeatable. Default: {', '.join(SAMPLERS)}.",
)
@click.option("--report", is_flag=True, help="Only write the table, the page and the pictures.")
@click.option("--list", "lists", is_flag=True, help="Say which tasks there are.")
@debug_option
def eval(texts: tuple[str, ...], report: bool, lists: bool, asked: EvaluationOptions) -> int:
    """Have samplers answer the items of a task, and compare them.

    All answer the same items by the same seeds, side by side. Each answer is judged and kept with
    its trace, which `entropix-tui replay` opens. The table has intervals from a paired bootstrap
    over items; the folder has a page, pictures and Parquet beside it. A run that was broken off
    goes on with --out DIR; more samplers, or more samples, can be asked of it.
    """
    if lists:
        for line in columns(_listed()):
            say(line)
        return 0
    folder = asked.folder("eval")
    if report:
        return _report(folder.path)
    there = folder.run.read()
    asked = asked.known(there)
    task = asked.chosen()
    kept = there.get("samplers", {})
    samplers = samplers_of(texts or (() if kept else SAMPLERS), kept)
    items = items_of(task, asked)

    from entropix_models.devices import release_thread

    try:
        is_over = answered(loaded(asked), task, items, samplers, folder, asked)
    finally:
        release_thread()
    status = _report(folder.path)
    if not is_over:
        tell(f"interrupted; entropix-mlx eval --out {escaped(str(folder.path))} goes on")
    return status if is_over else INTERRUPTED


def _listed() -> list[tuple[str, str]]:
    """Each as it is named, in brackets what it need not be given."""
    found = []
    for name, kind in declared().items():
        behind = f":{kind.argument}" if kind.argument else ""
        if behind and not kind.needs_argument:
            behind = f"[{behind}]"
        found.append((name + behind, kind.summary))
    return found


def _report(folder: Path) -> int:
    from entropix_mlx.evaluation import report_text
    from entropix_mlx.evaluation.documents import write

    with stderr_progress() as progress:
        made = write(folder, progress)
    for sentence in made.lacking:
        tell(f"note: {sentence}")
    say(report_text.plain(made.report).removesuffix("\n"))
    tell(f"every answer, with its trace: {escaped(str(folder / 'report.html'))}")
    return 0
