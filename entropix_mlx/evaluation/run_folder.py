"""What a run of an evaluation leaves in its folder, and what is wrong with that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from entropix_mlx.evaluation.item import PROBLEMS, Item, Result
from entropix_models.errors import DamagedFileError, EntropixError, UsageError, one_line

RUN, ITEMS, RESULTS = "run.json", "items.jsonl", "results.jsonl"

T = TypeVar("T")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: `run.json`.

    `source`: the model as the command line named it. `items`: how many there are; `samples`:
    answers to each, of a sampler that draws, `asked`: of each sampler. `samplers`: their settings,
    by what the command line has. `chance`: the share that guessing has right. `notes`: of the task.
    `problems`, `left_out`: of its source, see `Items`.
    """

    task: str
    source: str | None = None
    model: str
    revision: str | None = None
    device: str
    dtype: str | None = None
    seed: int
    items: int
    samples: int
    asked: dict[str, int]
    rows: int
    max_tokens: int
    system: str = ""
    date: str | None = None
    samplers: dict[str, dict[str, Any]]
    versions: dict[str, str] = {}
    judges: bool = True
    chance: float | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: int = 0


class Problems:
    """The first ones in words; the rest are counted."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    def add(self, sentence: str) -> None:
        if self.count < PROBLEMS:
            self.told.append(sentence)
        self.count += 1


def read(folder: Path) -> Run:
    """Raises UsageError for a folder of something else, DamagedFileError for a damaged file."""
    path = folder / RUN
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (FileNotFoundError, NotADirectoryError):
        what = "has no run.json" if folder.is_dir() else "is no folder"
        raise UsageError(
            f"{folder} {what}; name the folder that an evaluation was written to"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"{path} is damaged ({one_line(error)}); make the evaluation again"
        ) from error


def items(folder: Path, problems: Problems) -> Iterator[Item]:
    """In order. Raises EntropixError for a file that cannot be read, while it is."""
    return _lines(folder / ITEMS, Item, "item", problems)


def results(folder: Path, problems: Problems) -> Iterator[Result]:
    """In the order in which the answers ended; none if there is no file yet."""
    path = folder / RESULTS
    return _lines(path, Result, "result", problems) if path.exists() else iter(())


def _lines(path: Path, kind: type[T], what: str, problems: Problems) -> Iterator[T]:
    """A last line without its end is still being written."""
    decoder = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield decoder.decode(line)
                except (ValueError, RecursionError) as error:
                    problems.add(f"{path.name}, line {number}: no {what} ({one_line(error)})")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> EntropixError:
    reason = (error.strerror or str(error)).lower()
    return EntropixError(f"cannot read {path}: {reason}")
