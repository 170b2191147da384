"""What the user does to the conversation, on the screen: branches of every kind, other sessions."""

import dataclasses
import datetime
from pathlib import Path

import pytest
from driving import Chat, chatting
from harness import LARGE, SMALL, scenario
from scripted import SETTINGS, STORY, Gate, ScriptedFactory, ScriptedSession, prompt, token

from entropix_mlx.records.record import End
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.trace.archive import Archive, Saved
from entropix_models.errors import ContextLengthError, DownloadError
from entropix_tui.engine.outputs import TurnRecord, Unsaved
from entropix_tui.engine.protocol import Fresh, Resume, Switch
from entropix_tui.screens.branches import Branches
from entropix_tui.screens.candidate_picker import CandidatePicker
from entropix_tui.screens.models import ModelsScreen
from entropix_tui.screens.sessions import SessionsScreen
from entropix_tui.transcript.blocks import Answer

pytestmark = pytest.mark.filterwarnings("error")

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
PAST: list[TurnRecord] = [
    prompt(0, "long ago"),
    token(1, "once"),
    token(2, " upon"),
    End(leaf=2, finish_reason="stop", tokens=2, seconds=0.2, prefill_seconds=0.0),
]


def answers(chat: Chat) -> list[str]:
    blocks = chat.screen.conversation.transcript.blocks
    return [block.text for block in blocks if isinstance(block, Answer)]


async def settled(chat: Chat, session: ScriptedSession, calls: int) -> None:
    """Until a turn that was asked for is over."""
    await chat.until(lambda: len(session.calls) >= calls)
    await chat.phase("ready")


@pytest.mark.slow
@SIZES
@scenario
async def test_continuing_an_answer_that_was_cut_off(size: tuple[int, int]) -> None:
    session = ScriptedSession()
    async with chatting(session, size=size, max_tokens=5) as chat:
        await chat.ask()
        assert answers(chat) == ["".join(STORY[:5])]
        assert "Enter on an empty line continues the answer" in chat.text()
        await chat.pilot.press("enter")
        await settled(chat, session, 2)
        assert answers(chat) == ["".join(STORY[:10])]
        name, call = session.calls[-1]
        assert (name, call["after"], call["force"]) == ("continue_", 5, [])
        note = chat.screen.conversation.transcript.blocks[-1].text
        summary = chat.screen.view.side.summary
        await chat.until(lambda: summary.answer.tokens == 10)
        assert note.startswith("10 tokens · "), "of the answer, as the panel says"
        assert f"mean entropy {summary.answer.mean_entropy:.2f} bits" in note


@pytest.mark.slow
@SIZES
@scenario
async def test_regenerating_with_another_seed(size: tuple[int, int]) -> None:
    session = ScriptedSession(answers=[["one"], ["two"]])
    async with chatting(session, size=size) as chat:
        chat.screen.draw_seed = lambda: 4242
        await chat.pilot.press("ctrl+r")
        assert "no answer to make again" in chat.told()
        await chat.ask()
        await chat.pilot.press("ctrl+r")
        await settled(chat, session, 2)
        assert answers(chat) == ["two"]
        assert session.calls[-1][1]["seed"] == 4242
        assert session.calls[-1][1]["after"] == 0
        assert "seed 4242" in chat.text()
        assert len(chat.screen.conversation.tree.branches()) == 2


@pytest.mark.slow
@SIZES
@scenario
async def test_editing_an_earlier_message(size: tuple[int, int]) -> None:
    session = ScriptedSession(answers=[["one"], ["two"], ["three"]])
    async with chatting(session, size=size) as chat:
        await chat.ask("first")
        await chat.ask("second")
        await chat.pilot.press(*"draft", "ctrl+up")
        assert chat.screen.composer.prompt.text == "second"
        assert "editing message 2, Esc cancels" in chat.text()
        await chat.pilot.press("ctrl+up", "ctrl+up")
        assert chat.screen.composer.prompt.text == "first"
        await chat.pilot.press("ctrl+down", "ctrl+down")
        assert chat.screen.composer.prompt.text == "draft", "walking past the last one is an end"
        await chat.pilot.press("ctrl+up", "escape")
        assert chat.screen.composer.prompt.text == "draft"
        assert "editing" not in chat.text()
        await chat.pilot.press("ctrl+up", "ctrl+up", "!", "enter")
        await settled(chat, session, 3)
        assert session.calls[-1][1]["text"] == "first!"
        assert session.calls[-1][1]["after"] == -1
        assert answers(chat) == ["three"]
        assert "editing" not in chat.text()
        said = [block.text for block in chat.screen.conversation.transcript.blocks[:1]]
        assert said == ["first!"]


