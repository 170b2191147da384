"""The process that downloads from the Hugging Face Hub: the module's argument is a REQUEST.

A process of its own because `huggingface_hub` downloads in threads that don't react to Ctrl-C
and print on the terminal; this one can be ended at any moment, and then removes its unfinished
files. And because the Hub may be anybody's: what this process writes and waits for is bounded
(`CacheGuard`, `HubLimits`). REQUEST is a JSON object of `snapshot_download`'s arguments; the answer
is JSON Lines: `{"done", "total"}` in bytes, at last `{"path"}` or `{"error", "detail"}`.
"""

import errno
import json
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from entropix_models.errors import one_line
from entropix_models.paths import atomic_file
from entropix_models.sources.cache_guard import CacheGuard, OutsideError
from entropix_models.sources.hub_limits import HubLimits, StrangeAnswerError

COMMIT = re.compile(r"[0-9a-f]{40}")

_REPORT_SECONDS = 0.1
_TIMEOUT = 10.0
_NONSENSE = (ArithmeticError, AttributeError, AssertionError, LookupError, TypeError, ValueError)
"""What the library's reading of an answer raises that is none of the Hub's."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> int:
    request = json.loads(sys.argv[1])
    clean_up = _clean_up_when_terminated()
    cache, revision = Path(request["cache_dir"]), request["revision"]
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _fail("full" if error.errno in _FULL else "unwritable", error.strerror or "")
    # What would be written elsewhere: compiled modules, and trials of where there is room.
    sys.dont_write_bytecode = True
    tempfile.tempdir = str(cache)
    repository, repo_type = request["repo_id"], request["repo_type"]
    guard = CacheGuard(cache, repository, repo_type)

    def give_up(kind: str, detail: str) -> None:
        _fail(kind, detail)
        clean_up()
        os._exit(1)

    try:
        from huggingface_hub import HfApi, snapshot_download

        HubLimits(give_up).watch()
        # Asked first because this question is not repeated for half a minute when nobody answers.
        info = HfApi().repo_info(
            repository, revision=revision, repo_type=repo_type, timeout=_TIMEOUT
        )
        if not COMMIT.fullmatch(str(info.sha)):
            raise StrangeAnswerError(f"a revision that is no 40 hex digits: {str(info.sha)[:50]!r}")
        guard.revision = commit = str(info.sha)
        with _reported() as bar:
            path = snapshot_download(**request | {"revision": commit}, tqdm_class=bar)
        if Path(path) != guard.place / "snapshots" / commit:
            raise StrangeAnswerError("another revision than the one that was asked for")
        if revision != commit:
            _remember(guard.place / "refs" / revision, commit)
    except BaseException as error:
        return _fail(*_classify(error))
    _say(path=str(path))
    return 0


def _remember(ref: Path, commit: str) -> None:
    """Which commit a branch was at, where the library looks when nobody is asked."""
    ref.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(ref) as unfinished:
        unfinished.write_text(commit)


def _fail(kind: str, detail: str) -> int:
    _say(error=kind, detail=detail)
    return 1


def _say(**message: object) -> None:
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:  # whoever asked is gone
        os.kill(os.getpid(), signal.SIGTERM)


def _clean_up_when_terminated() -> Callable[[], None]:
    """What removes the files that are not finished; from now on it happens before SIGTERM ends
    this process.
    """
    unfinished: set[str] = set()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".incomplete"):
            unfinished.add(str(arguments[0]))

    def clean_up() -> None:
        for path in tuple(unfinished):
            with suppress(OSError):
                os.unlink(path)

    def leave(*_: object) -> None:
        clean_up()
        os._exit(128 + signal.SIGTERM)

    sys.addaudithook(watch)
    signal.signal(signal.SIGTERM, leave)
    return clean_up


@contextmanager
def _reported() -> Iterator[type]:
    """A class of progress bars that show nothing; the bytes of the whole download are reported."""
    from huggingface_hub.utils.tqdm import tqdm

    bars: list[Any] = []
    lock = threading.Lock()
    over = threading.Event()

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
            self.n = kwargs.get("initial") or 0
            self.total = kwargs.get("total")
            if kwargs.get("unit") == "B":
                bars.append(self)

        def update(self, n: float | None = 1) -> None:
            with lock:
                self.n += n or 0

    def report() -> None:
        last = False
        while not last:
            last = over.wait(_REPORT_SECONDS)
            # The library counts bytes in two bars, received and written.
            total = min((int(bar.total) for bar in bars if bar.total), default=0)
            if total:
                _say(done=min(total, int(max(bar.n for bar in bars))), total=total)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield Bar
    finally:
        over.set()
        reporter.join()


def _classify(error: BaseException) -> tuple[str, str]:
    """`(kind, one line)` of what went wrong, looking through what caused it."""
    from huggingface_hub import errors

    link: BaseException | None = error
    seen = 0
    while link is not None and seen < 10:
        match link:
            case errors.GatedRepoError():
                return "gated", ""
            case errors.RevisionNotFoundError():
                return "revision", ""
            case errors.RepositoryNotFoundError() | errors.HFValidationError():
                return "missing", ""
            case errors.OfflineModeIsEnabled():
                return "offline", ""
            case errors.HfHubHTTPError():
                return "refused", f"HTTP status {link.response.status_code}"
            case StrangeAnswerError():
                return "strange", str(link)
            case OSError() if link.errno in _FULL:
                return "full", ""
            case OutsideError():
                return "outside", "…" + str(link.filename)[-100:]
            case PermissionError():
                return "unwritable", link.strerror or "permission denied"
        if type(link).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
            return "unreachable", type(link).__name__
        seen += 1
        link = link.__cause__ or link.__context__
    if isinstance(error, (*_NONSENSE, RecursionError)):
        return "strange", f"{type(error).__name__}: {one_line(error, 100)}"
    return "broken", one_line(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
