"""The engine's thread: order, back-pressure, stopping, quitting, failures."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from gathering import running
from scripted import SETTINGS, STORY, Gate, ScriptedFactory, ScriptedSession

from entropix_mlx.records.record import End, PromptRecord, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import DownloadError
from entropix_models.progress import Progress
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed, Loading, Ready, Renewed
from entropix_tui.engine.protocol import Complain, Fresh, SessionRequest


class Maker:
    """Sessions from a function that is given the progress callback."""

    def __init__(self, make: Callable[[Progress], ScriptedSession]) -> None:
        self._make = make

    def prepare(self, _wish: SessionRequest, _progress: Progress) -> None:
        pass

    def past(self, _wish: SessionRequest, *, end: bool = False) -> None:  # noqa: ARG002
        return None

    def __call__(
        self,
        _wish: SessionRequest,
        _settings: Settings | None,
        progress: Progress,
        _complain: Complain,
    ) -> tuple[ScriptedSession, Ready]:
        session = self._make(progress)
        return session, session.ready


def _loading(done: int) -> Loading:
    return Loading("downloading smollm2-135m", done, 100)


def test_loading_then_a_turn_in_order() -> None:
    session = ScriptedSession()
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("Which?", max_tokens=512))
        got.until_count(End)
    loading = [output for output in got.outputs if isinstance(output, Loading)]
    assert loading[-1] == _loading(100)
    kinds = [type(output) for output in got.outputs[len(loading) :]]
    assert kinds == [Ready, PromptRecord] + [TokenRecord] * len(STORY) + [End]
    assert session.heard == ["Which?"]
    assert session.closed


def test_every_call_on_the_session_is_made_in_one_thread() -> None:
    threads: set[str] = set()

    class Session(ScriptedSession):
        def send(self, text: str, **options: Any):  # type: ignore[no-untyped-def]
            threads.add(threading.current_thread().name)
            return super().send(text, **options)

        def use(self, settings: Settings) -> None:  # noqa: ARG002
            threads.add(threading.current_thread().name)

        def close(self) -> None:
            threads.add(threading.current_thread().name)

    def make(_progress: Progress) -> ScriptedSession:
        threads.add(threading.current_thread().name)
        return Session()

    with running(Maker(make)) as got:
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.engine.use(SETTINGS)
        got.until_count(End)
    assert threads == {"engine"}


def test_the_thread_waits_while_nobody_drains() -> None:
    session = ScriptedSession(answers=[["x"] * 5000])
    with running(ScriptedFactory([session]), limit=64) as got:
        got.until_count(Ready)
        got.engine.run(TurnRequest("go", max_tokens=5000))
        deadline = time.monotonic() + 20
        while got.engine._mail.waiting < 64:
            assert time.monotonic() < deadline
        assert got.engine._mail.waiting == 64
        assert session._index < 5000
        got.until_count(End)
    assert len(got.of(TokenRecord)) == 5000
    assert [o.index for o in got.of(TokenRecord)] == list(range(1, 5001))  # type: ignore[union-attr]


def test_it_rings_once_for_all_that_waits() -> None:
    rings: list[None] = []
    with running(ScriptedFactory([ScriptedSession()])) as got:
        got.until_waiting(2)  # the loading and what it led to
        got.engine.listen(lambda: rings.append(None))
        got.until_count(Ready)
        for turn in (1, 2):
            got.engine.run(TurnRequest("a", max_tokens=512))
            got.until_waiting(len(STORY) + 2)  # a prompt before them, an end behind
            assert len(rings) == turn
            got.until_count(End, turn)


def test_stop_ends_the_turn_and_the_next_one_runs() -> None:
    gate = Gate(3)
    session = ScriptedSession(gate=gate)
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("one", max_tokens=512))
        got.until_count(TokenRecord, 3)
        got.engine.stop()
        got.until_count(End)
        gate.open()
        got.engine.run(TurnRequest("two", max_tokens=512))
        got.until_count(End, 2)
    first, second = got.of(End)
    assert isinstance(first, End)
    assert isinstance(second, End)
    assert (first.finish_reason, first.tokens) == ("interrupted", 3)
    assert (second.finish_reason, second.tokens) == ("stop", len(STORY))


def test_a_turn_that_was_stopped_before_it_began_ends_at_once() -> None:
    session = ScriptedSession(gate=Gate(0))
    with running(ScriptedFactory([session])) as got:
        got.until_count(Ready)
        got.engine.run(TurnRequest("one", max_tokens=512))
        got.engine.stop()
        got.until_count(End)
    (end,) = got.of(End)
    assert isinstance(end, End)
    assert end.finish_reason == "interrupted"


def test_stop_while_loading_and_try_again() -> None:
    gate = Gate(2)
    factory = ScriptedFactory([ScriptedSession()], gate=gate)
    with running(factory) as got:
        got.until(lambda: got.outputs and got.outputs[-1] == _loading(20))
        got.engine.stop()
        gate.allow(1)
        got.until_count(Failed)
        assert not got.of(Ready)
        gate.open()
        got.engine.run(TurnRequest("Which?", max_tokens=2))
        got.until_count(End)
    assert len(got.of(Ready)) == 1


def test_quitting_while_loading_is_prompt() -> None:
    waiting = threading.Event()

    def make(progress: Progress) -> ScriptedSession:
        done = 0
        while True:  # a download without an end
            progress("downloading", done, None)
            waiting.set()
            done += 1

    engine = Engine(Maker(make), limit=10)
    engine.start()
    assert waiting.wait(20)
    assert engine.quit(5)


def test_quitting_while_generating_and_while_the_queue_is_full() -> None:
    session = ScriptedSession()
    session.answers = [["x"] * 100_000]
    engine = Engine(ScriptedFactory([session]), limit=16)
    engine.start()
    engine.run(TurnRequest("go", max_tokens=100_000))
    deadline = time.monotonic() + 20
    while engine._mail.waiting < 16:
        assert time.monotonic() < deadline
    assert engine.quit(20)
    assert session.closed


def test_a_thread_in_a_blocking_call_is_reported_not_waited_for() -> None:
    release, inside = threading.Event(), threading.Event()

    def make(_progress: Progress) -> ScriptedSession:
        inside.set()
        assert release.wait(30)
        return ScriptedSession()

    engine = Engine(Maker(make))
    engine.start()
    assert inside.wait(20)
    assert not engine.quit(0.01)
    release.set()
    assert engine.quit(20)


def test_quitting_before_the_start() -> None:
    assert Engine(ScriptedFactory([ScriptedSession()])).quit(1)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DownloadError("the Hub cannot be reached; try later"), "the Hub cannot be reached; try"),
        (RuntimeError("bad\n  thing"), "the engine failed: RuntimeError: bad thing"),
        (MemoryError(), "out of memory: what was said is kept; begin a new, shorter conversation"),
        (RuntimeError("[METAL] failed: Insufficient Memory"), "out of memory: what was said is"),
        (RuntimeError("[malloc] Unable to allocate 8 bytes"), "out of memory: what was said is"),
    ],
)
def test_errors_are_one_line_and_the_thread_lives_on(error: Exception, message: str) -> None:
    sessions: list[ScriptedSession | Exception] = [
        error,
        ScriptedSession(answers=[["a", error], ["b"]]),
    ]
    with running(ScriptedFactory(sessions)) as got:
        got.until_count(Failed)
        got.engine.run(TurnRequest("again", max_tokens=9))  # loads again, then fails in mid-answer
        got.until_count(Failed, 2)
        got.engine.run(TurnRequest("and again", max_tokens=9))
        got.until_count(End)
    for failed in got.of(Failed):
        assert isinstance(failed, Failed)
        assert failed.message.startswith(message)
        assert "Traceback" in failed.details


def test_a_new_chat_closes_the_old_session() -> None:
    old, new = ScriptedSession(gate=Gate(2)), ScriptedSession()
    with running(ScriptedFactory([old, new])) as got:
        got.until_count(Ready)
        got.engine.run(TurnRequest("one", max_tokens=512))
        got.until_count(TokenRecord, 2)
        got.engine.renew(Fresh())
        got.until_count(Ready, 2)
        assert old.closed
        kinds = [type(output) for output in got.outputs]
        assert kinds.index(End) < kinds.index(Renewed), "the old conversation ends first"
        got.engine.run(TurnRequest("two", max_tokens=1))
        got.until_count(End, 2)
    assert new.heard == ["two"]
