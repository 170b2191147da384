"""Texts that are scored in the engine's thread, beside whatever conversation there is."""

import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import RunHeader
from entropix_models.progress import BYTES, Progress
from entropix_tui.engine.errors import one_line
from entropix_tui.engine.outputs import (
    Failed,
    Inspected,
    Loading,
    Output,
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


GONE = Scored(Failed("the model that scored this text is gone: score it again", "", "aside"))
"""Instead of a look into a text of a session that has ended."""


class Scorer:
    """One session that scores, made by its first text; all that comes of it is `Scored`: it belongs
    to no conversation. `emit` hands out what comes between two records.
    """

    def __init__(
        self, make: MakeScoreSession, session: SessionLike, emit: Callable[[Scored], None]
    ) -> None:
        self._make = partial(
            make,
            session,
            lambda stage, done, total, unit=BYTES: emit(Scored(Loading(stage, done, total, unit))),
            lambda message: emit(Scored(Unsaved(message))),
        )
        self._session: ScoreSessionLike | None = None

    def stop(self) -> None:
        if (session := self._session) is not None:
            session.stop()

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def score(
        self, text: str, before: Iterator[Output], *, anew: bool
    ) -> Iterator[Scored | Output]:
        """A text, after `before`; ahead of the first one what it is scored with. `anew`: by another
        session.
        """
        try:
            yield from before
            if anew:
                self.close()
            if self._session is None:
                self._session = self._make()
                yield Scored(Restored((), self._session.header))
            yield from map(Scored, self._session.score(text))
        except Exception as error:
            yield Scored(Failed(one_line(error), traceback.format_exc()))

    def inspect(self, index: int) -> Scored:
        """The token at record `index`, looked into."""
        if self._session is None:
            return GONE
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
