"""Whatever is pressed, wherever the focus is, however small the terminal: the program goes on."""

import asyncio
import random
import sys
from pathlib import Path

import harness
import pytest
from driving import chatting
from harness import at_rest, hosted, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.command import CommandList, CommandPalette
from textual.containers import Vertical
from textual.geometry import Size
from textual.pilot import Pilot

sys.path.append(str(Path(__file__).parents[2] / "reliability"))

import screens
from any_trace import traces as allowed
from monkey import SIZES, Monkey

from entropix_tui.app import EntropixApp
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.screens.help import Help
from entropix_tui.screens.palette import Palette
from entropix_tui.widgets.prompt import Prompt
from entropix_tui.widgets.welcome import Demos


async def resized(pilot: Pilot[None], columns: int, rows: int) -> None:
    """A terminal of another size, and all that follows, which has an end."""
    size = Size(columns, rows)
    pilot.app._driver._size = size  # type: ignore[union-attr]
    pilot.app.post_message(events.Resize(size, size))
    await at_rest()


@scenario
async def test_a_machine_that_stood_still_is_no_program_that_never_rests() -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        loop = asyncio.get_running_loop()
        clock = loop.time

        def stand_still() -> None:
            loop.time = lambda: clock() + 2 * harness.PATIENCE  # type: ignore[method-assign]

        chat.app.call_later(stand_still)
        chat.app.action_help()
        await at_rest()
        assert isinstance(chat.app.screen, Help)


@scenario
async def test_a_program_that_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        rests = False

        async def again() -> None:
            await asyncio.sleep(0)
            if not rests:
                chat.app.call_later(again)

        chat.app.call_later(again)
        monkeypatch.setattr(harness, "PATIENCE", 0.1)
        with pytest.raises(AssertionError, match="never at rest"):
            await at_rest()
        rests = True


@scenario
async def test_quit_in_the_palette_does_not_end_a_run() -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        monkey = Monkey(chat.app, random.Random(0))
        await chat.press("ctrl+p", *"quit")
        await chat.press("enter", "enter")
        await at_rest()
        assert monkey.last == ["quit"]
        await monkey.act(1)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4), ids=["chat", "replay", "score", "step"])
def test_a_monkey(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of what reliability/screens.py does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(screens, "RUN", 120)
    told = screens.monkeyed(12, number)
    assert told.fault == ""
    assert sum(told.done.values()) == 120


@pytest.mark.slow
def test_damaged_traces_on_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = [screens.replayed(2, number) for number in (4, 5, 7, 14, 15, 25)]
    assert [one.fault for one in told] == [""] * len(told)
    assert any(one.end == "replayed" for one in told)


@pytest.mark.slow
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(allowed(), st.integers(0, 13))
def test_allowed_traces_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, number: int
) -> None:
    """Whatever the reader lets through."""
    monkeypatch.chdir(tmp_path)
    assert screens.opened(data, random.Random(number), number).fault == ""


@scenario
async def test_ctrl_c_quits_at_the_second_press_whatever_the_clock_says() -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        chat.app.clock = lambda: 0.0  # of a machine that has just begun
        chat.app.screen.set_focus(None)
        await chat.press("ctrl+c")
        assert "once more quits" in chat.told()
        assert not chat.app._exit
        await chat.press("ctrl+c")
        assert chat.app._exit


@pytest.mark.slow
@pytest.mark.parametrize("size", [size for size in SIZES if size[0] < 21 and size[1] < 9])
@scenario
async def test_hardly_any_room(size: tuple[int, int]) -> None:
    """Nothing comes and goes for ever, and nothing fails that has no room."""
    async with chatting() as chat:
        await chat.phase("ready")
        await resized(chat.pilot, *size)
        chat.app.screen.query_one(Demos).focus()
        await chat.press("pageup", "pagedown", "f1")
        assert isinstance(chat.app.screen, Help)
        await chat.press("f1", "f1")
        await chat.press("ctrl+p", "pageup", "pagedown", "ctrl+home")
        assert isinstance(chat.app.screen, CommandPalette)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(10, 3), (5, 5), (20, 8)])
@scenario
async def test_two_answers_with_hardly_any_room(size: tuple[int, int]) -> None:
    """A screen that scrolls where not all has room has a bar that comes and goes for ever."""
    async with chatting() as chat:
        await chat.ask()
        screen = chat.screen
        screen.compare_with(screen.conversation.side(screen.conversation.tree.leaf))
        await chat.pilot.pause()
        await resized(chat.pilot, *size)
        await chat.press("home", "end", "n")
        assert isinstance(chat.app.screen, Compare)
        assert not chat.app.screen.show_vertical_scrollbar


@scenario
async def test_several_motions_at_once_of_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told by the columns when the next one has been made."""
    async with chatting() as chat:
        await chat.ask()
        screen = chat.screen
        screen.compare_with(screen.conversation.side(screen.conversation.tree.leaf))
        await chat.pilot.pause()
        compare = chat.app.screen
        assert isinstance(compare, Compare)
        monkeypatch.setattr(harness, "PATIENCE", 2)
        compare.action_edge(0)
        compare.action_pair(1)
        compare.action_edge(-1)
        await at_rest()
        assert compare.row == len(compare.comparing.rows) - 1


@pytest.mark.parametrize("size", [(4, 1), (6, 8)])
@scenario
async def test_no_room_beside_what_surrounds_a_command(size: tuple[int, int]) -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        await chat.press("ctrl+p")
        await resized(chat.pilot, *size)
        assert isinstance(chat.app.screen, Palette)
        assert not chat.app._exception


@scenario
async def test_a_letter_for_a_palette_that_closes() -> None:
    async with chatting() as chat:
        chat.app.action_command_palette()
        await chat.pilot.pause()
        palette = chat.app.screen
        assert isinstance(palette, Palette)
        await palette.query(CommandList).remove()
        palette._gather_commands("s")
        await chat.pilot.pause()
        assert not [worker for worker in chat.app.workers if worker.error]


@scenario
async def test_no_room_for_what_a_prompt_says_while_it_is_empty() -> None:
    def make() -> Vertical:
        prompt = Prompt()
        prompt.styles.width = 2  # its borders
        return Vertical(prompt)

    async with hosted(make) as (app, _):
        assert "S" not in app.text()


@pytest.mark.slow
@scenario
async def test_one_palette_at_a_time() -> None:
    async with chatting() as chat:
        app = chat.app
        assert isinstance(app, EntropixApp)
        app.action_command_palette()
        app.action_command_palette()
        await chat.pilot.pause()
        app.action_help()
        app.action_command_palette()
        await chat.pilot.pause()
        assert sum(isinstance(screen, CommandPalette) for screen in app.screen_stack) == 1
        await chat.press("escape")
        app.screen.dismiss()
        app.action_command_palette()  # while the other is closing
        await chat.pilot.pause()
        assert isinstance(app.screen, CommandPalette)


@pytest.mark.slow
@scenario
async def test_a_screen_under_another_one_is_not_dismissed() -> None:
    """Keys that come at once are the lower one's until the upper one has come."""
    async with chatting() as chat:
        app = chat.app
        app.action_help()
        await chat.pilot.pause()
        below = app.screen
        app.action_command_palette()
        below.dismiss()
        below.dismiss()
        await chat.pilot.pause()
        assert isinstance(app.screen, CommandPalette)
        app.screen.dismiss()
        await chat.pilot.pause()
        assert app.screen is below
        below.dismiss()
        below.dismiss()
        await chat.pilot.pause()
        assert app.screen is chat.screen
