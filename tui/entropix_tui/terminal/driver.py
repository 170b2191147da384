"""Textual's driver of a terminal, for whatever bytes come from it and for an end by a signal."""

import asyncio
import select
import signal
import sys
import threading
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from types import FrameType
from typing import IO, Any, cast

from textual.drivers import linux_driver

from entropix_models.errors import EntropixError

_READ = linux_driver.LinuxDriver.run_input_thread
if "getincrementaldecoder" not in _READ.__code__.co_names:
    raise EntropixError(
        f"Textual {version('textual')} reads the terminal in another way than the one known here: "
        "pip install textual==8.2.8"
    )


def _replacing(encoding: str) -> Callable[[], IncrementalDecoder]:
    return partial(getincrementaldecoder(encoding), errors="replace")


class _Output:
    """What a terminal that is gone can't show is dropped.

    It would end Textual's thread that writes, and then the screen waits for that.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.fileno = file.fileno

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class TerminalDriver(linux_driver.LinuxDriver):
    """SIGTERM and SIGHUP end the program as its own key does, with the exit status 128 + n.

    A second SIGTERM ends it at once.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = _Output(cast("IO[str]", self._file))  # type: ignore[assignment]

    def start_application_mode(self) -> None:
        # Before anything of the terminal is changed, so that all of it is put back.
        loop = asyncio.get_running_loop()

        # The loop's own handlers would wait with it for a terminal that reads nothing, and be
        # taken away at its end, before all that was said is written.
        def end(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
            with suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(partial(self._app.exit, return_code=128 + number))

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def run_input_thread(self) -> None:
        """Read what is typed or pasted; what is no UTF-8 is U+FFFD, where Textual would fail."""
        linux_driver.getincrementaldecoder = _replacing  # type: ignore[attr-defined, assignment]
        super().run_input_thread()


def watch_hangup(leave: Callable[[], object]) -> None:
    """Call `leave`, in a thread of its own, once the terminal is gone.

    A terminal that controls the process ends it by a signal. One that doesn't (in a container,
    under a supervisor) only comes to an end, which Textual's input would read again and again.
    """

    def wait() -> None:
        end = select.poll()
        end.register(sys.stdin, 0)
        if any(event & select.POLLHUP for _, event in end.poll()):
            leave()

    threading.Thread(target=wait, name="terminal", daemon=True).start()
