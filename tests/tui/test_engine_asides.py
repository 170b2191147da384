"""What the engine's thread does besides turns: asides, other conversations, other models."""

import dataclasses
import threading

import pytest
from gathering import running
from scripted import SETTINGS, STORY, Gate, ScriptedFactory, ScriptedSession, prompt, token

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import DownloadError
from entropix_tui.engine.outputs import (
    Failed,
    Inspected,
    Ready,
    Renewed,
    Restored,
    TurnRecord,
    Unsaved,
)
from entropix_tui.engine.protocol import AS_STARTED, Fresh, Resume, Switch

HOT = dataclasses.replace(SETTINGS, temperature=2.0)
PAST: list[TurnRecord] = [
    prompt(0, "hello"),
    token(1, "hi"),
    End(leaf=1, finish_reason="stop", tokens=1, seconds=0.1, prefill_seconds=0.0),
]


def names(session: ScriptedSession) -> list[str]:
    return [name for name, _ in session.calls]


def test_asides_are_served_between_two_records_of_a_turn() -> None:
    gate = Gate(2)
    session = ScriptedSession(gate=gate)
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("Which?", max_tokens=512))
        got.until_count(TokenRecord, 2)
        got.engine.use(HOT)
        got.engine.inspect(1)
        got.engine.name_branch(2, "first")
        gate.allow(1)  # the turn has to come by for them
        got.until_count(Inspected)
        got.until_count(Event, 2)
        assert not got.of(End)
        gate.open()
        got.until_count(End)
    kinds = [type(output) for output in got.outputs]
    assert kinds.index(Inspected) < kinds.index(End)
    setting, branch = got.of(Event)
    assert setting == Event(kind="setting", index=3, detail={"temperature": 2.0})
    assert branch == Event(kind="branch", index=2, detail={"name": "first"})
    (inspected,) = got.of(Inspected)
    assert isinstance(inspected, Inspected)
    assert inspected.inspection.index == 1
    assert len(got.of(TokenRecord)) == len(STORY), "the turn lost nothing"


def test_asides_are_served_at_once_while_nothing_runs() -> None:
    session = ScriptedSession()
    with running(ScriptedFactory([session])) as got:
        got.engine.use(HOT)  # before there is a model: as soon as there is one
        got.until_count(Event)
        kinds = [type(output) for output in got.outputs]
        assert kinds.index(Ready) < kinds.index(Event)
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.until_count(End)
        got.engine.inspect(1)
        got.until_count(Inspected)
    assert session.settings == HOT


def test_of_several_that_wait_only_the_last_is_served() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(ScriptedSession):
        def inspect(self, index: int) -> Inspection:
            entered.set()
            assert leave.wait(20)
            return super().inspect(index)

    session = Slow()
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("a", max_tokens=512))
        got.until_count(End)
        got.engine.inspect(1)
        assert entered.wait(20)
        for index in range(2, 9):  # the cursor is being moved
            got.engine.inspect(index)
            got.engine.use(dataclasses.replace(SETTINGS, temperature=index / 10))
        got.engine.name_branch(1, "a")
        got.engine.name_branch(1, "b")
        leave.set()
        got.until_count(Inspected, 2)
        got.until_count(Event, 3)
    inspected = [o.inspection.index for o in got.of(Inspected) if isinstance(o, Inspected)]
    assert inspected == [1, 8]
    assert names(session)[2:] == ["inspect", "use", "name_branch", "name_branch"]
    assert session.settings.temperature == 0.8


def test_asides_are_served_while_a_turn_waits_for_room() -> None:
    session = ScriptedSession(answers=[["x"] * 200])
    with running(ScriptedFactory([session]), limit=16) as got:
        got.engine.run(TurnRequest("go", max_tokens=200))
        got.until_waiting(16)
        for asked in range(1, 4):  # nobody drains, and they are answered all the same
            got.engine.inspect(1)
            got.until_waiting(16 + asked)
        assert names(session) == ["send", "inspect", "inspect", "inspect"]
        assert session._index <= 17, "the turn waits on"
        got.until_count(End)
    assert [o.index for o in got.of(TokenRecord)] == list(range(1, 201))  # type: ignore[union-attr]


