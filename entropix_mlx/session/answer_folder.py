"""The traces of many answers in one folder, which a run that was broken off goes on with."""

from pathlib import Path

from entropix_mlx.records.record import End, PromptRecord, TurnRecord
from entropix_mlx.session.answers import Asked
from entropix_mlx.session.run_file import RunFile
from entropix_mlx.trace.trace import TraceWriter, read_trace
from entropix_models.errors import TraceError, UsageError
from entropix_models.paths import disk_errors


class AnswerFolder:
    """One trace for each answer: `0003-2.jsonl` is the second to the third prompt."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for what is no folder, EntropixError for a disk that refuses."""
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is no folder: traces of several answers need one")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.run = RunFile(path)

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
