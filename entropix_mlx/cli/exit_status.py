"""How a command line ends: one line on standard error and the right exit status."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import click

from entropix_mlx.cli.say import tell
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

INTERRUPTED = 130

debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show where an error came from."
)
"""Only accepted here: `run` looks for it, because a wrong flag is an error before any callback."""


def run(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; no exception escapes.

    What cannot be said on standard error stops nothing. But where its disk is full, what would
    have been a success is status 1; where it is a closed pipe, nobody wanted to know.
    """
    _occupy_input()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    stderr, told = sys.stderr, _Told(sys.stderr)
    sys.stderr = io.TextIOWrapper(told, stderr.encoding, stderr.errors, line_buffering=True)
    try:
        with _interrupts():
            status = _ended(command, program, arguments)
        sys.stderr.flush()
        return status or int(told.is_cut)
    finally:
        sys.stderr = stderr
        _abandon_unwritable()


def _occupy_input() -> None:
    """Where the caller closed standard input, the next file that is opened would take its number;
    MLX takes that one for none.
    """
    try:
        os.fstat(0)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free


class _Told(io.RawIOBase):
    """Standard error, whose writing never fails; `is_cut`: something is missing that was wanted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_cut = False

    def write(self, data: "ReadableBuffer") -> int:
        try:
            self._stream.buffer.write(data)
            self._stream.buffer.flush()
        except BrokenPipeError:
            pass
        except OSError:
            self.is_cut = True
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class _Interrupts:
    """Ctrl-C as Python has it, but none is lost.

    Libraries in C++ swallow the KeyboardInterrupt that comes while they are imported, or abort the
    process: amid an import it is put off. One that was swallowed all the same (`came`) is raised
    again before anything long.
    """

    def __init__(self) -> None:
        self.came = False

    def __call__(self, _signal: int, frame: FrameType | None) -> None:
        self.came = True
        while frame is not None and frame.f_code is not run.__code__:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                return
            frame = frame.f_back
        raise KeyboardInterrupt

    def heed(self) -> None:
        """Raise what was swallowed, or is put off."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.came:
            raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[None]:
    """Unless somebody else has Ctrl-C, or has it ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    ours = _Interrupts()
    alarm = signal.signal(signal.SIGALRM, ours)
    signal.signal(signal.SIGINT, ours)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGALRM, alarm)


def _ended(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Run it, and say in one line what stopped it; the exit status."""
    try:
        status = _invoke(command, program, list(arguments))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        return _tell(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        # A terminal shows ^C where the cursor is.
        return _tell("\ninterrupted" if sys.stderr.isatty() else "interrupted", INTERRUPTED)
    except Exception as error:
        if "--debug" in arguments:
            tell(traceback.format_exc())
        message, status = _judge(error, program)
        return _tell(f"error: {escaped(' '.join(message.split()))}", status)


@contextmanager
def graceful(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C calls `stop`; a second one raises KeyboardInterrupt at once."""

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        if isinstance(before, _Interrupts):
            before.heed()
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _invoke(command: click.Command, program: str, arguments: list[str]) -> int:
    # Not Command.main, which turns a closed pipe into status 1 and interrupts into prints.
    try:
        with command.make_context(program, arguments) as context:
            status = command.invoke(context)
    except click.exceptions.Exit as ended:
        status = ended.exit_code
    return status if isinstance(status, int) else 0


def _judge(error: Exception, program: str) -> tuple[str, int]:
    """The line that says what is wrong and what to do, and the exit status."""
    match error:
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else program
            return f"{error.format_message()} (see {path} --help)", error.exit_code
        case click.ClickException():
            return error.format_message(), error.exit_code
        case EntropixError():
            return str(error), error.exit_status
        case OSError():
            place = error.filename or "standard input or output"
            return f"{place}: {(error.strerror or str(error)).lower()}", 1
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "allocate" in reason or "Insufficient Memory" in reason:
        return "out of memory: use a smaller model or a shorter prompt", 1
    return f"{reason} (a bug: --debug shows where)", 1


def _tell(line: str, status: int) -> int:
    tell(line)
    return status


def _abandon_unwritable() -> None:
    """Forget what cannot be written; Python would try, and complain, once more at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