@pytest.mark.slow
@SIZES
@scenario
async def test_going_on_without_a_clarifying_text(size: tuple[int, int]) -> None:
    put_in = [token(n, text, forced="clarify") for n, text in ((3, " ..."), (4, " hm"))]
    inserting = dataclasses.replace(SETTINGS, clarify="insert")
    scripts = [["It", " is", *put_in, " so"], [" not", " so"]]
    session = ScriptedSession(answers=scripts, settings=inserting)
    async with chatting(session, size=size) as chat:
        await chat.ask()
        assert "without it" not in chat.text()
        await chat.pilot.press("tab", "delete")
        assert "on a text that was inserted" not in chat.told(), "the key is another's there"
        await chat.pilot.press("left")
        assert "Del without it" in chat.text()
        await chat.pilot.press("delete")
        await settled(chat, session, 2)
        assert answers(chat) == ["It is not so"]
        call = session.calls[-1][1]
        assert call["after"] == 2
        assert call["settings"] == dataclasses.replace(SETTINGS, clarify="off")
        assert chat.screen.conversation.settings == inserting, "for that answer alone"
        assert len(chat.screen.conversation.tree.branches()) == 2, "nothing is lost"
        chat.screen.view.stage.tokens.action_without()
        await chat.until(lambda: "on a text that was inserted" in chat.told())


