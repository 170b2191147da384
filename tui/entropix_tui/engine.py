"""The one thread that owns the model. Commands go in through a queue, host values come out.

The screen drains what came out as one batch a tick; when it does not, the thread waits, so a
run's memory is bounded whatever the screen does. Nothing of MLX leaves the thread.
"""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from entropix_mlx.records import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_models.errors import EntropixError

TurnRecord = PromptRecord | TokenRecord | Event | End


class SessionLike(Protocol):
    """What the thread needs of a session; it is made, used and closed in the thread."""

    @property
    def header(self) -> RunHeader: ...
    @property
    def context(self) -> int | None: ...

    def send(self, text: str, *, max_tokens: int) -> Iterator[TurnRecord]: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


Progress = Callable[[str, int, int | None], None]
MakeSession = Callable[[Progress], SessionLike]


@dataclass(frozen=True)
class Loading:
    """How far the model is: `done` of `total` (None: not known) of a stage."""

    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Ready:
    """A session is there. `context` is the longest conversation in tokens, None if unknown."""

    header: RunHeader
    context: int | None


@dataclass(frozen=True)
class Renewed:
    """The conversation before has ended; nothing that belongs to it comes any more."""


@dataclass(frozen=True)
class Failed:
    """What went wrong, in one line; `details` is the traceback, for `--debug`."""

    message: str
    details: str


Output = Loading | Ready | Renewed | Failed | TurnRecord


class CancelledError(Exception):
    """Raised inside a progress callback: the user has quit or pressed stop."""


@dataclass(frozen=True)
class _Send:
    text: str
    max_tokens: int
    turn: int


@dataclass(frozen=True)
class _Load:
    fresh: bool
    turn: int


class Engine:
    """Runs a session in a thread of its own; every method is for the screen's thread.

    `make_session` is called in the engine's thread, for the first conversation and for every
    new one; it is given the progress callback, which may raise. `release` is the thread's last
    act. `limit` is how many outputs may wait to be drained before the thread pauses.
    """

    def __init__(
        self,
        make_session: MakeSession,
        *,
        release: Callable[[], None] = lambda: None,
        limit: int = 512,
    ) -> None:
        self._make_session = make_session
        self._release = release
        self._limit = limit
        self._commands: SimpleQueue[_Send | _Load | None] = SimpleQueue()
        self._out: deque[Output] = deque()
        self._room = threading.Condition()
        self._session: SessionLike | None = None
        self._turn = 0  # the last command's number: written by the screen's thread alone
        self._stopped = 0  # commands up to this number are to stop
        self._running = 0  # the command in hand: written by the engine's thread alone
        self._quitting = False
        self._thread = threading.Thread(target=self._run, name="engine")

    def start(self) -> None:
        """Start the thread and load the first session."""
        self._thread.start()
        self._command(lambda turn: _Load(fresh=False, turn=turn))

    def send(self, text: str, *, max_tokens: int) -> None:
        """Queue one turn. If no session could be loaded, loading is tried again first."""
        self._command(lambda turn: _Send(text, max_tokens, turn))

    def new_chat(self) -> None:
        """Stop what runs, close the session and make another."""
        self.stop()
        self._command(lambda turn: _Load(fresh=True, turn=turn))

    def stop(self) -> None:
        """End the loading or the turn that runs, and those that are queued."""
        self._stopped = self._turn
        session = self._session
        if session is not None:
            session.stop()

    def quit(self, timeout: float) -> bool:
        """Stop everything and wait for the thread; False if it has not ended in `timeout` s."""
        self._quitting = True
        self.stop()
        self._commands.put(None)
        with self._room:
            self._room.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def drain(self) -> list[Output]:
        """All that has come out since the last call, in order."""
        with self._room:
            batch = list(self._out)
            self._out.clear()
            self._room.notify_all()
        return batch

    @property
    def waiting(self) -> int:
        """How many outputs have not been drained."""
        return len(self._out)

    def _command(self, make: Callable[[int], _Send | _Load]) -> None:
        self._turn += 1
        self._commands.put(make(self._turn))

    # In the thread.

    def _run(self) -> None:
        try:
            while (command := self._commands.get()) is not None and not self._quitting:
                try:
                    self._obey(command)
                except CancelledError:
                    self._emit(
                        Failed("Stopped before the model was loaded. Enter tries again.", "")
                    )
                except Exception as error:
                    self._emit(Failed(_one_line(error), traceback.format_exc()))
        finally:
            self._close()
            self._release()

    def _obey(self, command: _Send | _Load) -> None:
        self._running = command.turn
        if isinstance(command, _Load) and command.fresh:
            self._close()
            self._emit(Renewed())
        if self._session is None:
            self._load()
        if isinstance(command, _Send) and self._session is not None:
            self._send(self._session, command)

    def _load(self) -> None:
        session = self._make_session(self._progress)
        self._session = session
        self._emit(Ready(session.header, session.context))

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        """Tell of loading, or of a prompt that is being read; cancel a loading.

        A turn is not cancelled here: its session ends it, with all that belongs to an end.
        """
        if self._session is None and (self._quitting or self._stopped >= self._running):
            raise CancelledError
        self._emit(Loading(stage, done, total))

    def _send(self, session: SessionLike, command: _Send) -> None:
        turn = session.send(command.text, max_tokens=command.max_tokens)
        # A session forgets stops from before its turn; this turn may have been stopped by then.
        if self._stopped >= command.turn:
            session.stop()
        for record in turn:
            self._emit(record)
            if self._stopped >= command.turn:
                session.stop()

    def _emit(self, output: Output) -> None:
        """Hand out; wait while too much is waiting. What nobody will see is dropped."""
        with self._room:
            if isinstance(output, Loading) and self._out and isinstance(self._out[-1], Loading):
                self._out.pop()
            self._room.wait_for(lambda: len(self._out) < self._limit or self._quitting)
            if not self._quitting:
                self._out.append(output)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _one_line(error: Exception) -> str:
    if isinstance(error, EntropixError):
        return str(error)
    said = " ".join(str(error).split())
    return f"the engine failed: {type(error).__name__}{': ' + said if said else ''}"
