"""What passes between the screen's thread and the engine's: commands, asides, outputs."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from entropix_tui.engine.outputs import Loading, Output
from entropix_tui.engine.protocol import SessionLike, SessionRequest


@dataclass(frozen=True)
class Turn:
    """Something that makes records. Commands are numbered in the order in which they came."""

    number: int
    begin: Callable[[SessionLike], Iterator[Output]]


@dataclass(frozen=True)
class Make:
    """A session is to be made; `request` None: one, if there is none yet."""

    number: int
    request: SessionRequest | None


@dataclass(frozen=True)
class Aside:
    """Something quick. Of several of a kind that wait, the last is served; kind None: each."""

    kind: str | None
    serve: Callable[[SessionLike], Output | None]


Command = Turn | Make


class Mailbox:
    """`limit`: how many outputs may wait to be drained before the engine's thread pauses."""

    def __init__(self, limit: int) -> None:
        self.ring: Callable[[], None] = lambda: None
        """Called in the engine's thread when something has come out where nothing waited."""
        self._limit = limit
        self._changed = threading.Condition()
        self._commands: deque[Command] = deque()
        self._asides: list[Aside] = []
        self._out: deque[Output] = deque()
        self.closed = False
        self._drains = 0
        self._watched = False  # whether somebody waits for drains

    # For the screen's thread.

    def post(self, letter: Command | Aside) -> None:
        with self._changed:
            if isinstance(letter, Aside):
                if letter.kind is not None:
                    self._asides = [aside for aside in self._asides if aside.kind != letter.kind]
                self._asides.append(letter)
            else:
                self._commands.append(letter)
            self._changed.notify_all()

    def drain(self) -> list[Output]:
        self._drains += 1
        if not self._out and not self._watched:
            return []
        with self._changed:
            batch = list(self._out)
            self._out.clear()
            self._changed.notify_all()
        return batch

    @property
    def waiting(self) -> int:
        """How many outputs have not been drained."""
        return len(self._out)

    def close(self) -> None:
        """The thread is to end; what it still has to say is dropped."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    # For the engine's thread.

    def take(self, *, asides: bool) -> Command | list[Aside] | None:
        """Wait for what is to be done next; None once closed.

        Asides come before commands, unless there is nothing yet that could serve them and a
        command waits: `asides` False.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._asides or self._commands)
            if self.closed:
                return None
            if self._asides and (asides or not self._commands):
                return self._taken_asides()
            return self._commands.popleft()

    def forget_asides(self) -> None:
        """What they were about is gone."""
        with self._changed:
            self._asides.clear()

    def emit(self, output: Output) -> None:
        """Hand out, at once; of several states of a progress, the last is enough."""
        with self._changed:
            if self.closed:
                return
            first = not self._out
            if isinstance(output, Loading) and self._out and isinstance(self._out[-1], Loading):
                self._out.pop()
            self._out.append(output)
        if first:
            self.ring()

    def pause(self) -> list[Aside]:
        """Between two records: wait while too much waits to be drained.

        Asides end the waiting: serve them, then pause again until there are none.
        """
        if not self._asides and len(self._out) < self._limit:
            return []
        with self._changed:
            self._changed.wait_for(
                lambda: self.closed or self._asides or len(self._out) < self._limit
            )
            return [] if self.closed else self._taken_asides()

    def settle(self, patience: float = 5.0) -> None:
        """Wait, not for ever, until the screen has drained all and comes for more."""
        with self._changed:
            enough = self._drains + 2
            self._watched = True
            self._changed.wait_for(lambda: self.closed or self._drains >= enough, patience)
            self._watched = False

    def _taken_asides(self) -> list[Aside]:
        taken, self._asides = self._asides, []
        return taken
