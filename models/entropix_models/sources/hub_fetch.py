"""The process that downloads from the Hugging Face Hub: `python hub_fetch.py REQUEST`.

A process of its own because `huggingface_hub` downloads in threads that don't react to Ctrl-C
and print on the terminal; this one can be ended at any moment, and then removes its unfinished
files. REQUEST is a JSON object of `snapshot_download`'s arguments; the answer is JSON Lines:
`{"done", "total"}` in bytes, at last `{"path"}` or `{"error", "detail"}`.
"""

import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_REPORT_SECONDS = 0.1
_TIMEOUT = 10.0


def main() -> int:
    request = json.loads(sys.argv[1])
    _clean_up_when_terminated()
    from huggingface_hub import HfApi, snapshot_download

    try:
        # Asked first because this question is not repeated for half a minute when nobody answers.
        HfApi().model_info(request["repo_id"], revision=request["revision"], timeout=_TIMEOUT)
        with _reported() as bar:
            path = snapshot_download(**request, tqdm_class=bar)
    except Exception as error:
        kind, detail = _classify(error)
        _say(error=kind, detail=detail)
        return 1
    _say(path=str(path))
    return 0


def _say(**message: object) -> None:
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:  # whoever asked is gone
        os.kill(os.getpid(), signal.SIGTERM)


def _clean_up_when_terminated() -> None:
    unfinished: set[str] = set()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".incomplete"):
            unfinished.add(str(arguments[0]))

    def leave(_number: int, _frame: FrameType | None) -> None:
        for path in unfinished:
            with suppress(OSError):
                os.unlink(path)
        os._exit(128 + signal.SIGTERM)

    sys.addaudithook(watch)
    signal.signal(signal.SIGTERM, leave)


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
            case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
                return "full", ""
            case PermissionError():
                return "unwritable", link.strerror or "permission denied"
        if type(link).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
            return "unreachable", type(link).__name__
        seen += 1
        link = link.__cause__ or link.__context__
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return "broken", first[:200]


if __name__ == "__main__":
    sys.exit(main())
