"""A prompt that looks like a command of other chats is sent only when that was meant."""

import pytest
from debugged import Scripted
from driving import chatting
from harness import LARGE, SMALL, hosted, press, scenario
from scripted import ScriptedSession

from entropix_tui.conversation.comparison import Reworded
from entropix_tui.keys.config import Config
from entropix_tui.keys.slash import unslashed
from entropix_tui.screens.compare.setup import CompareSetup


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("/help", "Help is F1"),
        ("/quit", "Quit is Ctrl+Q"),
        ("/clear", "New conversation is Ctrl+N"),
        ("/model", "Model is in the list of Ctrl+P"),
        ("/sampelr hot", "Sampler is Ctrl+S"),
        ("/xyzzy", "Ctrl+P lists all there is"),
    ],
)
@scenario
async def test_what_was_meant_is_asked(word: str, hint: str, size: tuple[int, int]) -> None:
    session = ScriptedSession()
    async with chatting(session, size=size) as chat:
        await chat.phase("ready")
        await chat.press(*word, "enter")
        asks = f"{word.split()[0]} is not sent: {hint}; Enter again sends it"
        await chat.until(lambda: asks in chat.text())
        assert session.heard == []
        assert chat.screen.composer.prompt.text == word
        await chat.press("x")
        await chat.until(lambda: asks not in chat.text())
        await chat.press("backspace", "enter")
        await chat.until(lambda: asks in chat.text())
        await chat.press("enter")
        await chat.until(lambda: session.heard == [word])


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("//help", "/help"),
        ("/usr/bin is full", "/usr/bin is full"),
        ("/ 2", "/ 2"),
        ("9/11", "9/11"),
    ],
)
@scenario
async def test_what_is_no_command_is_sent(written: str, heard: str) -> None:
    session = ScriptedSession()
    async with chatting(session) as chat:
        await chat.press(*written, "enter")  # before the model is there: it waits, as it stands
        await chat.until(lambda: session.heard == [heard])
        await chat.phase("ready")
        assert not chat.screen.composer.prompt.text


@pytest.mark.slow
@scenario
async def test_keys_are_those_in_force() -> None:
    session = ScriptedSession()
    async with chatting(session, config=Config(keys={"chat.help": "f10"})) as chat:
        await chat.phase("ready")
        await chat.press(*"/help", "enter")
        await chat.until(lambda: "Help is F10" in chat.text())


@scenario
async def test_a_draft_that_is_stepped_into_is_asked_about_too() -> None:
    session = ScriptedSession()
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.press(*"/quit", "f7")
        await chat.until(lambda: "/quit is not sent" in chat.text())
        assert chat.screen.stepping is None
        assert chat.screen.composer.prompt.text == "/quit"


@pytest.mark.slow
@scenario
async def test_the_debugger_asks_too() -> None:
    script = Scripted()
    async with hosted(lambda: script.make(())) as (app, pilot):
        await press(pilot, *"/quit", "enter")
        assert script.lines == []
        assert "/quit is not sent" in app.text()
        await press(pilot, "enter")
        assert script.lines[0] == 'ask "/quit"'
    script = Scripted()
    async with hosted(lambda: script.make(())) as (app, pilot):
        await press(pilot, *"//quit", "enter")
        assert script.lines[0] == 'ask "/quit"'


@scenario
async def test_so_does_a_comparison() -> None:
    from test_compare_setup import screen

    async with hosted(lambda: screen()) as (app, pilot):
        setup = app.screen
        assert isinstance(setup, CompareSetup)
        await press(pilot, "f4")
        setup.query_one("Prompt").load_text("/help me")  # type: ignore[attr-defined]
        await press(pilot, "ctrl+d")
        assert "/help is not sent" in app.text().replace("\n", " ")
        assert app.answers == []
        await press(pilot, "ctrl+d")
        assert app.answers == [Reworded(setup.asked.index, "/help me")]


def test_of_two_slashes_one_is_sent() -> None:
    assert [unslashed(text) for text in ("//a", " //a", "///a", "a//b", "/a", "// a")] == [
        *("/a", " /a", "//a", "a//b", "/a", "// a"),
    ]
