"""`entropix-mlx tune`: settings of samplers, looked for on half of a task, judged on the other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.evaluation import (
    EvaluationOptions,
    answered,
    evaluation_options,
    items_of,
    loaded,
)
from entropix_mlx.cli.exit_status import INTERRUPTED, debug_option
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say, tell
from entropix_mlx.evaluation import run_folder, search
from entropix_mlx.evaluation.item import Items
from entropix_mlx.evaluation.recorder import Recorder
from entropix_mlx.evaluation.run_folder import Problems
from entropix_mlx.evaluation.sampler_text import samplers_of
from entropix_mlx.records.measures import percent
from entropix_mlx.session.run_file import RunFile
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_mlx.evaluation.task import Task
    from entropix_models.language_model import LanguageModel

TRIALS = 16
"""Of each sampler, if nobody says how many."""


@click.command()
@evaluation_options
@click.option(
    "--sampler",
    "texts",
    multiple=True,
    metavar='"NAME [KEY=VALUE ...]"',
    help="What is tuned; what has a value here keeps it. Repeatable: each gets as many trials.",
)
@click.option(
    "--trials",
    type=click.IntRange(2, 1000),
    metavar="T",
    help=f"Of each sampler, the first as it is. Default: {TRIALS}.",
)
@click.option(
    "--over",
    multiple=True,
    metavar="KEY=LOW:HIGH",
    help="Look for this setting between these values, and for no others; repeatable.",
)
@debug_option
def tune(
    texts: tuple[str, ...], trials: int | None, over: tuple[str, ...], asked: EvaluationOptions
) -> int:
    """Look for a sampler's best settings, and say what they are worth on items they have not seen.

    Settings are drawn at random, by the seed, from the ranges that the sampler declares; every
    second item of the task judges them. The best of each sampler then answers the other items,
    beside the sampler as it is: only that tells what tuning is worth. A run that was broken off
    goes on with --out DIR.
    """
    folder = asked.folder("tune")
    run = RunFile(folder.path)
    there = run.read()
    asked = asked.known(there)
    task = asked.chosen()
    if not task.judges:
        raise UsageError(
            f"{task.spelt} has no right answers: nothing tells which settings are best"
        )
    named = list(samplers_of(texts, () if texts else there.get("tuned", ())))
    if not named:
        raise UsageError("no sampler: name what is to be tuned with --sampler")
    count: int = trials or there.get("trials", TRIALS)
    between: list[str] = list(over) or there.get("over", [])
    tried = {name: search.trials(name, count, asked.seed or 0, _ranges(between)) for name in named}
    for name, of in tried.items():
        if len(of) < 2:
            raise UsageError(f"{name} declares nothing to tune: name it with --over KEY=LOW:HIGH")
    items = items_of(task, asked)
    if len(items.items) < 2:
        raise UsageError(f"{task.spelt} has one item: tuning needs some to look and some to judge")
    values: dict[str, object] = {"tuned": named, "trials": count, "over": between}
    values |= {"task": task.spelt, "source": asked.model, "items": asked.items}
    values |= {"samples": asked.samples, "seed": asked.seed, "rows": asked.rows}
    values |= {"max_tokens": asked.max_tokens, "system": asked.system}
    run.require(values)
    run.write(values)

    from entropix_models.devices import release_thread

    try:
        is_over = _tuned(loaded(asked), task, items, tried, folder, asked)
    finally:
        release_thread()
    if not is_over:
        tell(f"interrupted; entropix-mlx tune --out {escaped(str(folder.path))} goes on")
    return 0 if is_over else INTERRUPTED


def _ranges(over: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Raises UsageError."""
    found = {}
    for text in over:
        name, _, ends = text.partition("=")
        low, _, high = ends.partition(":")
        try:
            found[name] = float(low), float(high)
        except ValueError:
            raise UsageError(f"--over {text!r}: give KEY=LOW:HIGH, as min_p=0.01:0.3") from None
    return found


def _tuned(
    model: "LanguageModel",
    task: "Task",
    items: Items,
    tried: Mapping[str, list[str]],
    folder: Recorder,
    asked: EvaluationOptions,
) -> bool:
    """Search, judge what was found, tell both; whether that came to its end."""
    from entropix_mlx.evaluation import report_text
    from entropix_mlx.evaluation.documents import write

    halves = [items._replace(items=items.items[n::2]) for n in (0, 1)]
    searched, held_out = (Recorder(folder.path / name) for name in ("search", "held-out"))
    everything = samplers_of(text for of in tried.values() for text in of)
    tell(f"looking among {len(everything)} on {len(halves[0].items)} items")
    if not answered(model, task, halves[0], everything, searched, asked):
        return False
    right = _right(searched)
    best = {name: search.best(right, of) for name, of in tried.items()}
    judged = dict.fromkeys(text for name, found in best.items() for text in (name, found))
    tell(f"judging {len(judged)} on the other {len(halves[1].items)}")
    if not answered(model, task, halves[1], samplers_of(judged), held_out, asked):
        return False
    with stderr_progress() as progress:
        write(searched.path, progress)
        made = write(held_out.path, progress)
    kept = _right(held_out)
    for name, found in best.items():
        better = "as it is" if found == name else found.removeprefix(f"{name} ")
        say(
            f"{escaped(name)}: {escaped(better)}; right where it was looked for "
            f"{percent(right[found])} (as it is {percent(right[name])}), on the items held out "
            f"{percent(kept[found])} (as it is {percent(kept[name])})"
        )
    say("")
    say(report_text.plain(made.report).removesuffix("\n"))
    return True


def _right(folder: Recorder) -> dict[str, float]:
    """Of each sampler the share of right answers."""
    found: dict[str, list[bool]] = {}
    for result in run_folder.results(folder.path, Problems()):
        found.setdefault(result.sampler, []).append(bool(result.right))
    return {name: sum(of) / len(of) for name, of in found.items()}
