"""What the screen looks like: dark, light, sixteen colours, none; small and large."""

from typing import Any

import pytest
from driving import LARGE, SMALL, application, until
from scripted import STORY, ScriptedFactory, ScriptedSession, Step, token
from textual.pilot import Pilot

from entropix_mlx.records.record import Event
from entropix_tui.app import EntropixApp
from entropix_tui.screens.chat.chat import ChatScreen

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
LOOKS = pytest.mark.parametrize(
    ("colours", "dark"),
    [("true", True), ("true", False), ("sixteen", True), ("none", True)],
    ids=["dark", "light", "sixteen", "nocolor"],
)


def story() -> list[Step]:
    steps: list[Step] = []
    for index, text in enumerate(STORY, 1):
        steps.append(token(index, text, forced="clarify" if index == 38 else None))
        if index == 30:
            steps.append(Event(kind="valley", index=30, at=20))
    return steps


def screen_of(pilot: Pilot[None]) -> ChatScreen:
    screen = pilot.app.screen
    assert isinstance(screen, ChatScreen)
    screen.prompt.cursor_blink = False
    return screen


@SIZES
@LOOKS
def test_an_answer_and_its_inspector(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    colours: Any,
    dark: bool,
) -> None:
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    app = application(ScriptedFactory([ScriptedSession(answers=[story()])]), colours, dark)

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
        screen = screen_of(pilot)
        await until(pilot, lambda: screen.conversation.phase == "ready")
        screen.prompt.put("Which number is larger, 9.9 or 9.11?")
        await pilot.press("enter")
        await until(
            pilot, lambda: screen.conversation.last_answer() and not screen.conversation.busy
        )
        for _ in range(8):
            await pilot.press("ctrl+left")

    assert compare(snap_compare, app, size, before)


@SIZES
def test_the_empty_screen(snap_compare: Any, size: tuple[int, int]) -> None:
    app = application(ScriptedFactory([ScriptedSession()]))

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
        screen = screen_of(pilot)
        await until(pilot, lambda: screen.conversation.phase == "ready")

    assert compare(snap_compare, app, size, before)


@SIZES
def test_help(snap_compare: Any, size: tuple[int, int]) -> None:
    app = application(ScriptedFactory([ScriptedSession()]))

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
        screen = screen_of(pilot)
        await until(pilot, lambda: screen.conversation.phase == "ready")
        await pilot.press("f1")

    assert compare(snap_compare, app, size, before)


def compare(snap_compare: Any, app: EntropixApp, size: tuple[int, int], before: Any) -> bool:
    try:
        return bool(snap_compare(app, terminal_size=size, run_before=before))
    finally:
        assert app.engine.quit(30)
