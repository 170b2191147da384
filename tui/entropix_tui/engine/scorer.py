"""Texts that are scored in the engine's thread, beside whatever conversation there is."""

import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, cast

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import RunHeader
from entropix_models.progress import BYTES, Progress
from entropix_tui.engine.errors import one_line
from entropix_tui.engine.outputs import (
    Failed,
    Inspected,
    Loading,
    Restored,
    Scored,
    TurnRecord,
    Unsaved,
)
from entropix_tui.engine.protocol import Complain, SessionLike

if TYPE_CHECKING:
    from entropix_mlx.session.session import Session
    from entropix_mlx.trace.attention_file import AttentionWriter
    from entropix_mlx.trace.trace import TraceWriter


class ScoreSessionLike(Protocol):
    """What the thread needs of a session that scores; see `ScoreSession`."""

    @property
    def header(self) -> RunHeader: ...
    def score(self, text: str) -> Iterator[TurnRecord]: ...
    def inspect(self, index: int) -> Inspection: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


MakeScoreSession = Callable[[SessionLike, Progress, Complain], ScoreSessionLike]
"""Makes one on the model of a session."""


class Scorer:
    """One session that scores, whose outputs are `Scored`: they belong to no conversation.

    `emit` hands out what comes between two records.
    """

    def __init__(
        self, make: MakeScoreSession, session: SessionLike, emit: Callable[[Scored], None]
    ) -> None:
        self._session = make(
            session,
            lambda stage, done, total, unit=BYTES: emit(Scored(Loading(stage, done, total, unit))),
            lambda message: emit(Scored(Unsaved(message))),
        )
        self._header: RunHeader | None = self._session.header
        self.stop = self._session.stop
        self.close = self._session.close

    def score(self, text: str) -> Iterator[Scored]:
        """A text; before the first one what it is scored with."""
        try:
            if self._header is not None:
                header, self._header = self._header, None
                yield Scored(Restored((), header))
            yield from map(Scored, self._session.score(text))
        except Exception as error:
            yield Scored(Failed(one_line(error), traceback.format_exc()))

    def inspect(self, index: int) -> Scored:
        """The token at record `index`, looked into."""
        try:
            return Scored(Inspected(self._session.inspect(index)))
        except Exception as error:
            return Scored(Failed(one_line(error), traceback.format_exc(), "aside"))


def score_session(
    session: SessionLike,
    progress: Progress,
    complain: Complain,
    *,
    trace: "TraceWriter | None" = None,
    attention: "AttentionWriter | None" = None,
    bos: bool = True,
) -> ScoreSessionLike:
    """A session that scores on the model of `session`; what it finds goes to `trace`."""
    from entropix_mlx.session.journal import Storage
    from entropix_mlx.session.score_session import ScoreSession
    from entropix_tui.engine.autosave import AutosaveWriter

    written = None if trace is None else AutosaveWriter(trace, complain)
    model = cast("Session", session).model
    return ScoreSession(model, Storage(written, attention), bos=bos, progress=progress)
