"""Another branch made beside the conversation, which is what it was until that one is kept."""

import pytest
from driving import Chat, chatting
from harness import LARGE, SMALL, scenario
from scripted import SETTINGS, Gate, ScriptedSession, token
from textual.widgets import Input

from entropix_tui.conversation.conversation import Conversation
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.screens.compare.setup import CompareSetup
from entropix_tui.transcript.blocks import Answer

pytestmark = pytest.mark.filterwarnings("error")

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])


def scripted(gate: Gate | None = None) -> ScriptedSession:
    answers = [["one", " two"], ["one", " three", " four"]]
    return ScriptedSession(answers=answers, gate=gate or Gate())


def answers(conversation: Conversation) -> list[str]:
    return [b.text for b in conversation.transcript.blocks if isinstance(b, Answer)]


async def compare(chat: Chat, *keys: str) -> None:
    """Set another answer beside the one that there is: with seed 99, or as keys say."""
    await chat.pilot.press("ctrl+d")
    await chat.until(lambda: isinstance(chat.app.screen, CompareSetup))
    if not keys:
        field = chat.app.screen.query_one("#seed", Input)
        field.value = "99"
        field.focus()
    await chat.pilot.press(*keys, "enter")
    await chat.until(lambda: isinstance(chat.app.screen, Compare))


@pytest.mark.slow
@SIZES
@scenario
async def test_closing_leaves_the_conversation_as_it_was(size: tuple[int, int]) -> None:
    session = scripted()
    async with chatting(session, size=size) as chat:
        await chat.ask()
        view = chat.screen.view
        before, length = chat.rows(view.stage), len(view.strips.timeline)
        await compare(chat)
        await chat.until(lambda: "three" in chat.text() and "two" in chat.text())
        assert session.calls[-1][1]["seed"] == 99
        await chat.phase("ready")
        await chat.pilot.press("escape", "escape")
        await chat.until(lambda: session.calls[-1][0] == "return_to")
        assert session.calls[-1][1] == {"index": 2, "seed": 7}, "where the saved session stands"
        await chat.until(lambda: chat.screen.conversation.seed == 7)
        assert session.tree.leaf == chat.screen.conversation.tree.leaf == 2
        assert answers(chat.screen.conversation) == ["one two"]
        assert len(chat.screen.conversation.tree.branches()) == 2, "nothing is lost"
        assert chat.rows(view.stage) == before
        assert len(view.strips.timeline) == length


@pytest.mark.slow
@scenario
async def test_help_says_what_can_be_done_side_by_side() -> None:
    session = scripted()
    async with chatting(session, size=LARGE) as chat:
        await chat.ask()
        await compare(chat)
        await chat.until(lambda: "three" in chat.text() and "two" in chat.text())
        await chat.pilot.press("f1")
        await chat.until(lambda: "Go on with the left one" in chat.text())


@pytest.mark.slow
@scenario
async def test_closing_while_the_other_is_made_stops_it() -> None:
    gate = Gate(2)
    session = scripted(gate)
    async with chatting(session, size=LARGE) as chat:
        gate.allow(2)
        await chat.ask()
        await compare(chat, "f3", "down")
        await chat.until(lambda: "three" in chat.text())
        assert answers(chat.screen.conversation) == ["one two"]
        await chat.pilot.press("escape", "escape")
        assert chat.app.screen is chat.screen
        await chat.phase("ready")
        await chat.until(lambda: session.calls[-1] == ("return_to", {"index": 2, "seed": 7}))
        assert answers(chat.screen.conversation) == ["one two"]
        assert "three" not in chat.text()
        assert chat.screen.conversation.settings == SETTINGS
        assert chat.screen.view.side.summary.answer.tokens == 2, "nor is it counted"


@pytest.mark.slow
@SIZES
@scenario
async def test_keeping_one_that_is_being_made(size: tuple[int, int]) -> None:
    gate = Gate(2)
    session = scripted(gate)
    async with chatting(session, size=size) as chat:
        gate.allow(2)
        await chat.ask()
        await compare(chat)
        await chat.until(lambda: "three" in chat.text())
        await chat.pilot.press("2")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert answers(chat.screen.conversation) == ["one three"]
        gate.open()
        await chat.phase("ready")
        assert answers(chat.screen.conversation) == ["one three four"]
        assert "return_to" not in dict(session.calls)
        assert chat.screen.conversation.seed == 99


@pytest.mark.slow
@scenario
async def test_keeping_the_first_is_closing() -> None:
    session = scripted()
    async with chatting(session) as chat:
        await chat.ask()
        await compare(chat)
        await chat.phase("ready")
        await chat.pilot.press("1")
        await chat.until(lambda: session.calls[-1] == ("return_to", {"index": 2, "seed": 7}))
        assert answers(chat.screen.conversation) == ["one two"]


@pytest.mark.slow
@scenario
async def test_two_samplers_are_made_one_after_the_other() -> None:
    scripts = [["one", " two"], ["one", " three", " four"], ["one", " five"]]
    session = ScriptedSession(answers=scripts)
    async with chatting(session, size=LARGE) as chat:
        await chat.ask()
        await compare(chat, "f3", "down", "shift+tab", "down")
        await chat.phase("ready")
        await chat.until(lambda: "three four" in chat.text() and "five" in chat.text())
        assert "two" not in chat.text()
        made = [call["settings"] for name, call in session.calls if name == "continue_"]
        assert [settings.preset for settings in made] == ["calibrated", "dirichlet"]
        await chat.pilot.press("1")
        await chat.until(lambda: session.calls[-1] == ("return_to", {"index": 5, "seed": 7}))
        assert answers(chat.screen.conversation) == ["one three four"]
        assert len(chat.screen.conversation.tree.branches()) == 3


@pytest.mark.slow
@scenario
async def test_keeping_the_first_of_two_stops_the_second() -> None:
    gate = Gate(2)
    scripts = [["one", " two"], ["one", " three"], ["one", " five", " six", " seven"]]
    session = ScriptedSession(answers=scripts, gate=gate)
    async with chatting(session, size=LARGE) as chat:
        await chat.ask()
        gate.allow(3)
        await compare(chat, "f3", "down", "shift+tab", "down")
        await chat.until(lambda: len(session.tree) == 6)
        await chat.pilot.press("1")
        await chat.until(lambda: session.calls[-1][0] == "return_to")
        await chat.phase("ready")
        assert answers(chat.screen.conversation) == ["one three"]
        assert "seven" not in [node.text for node in session.tree.path(session.tree.newest)]


@pytest.mark.slow
@scenario
async def test_one_that_fails_leaves_nothing() -> None:
    failing = [token(20, "one"), ValueError("no more")]
    session = ScriptedSession(answers=[["one", " two"], failing])
    async with chatting(session) as chat:
        await chat.ask()
        await compare(chat)
        await chat.phase("ready")
        await chat.until(lambda: "1 token " in chat.text() and "1 token …" not in chat.text())
        await chat.pilot.press("escape")
        await chat.until(lambda: session.calls[-1][0] == "return_to")
        assert answers(chat.screen.conversation) == ["one two"]
        assert "no more" not in "".join(b.text for b in chat.screen.conversation.transcript.blocks)
        assert "no more" in chat.told()


@scenario
async def test_the_saved_session_follows_to_another_branch() -> None:
    session = scripted()
    async with chatting(session) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+r")
        await chat.until(lambda: answers(chat.screen.conversation) == ["one three four"])
        await chat.phase("ready")
        chat.screen.switch_to(2)
        await chat.until(lambda: session.calls[-1] == ("return_to", {"index": 2, "seed": None}))