def test_quitting_while_a_turn_waits_for_room_and_asides_wait_too() -> None:
    session = ScriptedSession(answers=[["x"] * 10_000])
    with running(ScriptedFactory([session]), limit=4) as got:
        got.engine.run(TurnRequest("go", max_tokens=10_000))
        got.until_waiting(4)
        got.engine.use(HOT)
        got.engine.inspect(1)
    assert session.closed


@pytest.mark.parametrize("error", [RuntimeError("bad"), MemoryError()])
def test_an_aside_that_fails_ends_no_turn(error: Exception) -> None:
    class Failing(ScriptedSession):
        def inspect(self, index: int) -> Inspection:  # noqa: ARG002
            raise error

        def use(self, settings: Settings) -> Event | None:  # noqa: ARG002
            raise error

    gate = Gate(1)
    with running(ScriptedFactory([Failing(gate=gate)])) as got:
        got.engine.run(TurnRequest("a", max_tokens=512))
        got.until_count(TokenRecord)
        got.engine.inspect(1)
        got.engine.use(HOT)
        gate.open()
        got.until_count(End)
        got.until_count(Failed, 2)
    assert {f.scope for f in got.of(Failed)} == {"aside"}  # type: ignore[union-attr]
    (end,) = got.of(End)
    assert isinstance(end, End)
    assert (end.finish_reason, end.tokens) == ("stop", len(STORY))


def test_an_aside_without_a_session_says_so() -> None:
    with running(ScriptedFactory([RuntimeError("no"), ScriptedSession()])) as got:
        got.until_count(Failed)
        got.engine.use(HOT)
        got.until_count(Failed, 2)
        assert [f.scope for f in got.of(Failed)] == ["load", "aside"]  # type: ignore[union-attr]
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.until_count(End)


def test_going_on_regenerating_and_forking() -> None:
    session = ScriptedSession()
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("a", max_tokens=2))
        got.until_count(End)
        got.engine.run(TurnRequest(max_tokens=2))
        got.until_count(End, 2)
        got.engine.run(TurnRequest(max_tokens=1, after=0, seed=9))
        got.until_count(End, 3)
        got.engine.run(TurnRequest(max_tokens=2, after=1, force=(5,)))
        got.until_count(End, 4)
    records = [o for o in got.outputs if isinstance(o, TokenRecord)]
    assert [(r.index, r.parent) for r in records] == [
        *((1, 0), (2, 1)),  # the answer, cut off
        *((3, 2), (4, 3)),  # gone on with
        (5, 0),  # said again
        *((6, 1), (7, 6)),  # forked
    ]
    assert [r.text for r in records[:4]] == STORY[:4]
    assert (records[5].id, records[5].text, records[5].forced) == (5, " [red]", "user")
    seeds = [e for e in got.outputs if isinstance(e, Event) and e.kind == "setting"]
    assert seeds == [Event(kind="setting", index=0, detail={"seed": 9})]


def test_a_resumed_conversation_is_restored_and_goes_on() -> None:
    old, resumed = ScriptedSession(gate=Gate(2)), ScriptedSession(past=PAST, name="one")
    factory = ScriptedFactory([old, resumed])
    with running(factory) as got:
        got.engine.run(TurnRequest("a", max_tokens=512))
        got.until_count(TokenRecord, 2)
        got.engine.renew(Resume("one"))
        got.until_count(Restored)
        got.engine.run(TurnRequest("more", max_tokens=1))
        got.until_count(End, 2)
    assert old.closed
    assert factory.wishes == [AS_STARTED, Resume("one")]
    kinds = [type(o) for o in got.outputs]
    assert kinds.index(End) < kinds.index(Renewed)
    assert kinds[kinds.index(Renewed) + 1] is Restored, "before the model is loaded"
    assert kinds[kinds.index(Restored) :].count(Ready) == 1
    (restored,) = got.of(Restored)
    assert isinstance(restored, Restored)
    assert list(restored.records) == PAST
    prompts = [o for o in got.of(PromptRecord) if isinstance(o, PromptRecord)]
    assert (prompts[-1].index, prompts[-1].parent) == (2, 1)