@pytest.mark.slow
@SIZES
@scenario
async def test_escape_from_editing_returns_to_the_text(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        tokens, prompt = chat.screen.view.tokens, chat.screen.composer.prompt
        await chat.pilot.press("tab", "left", "e")
        assert chat.app.focused is prompt
        cursor = tokens.cursor
        await chat.pilot.press("escape")
        assert chat.app.focused is tokens
        assert tokens.cursor == cursor
        prompt.focus()
        await chat.pilot.press("ctrl+up", "escape")
        assert chat.app.focused is prompt, "which it was begun from"


@pytest.mark.slow
@SIZES
@scenario
async def test_forking_by_another_candidate(size: tuple[int, int]) -> None:
    session = ScriptedSession()
    async with chatting(session, size=size) as chat:
        await chat.ask()
        chat.screen.view.tokens.focus()
        await chat.pilot.press("home", "ctrl+left", "ctrl+left", "enter")
        await chat.until(lambda: isinstance(chat.app.screen, CandidatePicker))
        await chat.until(lambda: "inspect" in [name for name, _ in session.calls])
        await chat.pilot.press(*"red", "enter")
        await chat.until(lambda: session.calls[-1][0] == "continue_")
        await chat.phase("ready")
        at = len(STORY) - 1
        assert session.calls[-1][1]["after"] == at - 1
        assert session.calls[-1][1]["force"] == [5]
        assert answers(chat) == ["".join(STORY[: at - 1]) + " [red]" + STORY[-1]]
        assert "† [red]" in chat.text() or "†[red]" in chat.text() or " †" in chat.text()


@pytest.mark.slow
@scenario
async def test_forking_from_the_inspector_and_not_in_a_prompt() -> None:
    session = ScriptedSession()
    async with chatting(session, size=LARGE) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+left")
        chat.screen.view.inspector.focus()
        await chat.pilot.press("down", "enter")
        await chat.until(lambda: session.calls[-1][0] == "continue_")
        await chat.phase("ready")
        assert session.calls[-1][1]["force"] == [5]
        chat.screen.view.tokens.focus()
        for _ in range(80):
            await chat.pilot.press("left")
        assert chat.screen.view.ref is not None
        assert chat.screen.view.ref.index == 0
        await chat.pilot.press("enter")
        assert "was given, not drawn" in chat.told()


@pytest.mark.slow
@SIZES
@scenario
async def test_branches_are_listed_and_returned_to(size: tuple[int, int]) -> None:
    session = ScriptedSession(answers=[["one"], ["two"], ["three"]])
    async with chatting(session, size=size) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+r")
        await settled(chat, session, 2)
        await chat.pilot.press("ctrl+b")
        await chat.until(lambda: isinstance(chat.app.screen, Branches))
        await chat.pilot.press("up", "enter")
        await chat.until(lambda: answers(chat) == ["one"])
        await chat.ask("and then?")
        assert session.calls[-1][1]["after"] == 1, "it goes on in the branch in view"
        assert answers(chat) == ["one", "three"]
        assert len(chat.screen.view.strips.timeline) == len(chat.screen.view.side.plane.timeline)
        assert chat.screen.view.strips.timeline.records[-1].text == "three"


@pytest.mark.slow
@scenario
async def test_a_branch_can_be_named() -> None:
    session = ScriptedSession()
    async with chatting(session) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+b")
        await chat.until(lambda: isinstance(chat.app.screen, Branches))
        await chat.pilot.press("n", *"good", "enter")
        await chat.until(lambda: session.calls[-1][0] == "name_branch")
        await chat.pilot.press("escape")
        tree = chat.screen.conversation.tree
        await chat.until(lambda: [branch.name for branch in tree.branches()] == ["good"])


@pytest.mark.slow
@scenario
async def test_a_system_prompt_begins_a_new_conversation() -> None:
    old, new = ScriptedSession(answers=[["one"]]), ScriptedSession(answers=[["two"]])
    factory = ScriptedFactory([old, new])
    async with chatting(factory=factory) as chat:
        await chat.ask("hello")
        await chat.pilot.press(*"draft")
        chat.screen.composer.action_system_prompt()
        assert "system prompt of a new conversation" in chat.text()
        await chat.pilot.press(*"Be terse.", "enter")
        await chat.until(lambda: len(factory.wishes) == 2)
        await chat.phase("ready")
        assert factory.wishes[1] == Fresh("Be terse.")
        await chat.until(lambda: "system prompt: Be terse." in chat.text())
        assert chat.screen.composer.prompt.text == "draft"
        await chat.pilot.press("enter")
        await chat.until(lambda: answers(chat) == ["two"])
        kinds = [block.kind for block in chat.screen.conversation.transcript.blocks]
        assert kinds[:3] == ["system", "user", "answer"]


class Listed(Archive):
    """One saved session."""

    def list(self) -> list[Saved]:
        moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return [Saved("ages", "long ago", "smollm2-135m", moment, 1000)]


@pytest.mark.slow
@SIZES
@scenario
async def test_a_saved_session_is_resumed(size: tuple[int, int], tmp_path: Path) -> None:
    old = ScriptedSession()
    resumed = ScriptedSession(past=PAST, name="ages", answers=[["more"]])
    factory = ScriptedFactory([old, resumed])
    async with chatting(factory=factory, size=size, archive=Listed(tmp_path)) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+o")
        await chat.until(lambda: isinstance(chat.app.screen, SessionsScreen))
        await chat.until(lambda: "long ago" in chat.text())
        await chat.pilot.press("enter")
        await chat.until(lambda: factory.wishes[-1] == Resume("ages"))
        await chat.until(lambda: answers(chat) == ["once upon"])
        assert "▌ long ago" in chat.text()
        assert chat.screen.view.strips.timeline.records[-1].text == " upon"
        await chat.ask("go on")
        assert resumed.calls[-1][1]["after"] == 2
        assert answers(chat) == ["once upon", "more"]


@pytest.mark.slow
@scenario
async def test_another_model() -> None:
    old, new = ScriptedSession(), ScriptedSession(name="fresh")
    factory = ScriptedFactory([old, new])
    async with chatting(factory=factory, size=LARGE) as chat:
        await chat.ask()
        chat.screen.action_models()
        await chat.until(lambda: isinstance(chat.app.screen, ModelsScreen))
        await chat.until(lambda: "llama-3.2-1b" in chat.text())
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        chat.screen.renew(Switch("llama-3.2-1b"))
        await chat.until(lambda: chat.screen.conversation.name == "fresh")
        await chat.phase("ready")
        assert factory.wishes[-1] == Switch("llama-3.2-1b")
        assert old.closed
        assert chat.screen.conversation.is_empty
        assert not len(chat.screen.view.strips.timeline)


@pytest.mark.slow
@SIZES
@scenario
async def test_a_model_that_cannot_be_had_leaves_everything(size: tuple[int, int]) -> None:
    session = ScriptedSession(answers=[["one"], ["two"]])
    refused = {1: DownloadError("the Hub cannot be reached; try later")}
    async with chatting(factory=ScriptedFactory([session], refused=refused), size=size) as chat:
        await chat.ask()
        chat.screen.renew(Switch("llama-3.2-1b"))
        await chat.until(lambda: "✗ the Hub cannot be reached; try later" in chat.text())
        await chat.phase("ready")
        assert answers(chat) == ["one"]
        await chat.ask("again")
        assert answers(chat) == ["one", "two"]


@pytest.mark.slow
@SIZES
@scenario
async def test_out_of_memory_in_mid_answer(size: tuple[int, int]) -> None:
    error = RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory")
    session = ScriptedSession(answers=[["Half", " an", error], [" answer"]])
    async with chatting(session, size=size) as chat:
        await chat.ask("first")
        assert "✗ out of memory: what was said is kept" in chat.text()
        assert answers(chat) == ["Half an"]
        await chat.pilot.press("enter")
        await settled(chat, session, 2)
        assert answers(chat) == ["Half an answer"]


@pytest.mark.slow
@scenario
async def test_what_is_too_long_comes_back_to_be_shortened() -> None:
    class Full(ScriptedSession):
        def send(self, text: str, **options: object):  # type: ignore[no-untyped-def, override]
            if len(text) > 9:
                raise ContextLengthError("the conversation would be 9000 tokens long; shorten it")
            return super().send(text, **options)  # type: ignore[arg-type]

    async with chatting(Full(answers=[["ok"]])) as chat:
        await chat.ask("hello")
        await chat.ask("something long")
        assert "✗ the conversation would be 9000 tokens long" in chat.text()
        assert chat.screen.composer.prompt.text == "something long"
        assert answers(chat) == ["ok"]


@pytest.mark.slow
@SIZES
@scenario
async def test_a_full_disk_stops_the_saving_and_not_the_answer(size: tuple[int, int]) -> None:
    session = ScriptedSession(
        answers=[["a", Unsaved("not saved from here on: no space left"), "b"]], name="kept"
    )
    async with chatting(session, size=size) as chat:
        await chat.ask()
        assert answers(chat) == ["ab"]
        assert "not saved from here on: no space left" in chat.told()
        assert "not saved" in chat.rows()[0]
        await chat.ask("again")
        assert len(answers(chat)) == 2


@scenario
async def test_branching_waits_for_the_model() -> None:
    gate = Gate(3)
    session = ScriptedSession(gate=gate)
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.pilot.press(*"hello", "enter")
        await chat.phase("generating")
        await chat.pilot.press("ctrl+r")
        assert "The model is at work" in chat.told()
        chat.screen.switch_to(0)
        gate.open()
        await chat.phase("ready")
        assert len(session.calls) == 1
        assert answers(chat) == ["".join(STORY)]


@pytest.mark.slow
@scenario
async def test_the_sampler_is_changed_while_it_generates(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(3)
    session = ScriptedSession(gate=gate)
    async with chatting(session, size=LARGE) as chat:
        sent: list[Settings] = []
        use = chat.engine.use
        monkeypatch.setattr(chat.engine, "use", lambda made: (use(made), sent.append(made)))
        await chat.phase("ready")
        await chat.pilot.press(*"hello", "enter")
        await chat.phase("generating")
        await chat.pilot.press("ctrl+s")
        await chat.until(lambda: chat.screen.focused is chat.screen.view.side.sampler)
        await chat.pilot.press("down", "right")
        await chat.until(lambda: sent)
        gate.allow(1)
        await chat.until(lambda: "use" in [name for name, _ in session.calls])
        warmer = session.calls[-1][1]["settings"]
        assert warmer.temperature > SETTINGS.temperature
        gate.allow(1)
        await chat.until(lambda: chat.screen.conversation.settings == warmer)
        assert chat.screen.conversation.phase == "generating"
        gate.open()
        await chat.phase("ready")
        at = chat.screen.conversation.samplers
        assert at.at(1)["temperature"] == 0.7
        assert at.at(len(STORY))["temperature"] == warmer.temperature
        await chat.pilot.press("escape")
        assert not chat.screen.view.side.sampler.display
        assert chat.screen.focused is chat.screen.composer.prompt
