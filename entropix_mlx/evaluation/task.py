"""What every task declares, and how one is made by its name.

A task is a module of the folder `tasks`, under whose name it is known, with one class in it.
`NAME:ARGUMENT` gives it an argument: the generator's name, or a file. Imports no MLX.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

from entropix_mlx.evaluation.item import Item, Items, Verdict
from entropix_mlx.sampling import folder
from entropix_mlx.sampling.parameters import did_you_mean
from entropix_models.errors import UsageError
from entropix_models.progress import Progress, quiet

Encode = Callable[[str], list[str]]
"""The tokens of a text, each as it reads."""


class Task(ABC):
    """Items by a seed, and a judge of the answers."""

    summary: ClassVar[str]
    """In a line, for the list of tasks."""
    argument: ClassVar[str | None] = None
    """What it can be given behind its name, in a word: FILE."""
    needs_argument: ClassVar[bool] = False
    max_tokens: ClassVar[int]
    """Of an answer."""
    stop: ClassVar[tuple[str, ...]] = ()
    """Texts that an answer ends before."""
    judges: ClassVar[bool] = True
    """Whether answers are right or wrong; otherwise they are only measured."""

    def __init__(self, argument: str | None = None) -> None:
        """Raises UsageError for an argument that it cannot have."""
        if argument is None and self.needs_argument:
            raise UsageError(f"{self.name} needs a {self.argument}: {self.name}:{self.argument}")
        if argument is not None and self.argument is None:
            raise UsageError(f"{self.name} takes nothing behind its name, not {argument!r}")
        self.given = argument

    @property
    def name(self) -> str:
        """Under which the command line knows it, without an argument."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @property
    def spelt(self) -> str:
        """As the command line has it."""
        return self.name if self.given is None else f"{self.name}:{self.given}"

    @abstractmethod
    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        """At most `n`, always the same ones for a seed; fewer where the source has no more.

        Raises EntropixError for a source that cannot be had or read.
        """

    @abstractmethod
    def judge(self, item: Item, text: str) -> Verdict:
        """What an answer comes to; `text` begins after the item's opening."""

    def chance(self, items: Sequence[Item]) -> float | None:
        """The share of right answers that guessing has, where every item says what it may be."""
        del items
        return None

    def notes(self, items: Sequence[Item], encode: Encode) -> list[str]:
        """What else is worth knowing beside the table, in lines."""
        del items, encode
        return []


@cache
def declared() -> dict[str, type[Task]]:
    """By name; `_` in a module's name is written `-`."""
    found = folder.declared("entropix_mlx.evaluation.tasks", Task)  # type: ignore[type-abstract]
    return {name.replace("_", "-"): kind for name, kind in found.items()}


def named(text: str) -> Task:
    """A task by what the command line says: its name, `NAME:ARGUMENT`, or a JSON Lines file.

    Raises UsageError.
    """
    name, colon, argument = text.partition(":")
    kinds = declared()
    if name in kinds:
        return kinds[name](argument if colon else None)
    if text.endswith((".jsonl", ".json")) or "/" in text:
        return kinds["jsonl"](text)
    raise UsageError(
        f"unknown task {text!r}{did_you_mean(name, kinds)}; tasks: {', '.join(kinds)}, "
        "or a JSON Lines file"
    )
