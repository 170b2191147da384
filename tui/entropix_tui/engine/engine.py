"""The one thread that owns the model. Commands go in through a queue, host values come out.

Turns and new sessions are commands, done one after another. Asides (other settings, a branch's
name, a look inside) are served between two records of the turn that runs. The screen drains what
came out as one batch a tick; when it does not, the thread waits, so a run's memory is bounded
whatever the screen does. Nothing of MLX leaves the thread.
"""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.progress import BYTES
from entropix_tui.engine.errors import CancelledError, one_line
from entropix_tui.engine.mailbox import Aside, Command, Mailbox, Make, Turn
from entropix_tui.engine.outputs import (
    Failed,
    Inspected,
    Loading,
    Output,
    Renewed,
    Restored,
    Scope,
    Unsaved,
)
from entropix_tui.engine.protocol import (
    AS_STARTED,
    MakeSession,
    Resume,
    SessionLike,
    SessionRequest,
)
from entropix_tui.engine.scorer import GONE, MakeScoreSession, Scorer, score_session

if TYPE_CHECKING:
    from entropix_mlx.debugger.debugger import Debugger
    from entropix_mlx.session.session import Session


class Engine:
    """Runs a session in a thread of its own; every method is for the screen's thread.

    `make_session` is called in the engine's thread: with `first`, and then with every request for
    another conversation. `release` is the thread's last act. `limit` is how many outputs may wait
    to be drained before the thread pauses. `make_scorer` makes what scores texts on a session's
    model.
    """

    def __init__(
        self,
        make_session: MakeSession,
        *,
        first: SessionRequest = AS_STARTED,
        release: Callable[[], None] = lambda: None,
        limit: int = 512,
        make_scorer: MakeScoreSession = score_session,
    ) -> None:
        self._make_session = make_session
        self._release = release
        self._make_scorer = make_scorer
        self._mail = Mailbox(limit)
        self._thread = threading.Thread(target=self._run, name="engine")
        # Written by the screen's thread alone.
        self._number = 0  # the last command's
        self._stopped = 0  # commands up to this number are to stop
        # Written by the engine's thread alone.
        self._session: SessionLike | None = None
        self._debugger: Debugger | None = None
        self._scorer: Scorer | None = None
        self._name: str | None = None  # what the session is saved under
        self._running = 0  # the command in hand
        self._making = False
        self._complaint = ""  # why the session that is being made will not be saved
        self._request = first  # how to come by a session while there is none
        self._in_place = False  # whether that is the session whose records the screen has

    def start(self) -> None:
        """Start the thread and load the first session."""
        self._thread.start()
        self._command(lambda number: Make(number, None))

    # A turn. If no session could be made, making one is tried again first.

    def run(self, request: TurnRequest) -> None:
        """One turn of the conversation."""

        def run(session: SessionLike) -> Iterator[Output]:
            yield from self._left()
            yield from session.run(request)

        self._command(lambda number: Turn(number, run))

    def return_to(self, index: int, seed: int | None) -> None:
        """Stand at a record, and draw by a seed (None: the present one), after what is queued."""

        def go(session: SessionLike) -> Iterator[Output]:
            yield from self._left()
            if (event := session.return_to(index, seed)) is not None:
                yield event

        self._command(lambda number: Turn(number, go))

    def debug(self, line: str, *, max_tokens: int) -> None:
        """Do what a line of the debugger's language says; see `entropix_mlx.debugger.commands`.

        A turn that the debugger has halted ends before another begins.
        """

        def debug(session: SessionLike) -> Iterator[Output]:
            from entropix_mlx.debugger.commands import execute
            from entropix_mlx.debugger.debugger import Debugger

            if self._debugger is None:
                self._debugger = Debugger(cast("Session", session))
            self._debugger.max_tokens = max_tokens
            yield from execute(self._debugger, line)

        self._command(lambda number: Turn(number, debug))

    def leave_debugger(self) -> None:
        """End what the debugger has halted."""
        self._command(lambda number: Turn(number, lambda _: self._left()))

    def score(self, text: str, *, anew: bool = False) -> None:
        """A given text, beside the conversation; all that comes of it is `Scored`. `anew`: it is
        the first of those that are looked at together.
        """

        def score(session: SessionLike) -> Iterator[Output]:
            if self._scorer is None:
                self._scorer = Scorer(self._make_scorer, session, self._mail.emit)
            yield from self._scorer.score(text, self._left(), anew=anew)

        self._command(lambda number: Turn(number, score))

    # Asides.

    def use(self, settings: Settings) -> None:
        """Draw with these from the next token on."""
        self._mail.post(Aside("use", lambda session: session.use(settings)))

    def inspect(self, index: int) -> None:
        """Look inside at the token record `index`."""
        self._mail.post(Aside("inspect", lambda session: Inspected(session.inspect(index))))

    def inspect_scored(self, index: int) -> None:
        """Look inside at the token record `index` of the texts that were scored."""

        def inspect(_session: SessionLike) -> Output:
            return GONE if self._scorer is None else self._scorer.inspect(index)

        self._mail.post(Aside("inspect scored", inspect))

    def name_branch(self, leaf: int, name: str) -> None:
        self._mail.post(Aside(None, lambda session: session.name_branch(leaf, name)))

    # Another session. What runs is stopped.

    def renew(self, request: SessionRequest) -> None:
        """Another conversation in place of the one that there is."""
        self.stop()
        self._command(lambda number: Make(number, request))

    def stop(self) -> None:
        """End the loading or the turn that runs, and those that are queued."""
        self._stopped = self._number
        self._halt()

    def _halt(self) -> None:
        """End what runs, from any thread: a turn, or the debugger's going on."""
        if (session := self._session) is not None:
            session.stop()
        if (debugger := self._debugger) is not None:
            debugger.stop()
        if (scorer := self._scorer) is not None:
            scorer.stop()

    def quit(self, timeout: float) -> bool:
        """Stop everything and wait for the thread; False if it has not ended in `timeout` s."""
        self._mail.close()
        self.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def listen(self, ring: Callable[[], None]) -> None:
        """Have `ring` called, in the thread, when something comes out where nothing waited."""
        self._mail.ring = ring

    def drain(self) -> list[Output]:
        """All that has come out since the last call, in order."""
        return self._mail.drain()

    def _command(self, make: Callable[[int], Command]) -> None:
        self._number += 1
        self._mail.post(make(self._number))

    # In the thread.

    def _run(self) -> None:
        try:
            while (task := self._mail.take(asides=self._session is not None)) is not None:
                if isinstance(task, list):
                    self._serve(task)
                else:
                    self._running = task.number
                    self._obey(task)
        finally:
            with self._telling():
                self._close()
            self._release()

    def _obey(self, command: Command) -> None:
        with self._telling():
            if isinstance(command, Make) and command.request is not None:
                self._replace(command.request)
            elif self._session is None:
                self._open_first()
            if isinstance(command, Turn) and self._session is not None:
                self._take_turn(self._session, command)

    @contextmanager
    def _telling(self, scope: Scope | None = None) -> Iterator[None]:
        """Whatever goes wrong is said, and the thread lives on."""
        try:
            yield
        except Exception as error:
            scope = scope or ("load" if self._session is None else "turn")
            self._mail.emit(Failed(one_line(error), traceback.format_exc(), scope))

    def _serve(self, asides: list[Aside]) -> None:
        for aside in asides:
            with self._telling("aside"):
                if self._session is None:
                    raise UsageError("there is no model yet; wait for it, or press Enter")
                output = aside.serve(self._session)
                if output is not None:
                    self._mail.emit(output)

    def _take_turn(self, session: SessionLike, command: Turn) -> None:
        turn = command.begin(session)
        # A session forgets stops from before its turn; this turn may have been stopped by then.
        if self._stopped >= command.number:
            self._halt()
        for record in turn:
            self._mail.emit(record)
            while asides := self._mail.pause():
                self._serve(asides)
            if self._stopped >= command.number:
                self._halt()

    def _replace(self, request: SessionRequest) -> None:
        """Another session in place of the one that there is, which stays if it can't be had.

        What can be prepared is, first; if the rest fails, the conversation that the screen shows
        is opened by the next turn, if it is saved.
        """
        settings = self._session.settings if self._session is not None else None
        with self._cancellable():
            self._make_session.prepare(request, self._progress)
            past = self._make_session.past(request)
        if past is not None:
            self._request, self._in_place = request, True
        elif self._name is not None:
            self._request, self._in_place = Resume(self._name), True
        else:
            self._request, self._in_place = request, False
        with self._telling("aside"):
            self._close()
        self._mail.forget_asides()
        if past is not None:
            self._mail.emit(Renewed())
            self._restore(past)
        self._open(request, settings, renews=past is None)

    def _open_first(self) -> None:
        """The session that there should be; what it has been is shown before."""
        if not self._in_place:
            if (end := self._make_session.past(self._request, end=True)) is not None:
                self._restore(end)
            past = self._make_session.past(self._request)
            if past is not None:
                self._in_place = True
                self._restore(past)
        self._open(self._request)

    def _restore(self, past: Restored) -> None:
        """Show what was said; loading a model holds the interpreter, so this comes first."""
        self._mail.emit(past)
        self._mail.settle()

    def _open(
        self, request: SessionRequest, settings: Settings | None = None, *, renews: bool = False
    ) -> None:
        with self._cancellable():
            made = self._make_session(request, settings, self._progress, self._unsaved)
        self._session, ready = made
        self._name = ready.name
        if renews:
            self._mail.emit(Renewed())
        self._mail.emit(ready)
        complaint, self._complaint = self._complaint, ""
        if complaint:
            self._unsaved(complaint)

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        self._making = True
        try:
            yield
        finally:
            self._making = False

    def _progress(self, stage: str, done: int, total: int | None, unit: str = BYTES) -> None:
        """Tell of loading, or of a prompt that is being read; cancel a loading.

        A turn is not cancelled here: its session ends it, with all that belongs to an end.
        """
        if self._making and (self._mail.closed or self._stopped >= self._running):
            raise CancelledError("Stopped before the model was loaded. Enter tries again.")
        self._mail.emit(Loading(stage, done, total, unit))

    def _unsaved(self, message: str) -> None:
        """Told at once; of a session that is being made, when it is there."""
        self._name = None
        if self._making:
            self._complaint = message
        else:
            self._mail.emit(Unsaved(message))

    def _close(self) -> None:
        session, self._session = self._session, None
        scorer, self._scorer = self._scorer, None
        if scorer is not None:
            scorer.close()
        if session is not None:
            list(self._left())
            self._debugger = None
            session.close()

    def _left(self) -> Iterator[Output]:
        if self._debugger is not None:
            yield from self._debugger.leave()
