"""Where things are kept on disk, and how a folder appears there: whole, or not at all."""

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_data_path

from entropix_models.errors import EntropixError, UsageError


def cache_root() -> Path:
    """The project's cache: `$ENTROPIX_CACHE`, or the platform's cache folder."""
    chosen = os.environ.get("ENTROPIX_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("entropix-mlx")


def data_root() -> Path:
    """What users have made, sessions above all: `$ENTROPIX_DATA`, or the platform's data folder."""
    chosen = os.environ.get("ENTROPIX_DATA")
    return Path(chosen).expanduser() if chosen else user_data_path("entropix-mlx")


def models_root() -> Path:
    """The folder of the models that this project converted itself."""
    return cache_root() / "models"


def private_folder(path: Path) -> None:
    """Make the folder `path` if it isn't there. It must be the user's own, with mode 0700.

    Raises EntropixError for any other, a link included, and for a place that cannot be written.
    """
    with disk_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    permissions = stat.S_IMODE(found.st_mode) & 0o777
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or permissions != 0o700:
        raise EntropixError(
            f"{path}: others than you could put files here; remove it, or make it a folder of "
            "your own with mode 0700"
        )


def require_free(target: Path) -> None:
    """Raise UsageError if `target` is there and isn't an empty folder."""
    is_empty = target.is_dir() and not target.is_symlink() and not any(target.iterdir())
    if os.path.lexists(target) and not is_empty:
        raise UsageError(f"{target} is already there; name a folder that is not")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give an empty sibling of `target` to fill; it becomes `target` when the block ends well.

    On any failure, an interrupt included, it is removed and `target` is as it was. Raises
    UsageError if `target` is there and isn't an empty folder, EntropixError for a full disk or a
    place that cannot be written.
    """
    require_free(target)
    unfinished = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    with disk_errors(target):
        try:
            unfinished.mkdir(parents=True)
            yield unfinished
            os.replace(unfinished, target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


@contextmanager
def atomic_file(target: Path, ending: str = ".part") -> Iterator[Path]:
    """Give a sibling of `target` to write; it becomes `target` when the block ends well.

    On any failure it is removed and `target` is as it was. Raises OSError.
    """
    unfinished = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}{ending}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        with suppress(OSError):
            unfinished.unlink()


def write_whole(target: Path, content: bytes) -> None:
    """Replace a file, whole or not at all, in a folder that is made if it isn't there.

    Raises EntropixError for a disk that refuses.
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as unfinished:
            unfinished.write_bytes(content)


def require_writable(target: Path) -> None:
    """Raise what `write_whole` would, before the work whose result it is to be: EntropixError for a
    disk that refuses, UsageError for a target that is no regular file.
    """
    if os.path.lexists(target) and not target.is_file():
        raise UsageError(f"{target} is no regular file: name another")
    folder = next(folder for folder in target.parents if os.path.lexists(folder))
    with disk_errors(target), tempfile.TemporaryFile(dir=folder):
        pass


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn the OSErrors of writing `target` into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise EntropixError(f"{target}: the disk is full; free some space and try again") from (
                error
            )
        if error.filename is None and error.errno is None:
            raise
        reason = error.strerror or type(error).__name__
        place = error.filename if isinstance(error.filename, str) else target
        raise EntropixError(f"{target} could not be written ({place}: {reason})") from error
