"""What a chat looks like: in every look of a terminal once, and small and large in one."""

from typing import Any

import pytest
from driving import application
from harness import LARGE, SIZES, SMALL, until
from scripted import STORY, ScriptedFactory, ScriptedSession, Step, token
from textual.pilot import Pilot

from entropix_mlx.records.record import Event
from entropix_tui.look.styles import Colours
from entropix_tui.screens.chat.chat import ChatScreen


def story() -> list[Step]:
    steps: list[Step] = []
    for index, text in enumerate(STORY, 1):
        steps.append(token(index, text, forced="clarify" if index == 38 else None))
        if index == 30:
            steps.append(Event(kind="valley", index=30, at=20))
    return steps


async def ready(pilot: Pilot[None]) -> ChatScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ChatScreen)
    await until(pilot, lambda: screen.conversation.phase == "ready")
    return screen


def drawn(looks: Any, size: tuple[int, int], steps: Any = ready, *look: Any) -> bool:
    app = application(ScriptedFactory([ScriptedSession(answers=[story()])]), *look)
    try:
        return bool(looks(app, size, steps))
    finally:
        assert app.first.engine.quit(30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "colours", "dark"),
    [
        pytest.param(LARGE, "true", True, id="dark"),
        pytest.param(LARGE, "true", False, id="light"),
        pytest.param(LARGE, "sixteen", True, id="sixteen"),
        pytest.param(LARGE, "none", True, id="nocolor"),
        pytest.param(SMALL, "true", True, id="small"),
    ],
)
def test_an_answer_and_its_inspector(
    looks: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    colours: Colours,
    dark: bool,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await ready(pilot)
        screen.composer.prompt.put("Which number is larger, 9.9 or 9.11?")
        await pilot.press("enter")
        await until(pilot, lambda: screen.view.tokens.answer() and not screen.conversation.busy)
        await pilot.press(*["ctrl+left"] * 8)

    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(looks, size, steps, colours, dark)


@pytest.mark.slow
@SIZES
def test_the_empty_screen(looks: Any, size: tuple[int, int]) -> None:
    assert drawn(looks, size)


@pytest.mark.slow
@SIZES
def test_help(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await pilot.press("f1")

    assert drawn(looks, size, steps)
