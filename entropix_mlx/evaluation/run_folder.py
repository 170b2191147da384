"""A run on disk: what was asked, the items, a line for each answer, and its trace."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from entropix_mlx.evaluation.item import Item, Result
from entropix_mlx.session.answer_folder import AnswerFolder
from entropix_mlx.session.run_file import RunFile
from entropix_models.errors import DamagedFileError, UsageError
from entropix_models.paths import disk_errors, write_whole

ITEMS, RESULTS, TRACES = "items.jsonl", "results.jsonl", "traces"

Kind = TypeVar("Kind")


class RunFolder:
    """`run.json`, `items.jsonl`, `results.jsonl` and `traces/SAMPLER/0001-1.jsonl`.

    A line of results is written as its answer ends; one that is not finished is cut off when the
    run goes on, so that at most the answers under way are lost.
    """

    def __init__(self, path: Path) -> None:
        """Raises UsageError for what is no folder."""
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is no folder: name one for the answers")
        self.path = path
        self.run = RunFile(path)

    def go_on(self, run: dict[str, Any], items: Sequence[Item]) -> None:
        """Be the folder of a run, which may have more samplers and samples than it had.

        Raises UsageError if what is here is another's, EntropixError for a disk that refuses.
        """
        there = self.run.read()
        if there:
            same = {name: run["samplers"].get(name) for name in there.get("samplers", {})}
            grown = {name: there[name] for name in ("samples", "rows", "source") if name in there}
            self.run.require({**run, **grown, "samplers": same})
        lines = b"".join(msgspec.json.encode(item) + b"\n" for item in items)
        path = self.path / ITEMS
        if path.exists() and path.read_bytes() != lines:
            raise UsageError(f"{path} has other items than the task gives now: name another folder")
        write_whole(path, lines)
        self.run.write(run)
        self._cut()

    def items(self) -> list[Item]:
        """Raises DamagedFileError."""
        return list(_lines(self.path / ITEMS, Item))

    def results(self) -> Iterator[Result]:
        """What was answered, one by one. Raises DamagedFileError."""
        return _lines(self.path / RESULTS, Result)

    def writer(self) -> "ResultWriter":
        return ResultWriter(self.path / RESULTS)

    def traces(self, sampler: str) -> AnswerFolder:
        """Where a sampler's answers are kept, one trace each."""
        return AnswerFolder(self.path / TRACES / slug(sampler))

    def _cut(self) -> None:
        """Leave out a last line that was not finished."""
        path = self.path / RESULTS
        if not path.exists():
            return
        with disk_errors(path), path.open("rb+") as file:
            end = file.seek(0, 2)
            while end:
                begin = max(0, end - 65536)
                file.seek(begin)
                found = file.read(end - begin).rfind(b"\n")
                if found >= 0:
                    file.truncate(begin + found + 1)
                    return
                end = begin
            file.truncate(0)


class ResultWriter:
    """Adds lines, each flushed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with disk_errors(path):
            self._file = path.open("ab")

    def write(self, result: Result) -> None:
        """Raises EntropixError for a disk that refuses."""
        with disk_errors(self._path):
            self._file.write(msgspec.json.encode(result) + b"\n")
            self._file.flush()

    def close(self) -> None:
        with disk_errors(self._path):
            self._file.close()


def slug(name: str) -> str:
    """A sampler's name as a folder's: two names never have the same."""
    plain = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", name)[:80]
    if plain == name and plain not in (".", ".."):
        return plain
    return f"{plain}-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"


def _lines(path: Path, kind: Callable[..., Kind]) -> Iterator[Kind]:
    """The whole lines of a file; none of one that is not there."""
    decode = msgspec.json.Decoder(kind).decode
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield decode(line)
                except msgspec.DecodeError as error:
                    raise DamagedFileError(
                        f"{path}, line {number} cannot be read ({error}): remove the line, its "
                        "answer is made again"
                    ) from error
    except FileNotFoundError:
        return
