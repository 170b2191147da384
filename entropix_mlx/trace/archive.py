"""Saved sessions: each is a trace in a folder, beside it the cache that it ended with, and its
attention if that was asked for.
"""

import datetime
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from entropix_mlx.trace.trace import TraceWriter, attention_beside
from entropix_models.errors import EntropixError, UsageError
from entropix_models.paths import data_root, disk_errors

CACHES = 2 * 2**30
"""Bytes that the kept caches may take; the oldest go first. Without one a session is read again."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LOOKED_AT = 4 * 2**20
"""Bytes of a session's beginning in which its title is looked for."""


class Saved(NamedTuple):
    """A session in the list. `title` is the first thing said; `model` empty if it is damaged."""

    name: str
    title: str
    model: str
    modified: datetime.datetime
    size: int


class _Line(msgspec.Struct):
    type: str = ""
    model: str = ""
    role: str = ""
    text: str = ""


class Archive:
    """The sessions in a folder, by default the user's own."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data_root() / "sessions"

    def path(self, name: str) -> Path:
        """A session's trace. Raises UsageError for what cannot be a name."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a session: use letters, digits, dots, dashes, underscores"
            )
        return self.root / f"{name}.jsonl"

    def cache(self, name: str) -> Path:
        """Where a session's cache is kept."""
        return self.path(name).with_suffix(".cache.safetensors")

    def attention(self, name: str) -> Path:
        """Where a session's attention is kept, if it is."""
        return attention_beside(self.path(name))

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def fresh_name(self) -> str:
        """A name by the time that no session has."""
        stem = datetime.datetime.now().astimezone().strftime("%Y-%m-%d-%H%M")
        name, n = stem, 1
        while self.exists(name) or self._lock(name).exists():
            n += 1
            name = f"{stem}-{n}"
        return name

    def open(self, name: str) -> "SessionFile":
        """Begin or go on writing a session. Raises EntropixError if another program does."""
        path = self.path(name)
        with disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        return SessionFile(path, self._lock(name))

    def list(self) -> list[Saved]:
        """All of them, the last used first; damaged ones too."""
        found = []
        for path in self.root.glob("*.jsonl"):
            try:
                told = path.stat()
                title, model = _beginning(path)
            except OSError:
                continue
            modified = datetime.datetime.fromtimestamp(told.st_mtime, datetime.UTC)
            found.append(Saved(path.stem, title, model, modified, told.st_size))
        return sorted(found, key=lambda saved: saved.modified, reverse=True)

    def rename(self, old: str, new: str) -> None:
        """Raises UsageError if there is no such session, or one of that name already."""
        self._known(old)
        if self.exists(new):
            raise UsageError(f"there is a session {new!r} already; choose another name")
        with disk_errors(self.root):
            self.path(old).rename(self.path(new))
            for kept in (self.cache, self.attention):
                if kept(old).exists():
                    kept(old).replace(kept(new))

    def delete(self, name: str) -> None:
        """Raises UsageError if there is no such session."""
        self._known(name)
        with disk_errors(self.root):
            self.path(name).unlink()
            self.cache(name).unlink(missing_ok=True)
            self.attention(name).unlink(missing_ok=True)

    def prune(self, budget: int = CACHES) -> None:
        """Remove the oldest caches until the rest takes at most `budget` bytes."""
        caches = []
        for path in self.root.glob("*.cache.safetensors"):
            try:
                told = path.stat()
            except OSError:
                continue
            caches.append((told.st_mtime, told.st_size, path))
        left = budget
        for _, size, path in sorted(caches, reverse=True):
            left -= size
            if left < 0:
                path.unlink(missing_ok=True)

    def _known(self, name: str) -> None:
        if not self.exists(name):
            raise UsageError(f"there is no session {name!r}; Ctrl+O lists them")

    def _lock(self, name: str) -> Path:
        return self.root / f".{name}.lock"


class SessionFile(TraceWriter):
    """A session's trace, written by one program at a time."""

    def __init__(self, path: Path, lock: Path) -> None:
        from filelock import FileLock, Timeout

        self._lock = FileLock(lock)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise EntropixError(
                f"the session {path.stem} is open in another program; close it there, or begin "
                "another session"
            ) from None
        try:
            super().__init__(path, append=True)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Close the file and let others write it. Can be called again."""
        super().close()
        if self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()


def _beginning(path: Path) -> tuple[str, str]:
    """Title and model of a session, empty where they can't be told."""
    decoder = msgspec.json.Decoder(_Line)
    model, left = "", _LOOKED_AT
    with path.open("rb") as file:
        while left > 0 and (line := file.readline(left)):
            left -= len(line)
            try:
                told = decoder.decode(line)
            except (ValueError, RecursionError):
                continue
            if told.type == "header":
                model = told.model
            elif told.type == "prompt" and told.role == "user":
                return " ".join(told.text.split())[:200], model
    return "", model