def test_the_first_session_may_be_a_resumed_one() -> None:
    session = ScriptedSession(past=PAST, name="one", note="welcome back")
    with running(ScriptedFactory([session]), first=Resume("one")) as got:
        got.until_count(Restored)
        got.until_count(Ready)
    kinds = [type(output) for output in got.outputs]
    assert kinds.index(Restored) < kinds.index(Ready)
    (ready,) = got.of(Ready)
    assert isinstance(ready, Ready)
    assert (ready.name, ready.note, ready.settings) == ("one", "welcome back", SETTINGS)
    assert not got.of(Renewed)


def test_a_new_chat_keeps_the_settings_and_takes_the_system_prompt() -> None:
    factory = ScriptedFactory([ScriptedSession(), ScriptedSession()])
    with running(factory) as got:
        got.until_count(Ready)
        got.engine.use(HOT)
        got.engine.renew(Fresh("Be terse."))
        got.until_count(Ready, 2)
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.until_count(End)
    assert factory.wishes[1] == Fresh("Be terse.")
    second = got.of(Ready)[-1]
    assert isinstance(second, Ready)
    assert second.settings == HOT
    assert second.system == "Be terse."
    roles = [o.role for o in got.outputs if isinstance(o, PromptRecord)]
    assert roles == ["system", "user"]


def test_what_cannot_be_prepared_leaves_the_conversation_alone() -> None:
    session = ScriptedSession()
    factory = ScriptedFactory([session], refused={1: DownloadError("the Hub is away; try later")})
    with running(factory) as got:
        got.until_count(Ready)
        got.engine.renew(Switch("llama-3.2-1b"))
        got.until_count(Failed)
        assert not session.closed
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.until_count(End)
    (failed,) = got.of(Failed)
    assert isinstance(failed, Failed)
    assert (failed.message, failed.scope) == ("the Hub is away; try later", "turn")
    assert not got.of(Renewed)


def test_a_model_that_does_not_load_gives_the_saved_conversation_back() -> None:
    old = ScriptedSession(name="kept", past=PAST)
    factory = ScriptedFactory([old, RuntimeError("no memory"), old])
    with running(factory, first=Resume("kept")) as got:
        got.until_count(Ready)
        got.engine.renew(Switch("llama-3.2-1b"))
        got.until_count(Failed)
        assert old.closed
        got.engine.run(TurnRequest("a", max_tokens=1))
        got.until_count(End)
    assert factory.wishes == [Resume("kept"), Switch("llama-3.2-1b"), Resume("kept")]
    assert [f.scope for f in got.of(Failed)] == ["load"]  # type: ignore[union-attr]
    assert not got.of(Renewed), "the screen has that conversation already"
    assert len(got.of(Restored)) == 1


def test_a_save_that_fails_is_told_and_the_answer_goes_on() -> None:
    session = ScriptedSession(answers=[["a", Unsaved("the disk is full"), "b"]], name="kept")
    with running(ScriptedFactory([session])) as got:
        got.engine.run(TurnRequest("a", max_tokens=9))
        got.until_count(End)
    assert got.of(Unsaved) == [Unsaved("the disk is full")]
    assert len(got.of(TokenRecord)) == 2
    assert not got.of(Failed)


def test_how_a_long_session_ended_is_shown_before_all_of_it() -> None:
    session = ScriptedSession(past=PAST, ending=PAST[1:], name="one")
    with running(ScriptedFactory([session]), first=Resume("one")) as got:
        got.until_count(Ready)
    shown = [list(o.records) for o in got.of(Restored) if isinstance(o, Restored)]
    assert shown == [PAST[1:], PAST]
