"""What the download's process may write: one repository's place in the Hub's cache, no more.

The Hub names the files that `huggingface_hub` writes, and its mirror may be anybody's.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTING = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")
_ONE_PATH = ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime")


class OutsideError(PermissionError):
    """Something was to be written outside the repository's place in the cache."""


class CacheGuard:
    """From its making on, this process writes to the place of one repository, and starts nothing.

    Anything else raises OutsideError. `revision`: the commit whose snapshot may be written, as
    soon as it is known.
    """

    def __init__(self, cache: Path, repository: str, repo_type: str = "model") -> None:
        self._cache = cache.resolve()
        self._name = f"{repo_type}s--{repository.replace('/', '--')}"
        # Users move what is large to another disk, and leave a link.
        self._roots = [(self._cache / room / self._name).resolve() for room in ("", ".locks")]
        self.revision: str | None = None
        sys.addaudithook(self._see)

    @property
    def place(self) -> Path:
        """The repository's folder in the cache."""
        return self._cache / self._name

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, int) and (flags & _WRITING or set(mode or "") & set("wax+")):
                self._check(path, follow=True)
        elif event in _ONE_PATH:
            path, directory = arguments[0], arguments[-1]
            is_entry = event in ("os.remove", "os.rmdir") and directory != -1
            # Entries of an open folder are removed where a tree is, which is checked as a whole.
            if not isinstance(path, int) and not is_entry:
                self._check(path, follow=event not in ("os.mkdir", "os.remove", "os.rmdir"))
        elif event == "shutil.rmtree":
            self._check(arguments[0], follow=False)
        elif event in ("os.rename", "os.link"):
            self._check(arguments[0], follow=event == "os.link")
            self._check(arguments[1], follow=False)
        elif event == "os.symlink":
            source, link = map(os.fsdecode, arguments[:2])
            self._check(link, follow=False)
            # A link reads, and later writes, where it leads.
            self._check(os.path.join(os.path.dirname(link), source), follow=True, relative=True)
        elif event in _STARTING:
            self._refuse(f"a program ({event})")

    def _check(self, path: Any, *, follow: bool, relative: bool = False) -> None:
        text = os.fsdecode(path)
        folder, name = os.path.split(os.path.abspath(text))
        real = Path(
            os.path.realpath(text) if follow else os.path.join(os.path.realpath(folder), name)
        )
        climbs = not relative and ".." in Path(text).parts
        if climbs or not self._is_allowed(real):
            self._refuse(text)

    def _is_allowed(self, path: Path) -> bool:
        for root in self._roots:
            if path.is_relative_to(root):
                room, *rest = [*path.relative_to(root).parts, ""]
                return room != "snapshots" or rest[0] in ("", self.revision)
        if self._cache.is_relative_to(path) or str(path) == os.devnull:
            return True
        if not path.is_relative_to(self._cache):
            return False
        # Where the library tries whether links work, its lock files, and what it says of the cache.
        first, *rest = path.relative_to(self._cache).parts
        return first.startswith("tmp") or (not rest and "--" not in first)

    def _refuse(self, what: str) -> NoReturn:
        raise OutsideError(errno.EACCES, "outside the model's place in the cache", what)
