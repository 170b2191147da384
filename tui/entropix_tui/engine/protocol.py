"""Between the engine's thread and the sessions that it runs: what is asked for, what it gets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import Event, RunHeader
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.progress import Progress
from entropix_tui.engine.outputs import Ready, Restored, TurnRecord

Complain = Callable[[str], None]
"""Told once, by any call on a session, that and why it is not saved any more."""


class SessionLike(Protocol):
    """What the thread needs of a session; it is made, used and closed in the thread.

    `run` raises before anything is yielded, or in mid-turn; either leaves a session that
    can go on. `use`, `name_branch` and `inspect` may come between two records of a turn.
    """

    @property
    def header(self) -> RunHeader: ...
    @property
    def context_length(self) -> int | None: ...
    @property
    def settings(self) -> Settings: ...

    def run(self, request: TurnRequest) -> Iterator[TurnRecord]: ...
    def use(self, settings: Settings) -> Event | None: ...
    def name_branch(self, leaf: int, name: str) -> Event: ...
    def return_to(self, index: int, seed: int | None) -> Event | None: ...
    def inspect(self, index: int) -> Inspection: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Fresh:
    """A new conversation; `system` None: with the system prompt of the one before it."""

    system: str | None = None


AS_STARTED = Fresh()


@dataclass(frozen=True)
class Resume:
    """A saved conversation, by name, on the model that it was held with."""

    name: str


@dataclass(frozen=True)
class Switch:
    """A new conversation with another model, by name."""

    model: str


@dataclass(frozen=True)
class Calibrate:
    """A new conversation with the same model, once thresholds and words are measured for that."""


SessionRequest = Fresh | Resume | Switch | Calibrate


class MakeSession(Protocol):
    """Makes sessions in the engine's thread; `progress` may raise, and must be let through."""

    def prepare(self, request: SessionRequest, progress: Progress) -> None:
        """Whatever can fail or take long while the session before is still there."""

    def past(self, request: SessionRequest, *, end: bool = False) -> Restored | None:
        """What a conversation has been that is to be resumed; needs no model.

        With `end` only how it ended, None if it is so short that reading all takes no time.
        """

    def __call__(
        self,
        request: SessionRequest,
        settings: Settings | None,
        progress: Progress,
        complain: Complain,
    ) -> tuple[SessionLike, Ready]:
        """The session before is closed; `settings` are those that it had, None if there was none.

        A resumed one has its own.
        """
