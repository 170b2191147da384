"""A session and its debugger, as the engine's thread runs them: one of the two at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from entropix_mlx.debugger.outputs import Output
from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import Event, RunHeader, TurnRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest

if TYPE_CHECKING:
    from entropix_mlx.debugger.debugger import Debugger
    from entropix_mlx.session.session import Session


class DebuggableSession:
    """What the engine asks of a session; a turn that the debugger has halted ends before another
    begins.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._debugger: Debugger | None = None

    @property
    def header(self) -> RunHeader:
        return self._session.header

    @property
    def context_length(self) -> int | None:
        return self._session.context_length

    @property
    def settings(self) -> Settings:
        return self._session.settings

    def run(self, request: TurnRequest) -> Iterator[TurnRecord]:
        yield from self._left()
        yield from self._session.run(request)

    def debug(self, line: str, *, max_tokens: int) -> Iterator[Output]:
        """Do what a line of the debugger's language says; see `entropix_mlx.debugger.commands`."""
        from entropix_mlx.debugger.commands import execute
        from entropix_mlx.debugger.debugger import Debugger

        if self._debugger is None:
            self._debugger = Debugger(self._session)
        self._debugger.max_tokens = max_tokens
        yield from execute(self._debugger, line)

    def use(self, settings: Settings) -> Event | None:
        return self._session.use(settings)

    def name_branch(self, leaf: int, name: str) -> Event:
        return self._session.name_branch(leaf, name)

    def inspect(self, index: int) -> Inspection:
        return self._session.inspect(index)

    def stop(self) -> None:
        """End what runs, from any thread: a turn, or the debugger's going on."""
        self._session.stop()
        if (debugger := self._debugger) is not None:
            debugger.stop()

    def close(self) -> None:
        list(self._left())
        self._session.close()

    def _left(self) -> Iterator[TurnRecord]:
        if self._debugger is not None:
            yield from self._debugger.leave()
