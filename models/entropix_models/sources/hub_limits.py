"""How long the Hub may keep a download waiting, and how much it may say."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE_SECONDS = 6.0
_LONGEST_PATIENCE_SECONDS = 60.0
_LEAST_BYTES = 8192
"""Whoever sends less than this in the time that it may be silent is taken to send nothing."""

_MOST_QUESTIONS, _MOST_REQUESTS = 64, 4096
_LARGEST_ANSWERS = 16 << 20
"""Bytes of all lists together: the largest repositories need a tenth of it."""
_LARGEST_REFUSAL = 1 << 18
_LARGEST_UNDECLARED = 64 << 20
"""Bytes of a file whose answer does not say how long it is; only small ones are sent like that."""

_LOOK_SECONDS = 0.2


class StrangeAnswerError(Exception):
    """The Hub said what no Hub says."""


class HubLimits:
    """Bounds every answer of the Hub, for all that `huggingface_hub` asks in this process.

    `give_up(kind, detail)` is called, once, from a thread of its own, where for six seconds, or for
    as long as the Hub has been delivering, up to a minute (so that an honest download survives a
    tunnel), it sends next to nothing ("silent"), or does nothing but refuse or break off
    ("refused", "unreachable"). Too long an answer raises StrangeAnswerError where it is read.
    """

    def __init__(self, give_up: Callable[[str, str], None]) -> None:
        self._give_up = give_up
        self._lock = threading.Lock()
        self._asking = threading.local()
        self._waiting = 0
        self._questions = self._requests = self._told = self._received = self._marked = 0
        self._began = self._progress = time.monotonic()
        self._refusal: tuple[float, str, str] | None = None
        """Since when there is nothing but refusals; the last one's kind and detail."""

    def watch(self) -> None:
        """Install the bounds. `huggingface_hub` must not have asked anything yet."""
        from huggingface_hub import get_session, set_client_factory

        usual: Any = get_session()
        library = sys.modules[type(usual).__module__.partition(".")[0]]
        limits = self

        class Client(library.Client):  # type: ignore[misc, name-defined]
            def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
                with limits._question(is_file=stream, method=request.method):
                    return super().send(request, stream=stream, **options)

        class Stream(library.SyncByteStream):  # type: ignore[misc, name-defined]
            def __init__(self, response: Any) -> None:
                self._inner = response.stream
                self._chunks = limits._bounded(response, iter(self._inner))

            def __iter__(self) -> Iterator[bytes]:
                return self._chunks

            def close(self) -> None:
                self._inner.close()

        def bound(response: Any) -> None:
            response.stream = Stream(response)
            limits._judge(response)

        def factory() -> Any:
            return Client(
                event_hooks={
                    "request": usual.event_hooks["request"],
                    "response": [*usual.event_hooks["response"], bound],
                },
                follow_redirects=True,
                timeout=None,
                headers={"Accept-Encoding": "identity"},
            )

        set_client_factory(factory)
        self._began = self._progress = time.monotonic()
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def _question(self, *, is_file: bool, method: str) -> Iterator[None]:
        self._asking.is_file = is_file
        with self._lock:
            self._requests += 1
            self._questions += not is_file and method == "GET"
            if self._questions > _MOST_QUESTIONS or self._requests > _MOST_REQUESTS:
                raise StrangeAnswerError("a list without end")
        try:
            with self._waits():
                yield
        except (OSError, StrangeAnswerError):
            raise
        except Exception as error:
            self._refused("unreachable", type(error).__name__)
            raise

    def _judge(self, response: Any) -> None:
        """Look at an answer's status and headers, before anything of its body is read."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise StrangeAnswerError("an answer that is packed although nobody asked for it")
        if response.status_code >= 400:
            self._refused("refused", f"HTTP status {response.status_code}")
            for name in ("Retry-After", "RateLimit"):  # else the library sleeps as long as they say
                response.headers.pop(name, None)

    def _bounded(self, response: Any, chunks: Iterator[bytes]) -> Iterator[bytes]:
        is_success, is_file = response.is_success, self._asking.is_file
        declared = "Content-Length" in response.headers
        size = 0
        while True:
            try:
                with self._waits():
                    chunk = next(chunks, None)
            except Exception as error:
                self._refused("unreachable", type(error).__name__)
                raise
            if chunk is None:
                if is_success:
                    self._mark()
                return
            size += len(chunk)
            if not is_success:
                if size > _LARGEST_REFUSAL:
                    raise StrangeAnswerError("a refusal without end")
            elif is_file:
                if not declared and size > _LARGEST_UNDECLARED:
                    raise StrangeAnswerError("a file without end")
            else:
                with self._lock:
                    self._told += len(chunk)
                if self._told > _LARGEST_ANSWERS:
                    raise StrangeAnswerError("a list without end")
            if is_success:
                self._receive(len(chunk))
            yield chunk

    def _receive(self, count: int) -> None:
        with self._lock:
            self._received += count
            if self._received - self._marked < _LEAST_BYTES:
                return
            self._marked = self._received
        self._mark()

    def _mark(self) -> None:
        self._progress = time.monotonic()
        self._refusal = None

    def _refused(self, kind: str, detail: str) -> None:
        since = time.monotonic() if self._refusal is None else self._refusal[0]
        self._refusal = (since, kind, detail)

    @contextmanager
    def _waits(self) -> Iterator[None]:
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _look(self) -> None:
        """Give up where it is time to. Nobody's silence is what passes while nobody waits."""
        silent = 0.0
        last = seen = self._progress
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            silent += now - last if self._waiting else 0
            last = now
            if self._progress != seen:
                seen, silent = self._progress, 0.0
            delivering = seen - self._began
            patience = min(max(delivering, _PATIENCE_SECONDS), _LONGEST_PATIENCE_SECONDS)
            refusal = self._refusal
            if refusal and now - refusal[0] > patience:
                self._give_up(*refusal[1:])
                return
            if silent > patience:
                self._give_up("silent", f"{patience:.0f}")
                return
