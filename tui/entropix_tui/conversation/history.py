"""What was sent to the model, kept from one session to the next: JSON strings, one a line.

Programs that run side by side append to the same file; each sees what the others wrote when it
next starts. Whatever is wrong with the file, sending goes on.
"""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from entropix_models.paths import data_root

LIMIT = 1000
"""Texts that are kept; the file is cut back to them when it has grown to twice as many."""
LARGEST = 100_000
"""Characters of a text that is kept: longer ones were pasted and would fill the file."""


def history_path() -> Path:
    """`history.jsonl` where the project keeps its data."""
    return data_root() / "history.jsonl"


class History:
    """The texts, oldest first. Without a path they live in memory alone."""

    def __init__(self, path: Path | None = None, *, limit: int = LIMIT) -> None:
        self.path = path
        self.limit = limit
        self._texts: list[str] | None = None
        self._failed = False

    @property
    def texts(self) -> list[str]:
        """All of them; the file is read when they are first asked for."""
        if self._texts is None:
            self._texts = self._read()[-self.limit :]
        return self._texts

    def add(self, text: str) -> str | None:
        """Remember a text, unless it is the last one again.

        Returns one line for the user the first time that the file cannot be written.
        """
        texts = self.texts
        if texts and texts[-1] == text:
            return None
        texts.append(text)
        del texts[: -self.limit]
        if self.path is None or self._failed or len(text) > LARGEST:
            return None
        try:
            self._append(text)
        except OSError as error:
            self._failed = True
            return f"What you send is not remembered: {self.path}: {error.strerror or error}"
        return None

    def _read(self) -> list[str]:
        if self.path is None:
            return []
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return []  # if it cannot be written either, the first text sent will tell
        texts: list[str] = []
        for line in lines:
            try:
                text = json.loads(line)
                text.encode()  # a lone surrogate, written as an escape, is no text
            except (ValueError, AttributeError, RecursionError):
                continue
            if text and (not texts or texts[-1] != text):
                texts.append(text)
        return texts

    def _append(self, text: str) -> None:
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self.path):
            # What is said to a model is nobody else's business.
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(file).st_size
                torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
                os.write(file, b"\n" * torn + json.dumps(text).encode() + b"\n")
            finally:
                os.close(file)
            self._cut()

    def _cut(self) -> None:
        """Keep the newest texts, by a new file in place of one that has grown too long."""
        assert self.path is not None
        with self.path.open("rb") as file:
            lines = sum(1 for _ in file)
        if lines <= 2 * self.limit:
            return
        kept = self._read()[-self.limit :]
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with open(beside, "w", encoding="ascii", opener=_private) as file:
                file.writelines(json.dumps(text) + "\n" for text in kept)
            beside.replace(self.path)
        finally:
            beside.unlink(missing_ok=True)


class Recall:
    """A walk over what was written before, from a draft back and forth to it again."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.at: int | None = None
        """Position in the history; None: the draft."""
        self._draft = ""

    def move(self, step: int, written: str) -> str:
        """What stands `step` texts further, with `written` where the walk stands."""
        texts = self.history.texts
        at = (len(texts) if self.at is None else self.at) + step
        if at < 0 or (self.at is None and step > 0):
            return written
        if self.at is None:
            self._draft = written
        self.at = at if at < len(texts) else None
        return self._draft if self.at is None else texts[at]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _locked(path: Path) -> AbstractContextManager[object]:
    """Alone among the programs that write the file; where locks do not work, without one."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock", timeout=1)
    try:
        return lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        return nullcontext()
