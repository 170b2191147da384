"""Keeps a run in its folder as it is made: items, a line for each answer, traces."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from entropix_mlx.evaluation import run_folder
from entropix_mlx.evaluation.item import Item, Result
from entropix_mlx.evaluation.run_folder import ITEMS, RESULTS, Problems
from entropix_mlx.session.answer_folder import AnswerFolder
from entropix_mlx.session.run_file import RunFile
from entropix_models.errors import UsageError
from entropix_models.paths import disk_errors, write_whole

TRACES = "traces"

_GROWS = ("samples", "rows", "source", "asked")
"""What may differ when a run goes on."""


class Recorder:
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
            grown = {name: there[name] for name in _GROWS if name in there}
            self.run.require({**run, **grown, "samplers": same})
        lines = b"".join(msgspec.json.encode(item) + b"\n" for item in items)
        path = self.path / ITEMS
        with disk_errors(path):
            if path.exists() and path.read_bytes() != lines:
                raise UsageError(
                    f"{path} has other items than the task gives now: name another folder"
                )
        write_whole(path, lines)
        self.run.write(run)
        self._cut()

    def answered(self) -> set[tuple[str, str, int]]:
        """Sampler, item and sample of every answer that is there; lines that cannot be read are
        none. Raises EntropixError for a file that cannot be read.
        """
        found = run_folder.results(self.path, Problems())
        return {(one.sampler, one.item, one.sample) for one in found}

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
