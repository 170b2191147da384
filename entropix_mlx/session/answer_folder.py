"""The traces of many answers in one folder, which a run that was broken off goes on with."""

from pathlib import Path
from typing import Any

import msgspec

from entropix_mlx.records.record import End, PromptRecord, TurnRecord
from entropix_mlx.session.answers import Asked
from entropix_mlx.trace.trace import TraceWriter, read_trace
from entropix_models.errors import DamagedFileError, TraceError, UsageError
from entropix_models.paths import disk_errors, write_whole

_RUN = "run.json"
"""Says what the answers of a folder have in common."""


class AnswerFolder:
    """One trace for each answer: `0003-2.jsonl` is the second to the third prompt."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for what is no folder, EntropixError for a disk that refuses."""
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is no folder: traces of several answers need one")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        self.path = path

    def seed(self) -> int | None:
        """That of the run whose answers are here; None if there are none.

        Raises DamagedFileError.
        """
        found = self._run().get("seed")
        return found if isinstance(found, int) else None

    def go_on(self, run: dict[str, Any]) -> None:
        """Be the folder of a run; `run`: what its answers have in common.

        Raises UsageError if what is here is another's, EntropixError for a disk that refuses.
        """
        for name, value in self._run().items():
            now = run.get(name)
            if isinstance(value, dict) and isinstance(now, dict) and value != now:
                part = next(key for key in {**value, **now} if value.get(key) != now.get(key))
                name, value, now = f"{name}'s {part}", value.get(part), now.get(part)
            if now != value:
                raise UsageError(
                    f"{self.path} holds answers of a run whose {name} is {value!r}, not {now!r}: "
                    "name another folder"
                )
        write_whole(self.path / _RUN, msgspec.json.format(msgspec.json.encode(run)) + b"\n")

    def file(self, asked: Asked) -> Path:
        """An answer's trace."""
        return self.path / f"{asked.prompt + 1:04}-{asked.sample + 1}.jsonl"

    def open(self, asked: Asked) -> TraceWriter:
        """A writer of an answer's trace; what was there is replaced by the first record."""
        return TraceWriter(self.file(asked))

    def finished(self, asked: Asked, seed: int, prompt: str) -> list[TurnRecord] | None:
        """The records of an answer that came to its end; None where it has to be made.

        Raises UsageError if it is an answer to something else.
        """
        path = self.file(asked)
        if not path.exists():
            return None
        try:
            trace = read_trace(path)
        except TraceError:
            return None  # killed before its first line was whole
        said = [r.text for r in trace.records if isinstance(r, PromptRecord) and r.role == "user"]
        if said and (said != [prompt] or trace.header.seed != seed):
            raise UsageError(f"{path} answers another prompt: name another folder")
        last = trace.records[-1] if trace.records else None
        is_over = isinstance(last, End) and last.finish_reason in ("stop", "length", "exit")
        return list(trace.records) if is_over and not trace.problems else None

    def _run(self) -> dict[str, Any]:
        path = self.path / _RUN
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DamagedFileError(
                f"{path} cannot be read ({error}): name another folder"
            ) from error
