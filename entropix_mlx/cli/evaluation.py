"""What commands that evaluate have in common: options, what a folder knows of them, progress."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entropix_mlx.cli.estimate import Estimate
from entropix_mlx.cli.exit_status import graceful
from entropix_mlx.cli.options import load_model, model_options, note_calibration
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import tell
from entropix_mlx.evaluation.item import Items
from entropix_mlx.evaluation.recorder import Recorder, slug
from entropix_mlx.evaluation.task import Task
from entropix_mlx.evaluation.task import named as task_named
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel

ITEMS = 100
"""So many, if nobody says how many."""

_OPTIONS = (
    model_options,
    click.option(
        "--task",
        metavar="NAME|FILE",
        help="One of eval --list, or JSON Lines with a prompt and an answer.",
    ),
    click.option(
        "-n",
        "--items",
        type=click.IntRange(1),
        metavar="N",
        help=f"Items of the task. Default: {ITEMS}.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(1, 1000),
        metavar="K",
        help="Answers to an item of each sampler that draws, by seeds that all share. Default: 1.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**62),
        metavar="N",
        help="Of the items and of the answers. Default: 1.",
    ),
    click.option(
        "--rows",
        type=click.IntRange(1, 256),
        metavar="N",
        help="Answers decoded side by side. Default: 8.",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(1),
        metavar="N",
        help="The longest answer. Default: the task's own.",
    ),
    click.option("--system", metavar="TEXT", help="A system message before each prompt."),
    click.option(
        "--out",
        type=click.Path(path_type=Path, readable=False),
        metavar="DIR",
        help="Where everything is kept. Named alone it is all that a run needs to go on. Default: "
        "the command and the task (eval-easy).",
    ),
)


@dataclass(frozen=True)
class EvaluationOptions:
    """What was asked for, None where it was not; `folder` knows the rest, or there is a default."""

    model: str | None
    device: str
    task: str | None
    items: int | None
    samples: int | None
    seed: int | None
    rows: int | None
    max_tokens: int | None
    system: str | None
    out: Path | None

    def folder(self, command: str) -> Recorder:
        """Where the run is, or will be. Raises UsageError if nobody said which."""
        if self.out is None and self.task is None:
            raise UsageError(
                "no task: name one with --task (eval --list has them), or with --out the folder "
                "of a run to go on with"
            )
        return Recorder(self.out or Path(slug(f"{command}-{Path(self.task or '').stem}")))

    def known(self, there: Mapping[str, Any]) -> "EvaluationOptions":
        """With what a folder's run has for what was not asked. Raises UsageError without a task."""
        if self.task is None and "task" not in there:
            raise UsageError(f"{self.out} has no run to go on with: name a --task")

        def of(name: str, default: Any = None) -> Any:
            given = getattr(self, name)
            return there.get(name, default) if given is None else given

        return EvaluationOptions(
            model=there.get("source") if self.model is None else self.model,
            device=there.get("device", "auto") if self.device == "auto" else self.device,
            task=of("task"),
            items=of("items", ITEMS),
            samples=max(self.samples or 1, there.get("samples", 1)),
            seed=of("seed", 1),
            rows=of("rows", 8),
            max_tokens=of("max_tokens"),
            system=of("system", ""),
            out=self.out,
        )

    def chosen(self) -> Task:
        """Raises UsageError."""
        assert self.task is not None
        return task_named(self.task)


def evaluation_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options, which the command gets as `asked`: `EvaluationOptions`."""
    fields = EvaluationOptions.__dataclass_fields__

    @functools.wraps(command)
    def gathered(**given: Any) -> int:
        own = {name: given.pop(name) for name in [*given] if name in fields}
        return command(asked=EvaluationOptions(**own), **given)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def items_of(task: Task, asked: EvaluationOptions) -> Items:
    """A task's items; what of its source could not be used is told."""
    assert asked.items is not None
    assert asked.seed is not None
    with stderr_progress() as progress:
        found = task.items(asked.items, asked.seed, progress)
    for problem in found.problems:
        tell(f"note: {escaped(problem)}")
    if found.left_out > len(found.problems):
        tell(f"note: {found.left_out} in all could not be used")
    if not found.items:
        raise UsageError(f"{task.spelt} has no items that can be used")
    if len(found.items) < asked.items:
        tell(f"note: {task.spelt} has {len(found.items)} items, not {asked.items}")
    return found


def loaded(asked: EvaluationOptions) -> "LanguageModel":
    """The model; what is provisional about it is told."""
    from entropix_mlx.decoding.make_records import calibration_of

    with stderr_progress() as progress:
        model = load_model(asked.model, asked.device, progress)
    note_calibration(model, calibration_of(model), asked.model)
    if not model.tokenizer.has_chat_template:
        tell(f"note: {model.info.name} has no chat template; raw prompts")
    return model


def answered(
    model: "LanguageModel",
    task: Task,
    items: Items,
    samplers: Mapping[str, Settings],
    folder: Recorder,
    asked: EvaluationOptions,
) -> bool:
    """Have all answered that is not; whether that came to its end."""
    from entropix_mlx.evaluation.evaluation import Evaluation, Terms

    assert asked.seed is not None
    assert asked.samples is not None
    assert asked.rows is not None
    terms = Terms(
        source=asked.model,
        seed=asked.seed,
        samples=asked.samples,
        rows=asked.rows,
        max_tokens=asked.max_tokens,
        system=asked.system or "",
    )
    evaluation = Evaluation(model, task, items, samplers, folder, terms)
    missing = evaluation.missing()
    if len(missing) < evaluation.total:
        there = evaluation.total - len(missing)
        tell(f"{there} of {evaluation.total} answers are there already")
    shown, done, tokens = Estimate("answers", len(missing)), 0, 0
    if evaluation.answers.lacks is not None:
        tell(f"note: {evaluation.answers.lacks}")
    try:
        with graceful(evaluation.stop):
            shown.told(0, 0)
            for result in evaluation.run():
                done, tokens = done + 1, tokens + result.tokens
                shown.told(done, tokens)
    finally:
        shown.close()
    return done == len(missing)
