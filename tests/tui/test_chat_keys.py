"""The chat screen's keys, mouse, cursor, demos and looks, on a scripted engine."""

import gc
import weakref

import pytest
from driving import chatting
from harness import LARGE, SMALL, scenario
from scripted import STORY, Gate, ScriptedFactory, ScriptedSession
from textual.binding import Binding
from textual.widgets import OptionList

from entropix_tui.conversation.demos import DEMOS, KEYS
from entropix_tui.look.styles import Colours
from entropix_tui.screens.chat.keys import KEYS as BINDINGS
from entropix_tui.screens.help import Help, HelpBox
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.transcript import Place
from entropix_tui.widgets.inspector.facts import Facts
from entropix_tui.widgets.inspector.inspector import Inspector

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_the_token_cursor_and_its_record(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+left", "ctrl+left")
        inspector = chat.screen.query_one(Inspector)
        await chat.until(lambda: inspector.display and "“␣one”" in chat.text())
        text = chat.text()
        assert "[red]" in text
        assert "79.5%" in text, "of 62, 11 and 5 %"
        assert "favoured: " in text
        why = " ".join(row.rstrip(" ▁▂▃▄▅▆▇█") for row in chat.rows(inspector.query_one(Facts)))
        assert size == SMALL or "sampler's corner for explore" in why
        ref = TokenRef(len(STORY) - 1)
        view = chat.screen.view
        assert view.ref == view.strips.cursor == view.side.plane.cursor == ref
        await chat.pilot.press("ctrl+right", "ctrl+right")
        assert chat.screen.view.tokens.cursor == Place(1, len(STORY) - 1)
        await chat.pilot.press("escape")
        assert not inspector.display
        assert chat.screen.view.tokens.cursor is None
        await chat.pilot.click(chat.screen.view.tokens, offset=(3, 1))
        assert chat.screen.view.tokens.cursor == Place(1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_brackets_turn_the_pages_from_text_and_panel(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        chat.screen.view.strips.focus()
        await chat.pilot.press("]")
        assert "Put the cursor on a token first" in chat.told()
        chat.screen.view.tokens.focus()
        inspector = chat.screen.view.inspector
        turned = []
        for key in ("ctrl+left", "]", "]", "["):
            await chat.pilot.press(key)
            assert chat.app.focused is chat.screen.view.tokens
            turned.append(inspector.page)
        assert turned == ["token", "candidates", "attention", "candidates"]
        assert "[ token │ candidates │ attention ]" in chat.text()
        chat.screen.view.side.action_sampler()
        await chat.until(lambda: chat.screen.view.side.sampler.has_focus_within)
        await chat.pilot.press("]")
        assert inspector.has_focus_within
        await chat.pilot.press("[")
        assert inspector.page == "candidates"


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_tab_into_the_text_shows_cursor_and_panel(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        view = chat.screen.view
        assert view.ref is None
        await chat.pilot.press("tab")
        assert chat.app.focused is view.tokens
        assert view.tokens.ref == TokenRef(len(STORY))
        await chat.until(lambda: view.inspector.display and view.side.display)
        await chat.pilot.press("left", "tab", "shift+tab")
        assert chat.app.focused is view.tokens
        assert view.tokens.ref == TokenRef(len(STORY) - 1), "where it was"


@scenario
async def test_ctrl_c_copies_stops_and_quits_at_the_second_press() -> None:
    gate = Gate(3)
    async with chatting(ScriptedSession(gate=gate)) as chat:
        app, now = chat.app, [100.0]
        app.clock = lambda: now[0]
        await chat.phase("ready")
        await chat.pilot.press(*"Which?", "enter")
        await chat.until(lambda: chat.screen.conversation.phase == "generating")
        await chat.pilot.press(*"hey", "shift+left", "shift+left", "ctrl+c")
        assert app.clipboard == "ey"
        assert chat.screen.conversation.phase == "generating", "it was for the selection"
        await chat.pilot.press("end", "ctrl+c")
        await chat.phase("ready")
        assert "stopped" in chat.screen.conversation.transcript.blocks[-1].text
        chat.screen.view.tokens.text_select_all()
        await chat.pilot.press("ctrl+c")
        assert app.clipboard.startswith("Which?\nThe number")
        chat.screen.clear_selection()
        await chat.pilot.press("ctrl+c")
        assert "Ctrl+C once more quits" in chat.told()
        now[0] += 2.1
        await chat.pilot.press("ctrl+c")
        assert app.is_running
        now[0] += 1.9
        await chat.pilot.press("ctrl+c")
        assert app._exit


@pytest.mark.slow
@scenario
async def test_stepping_goes_to_the_cursor_and_keeps_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = ScriptedSession(answers=[["one", " two"]])
    async with chatting(session) as chat:
        lines: list[str] = []
        monkeypatch.setattr(chat.screen, "step", lines.extend)
        await chat.ask()
        prompt = chat.screen.composer.prompt
        await chat.pilot.press("ctrl+left", "ctrl+left", *"draft", "f7")
        assert lines.pop() == "rewind @1"
        assert prompt.text == "draft"
        chat.screen.view.tokens.move_to(TokenRef(0, 3))
        await chat.pilot.press("f7")
        assert lines.pop() == "rewind @1", "a prompt's token: where the answer to it begins"
        await chat.pilot.press("escape", "ctrl+up", "f7")
        assert lines.pop() == "rewind @2", "what is edited is not to be asked again"
        assert prompt.text == "Which?"
        chat.screen.switch_to(1)
        assert "editing message 1" in prompt.mode, "which is on this branch, too"
        await chat.pilot.press("escape", "f7")
        assert lines.pop() == 'ask "draft"'
        assert prompt.text == ""


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_no_notice_covers_the_prompt(size: tuple[int, int]) -> None:
    async with chatting(size=size, notices=True) as chat:
        await chat.ask()
        prompt = chat.screen.composer.prompt
        prompt.put("\n".join("one line more" for _ in range(9)))
        for number in range(9):
            chat.app.notify(f"Notice {number}: " + "as long as one can well be " * 3)
        await chat.until(lambda: "can well be" in chat.text())
        assert prompt.region.height == 8
        rows = chat.rows()
        told = [y for y, row in enumerate(rows) if "can well be" in row]
        assert max(told) < prompt.region.y


@scenario
async def test_ctrl_arrows_move_by_word_over_what_is_being_written() -> None:
    async with chatting() as chat:
        await chat.ask()
        await chat.pilot.press(*"one two", "ctrl+left", *"x")
        assert chat.screen.composer.prompt.text == "one xtwo"
        assert chat.screen.view.tokens.cursor is None


@scenario
async def test_demos() -> None:
    session = ScriptedSession(answers=[["ok"]])
    async with chatting(session, ScriptedSession()) as chat:
        await chat.phase("ready")
        await chat.pilot.press("f3")
        await chat.until(lambda: session.heard)
        await chat.phase("ready")
        await chat.pilot.press("f4")
        await chat.pilot.pause()
    assert session.heard == [DEMOS["robot"]], "only in an empty conversation"


def test_demos_of_the_guide_are_there_and_take_no_keys_of_others() -> None:
    said = " ".join(DEMOS.values())
    for of_the_guide in (
        *("The capital of France is", "The best programming language for"),
        *("The quantum fluctuations", "The detective entered the room and saw"),
        *("9.11 or 9.8", "9.11, 9.1102001 or 9.9", "It was a dark and stormy night"),
    ):
        assert of_the_guide in said
    assert [*KEYS] == [2, 3, 4, 5], "F6 jumps and F7 steps"
    keys = [binding.key for binding in BINDINGS if isinstance(binding, Binding)]
    assert all(keys.count(f"f{key}") == 1 for key in KEYS)
    assert {*KEYS.values()} < {*DEMOS}


@pytest.mark.slow
@scenario
async def test_a_demo_by_tab_and_by_mouse() -> None:
    first, second = ScriptedSession(answers=[["ok"]]), ScriptedSession(answers=[["ok"]])
    async with chatting(first, second) as chat:
        await chat.phase("ready")
        chat.screen.query_one(OptionList).focus()
        await chat.pilot.press("down", "enter")
        await chat.until(lambda: first.heard)
        await chat.phase("ready")
        await chat.pilot.press("ctrl+n")
        await chat.phase("ready")
        await chat.until(lambda: "F5 Continue" in chat.text())
        await chat.pilot.click(OptionList, offset=(4, 4))  # the one before takes two rows
        await chat.until(lambda: second.heard)
    assert second.heard == [DEMOS["detective"]]


@scenario
async def test_a_demo_from_the_command_line_waits_for_the_model() -> None:
    gate = Gate(1)
    session = ScriptedSession(answers=[["ok"]])
    async with chatting(factory=ScriptedFactory([session], gate=gate), demo="numbers") as chat:
        await chat.phase("loading")
        assert chat.screen.composer.prompt.text == DEMOS["numbers"]
        gate.open()
        await chat.until(lambda: session.heard)
    assert session.heard == [DEMOS["numbers"]]


@pytest.mark.slow
@scenario
async def test_help_theme_and_cues() -> None:
    async with chatting(size=LARGE) as chat:
        await chat.ask()
        await chat.pilot.press("f1")
        await chat.until(lambda: isinstance(chat.app.screen, Help))
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert chat.app.current_theme.dark
        await chat.pilot.press("ctrl+t")
        assert not chat.app.current_theme.dark
        await chat.pilot.press("ctrl+g")
        await chat.until(lambda: "s= scattered" in chat.text())
        await chat.pilot.press("ctrl+l")
        await chat.until(lambda: "entropy (bits)" in chat.text())
        await chat.pilot.press("ctrl+l")
        await chat.until(lambda: "varentropy (bits²)" in chat.text())
        assert "↵" in chat.text()
        chat.screen.view.stage.action_breaks()
        await chat.until(lambda: "↵" not in chat.text())


@pytest.mark.slow
@scenario
async def test_commands_by_name() -> None:
    async with chatting(ScriptedSession(), ScriptedSession()) as chat:
        await chat.ask()
        await chat.pilot.press("ctrl+p")
        await chat.until(lambda: "About this conversation" in chat.text())
        for letter in "new conv":
            await chat.pilot.press("space" if letter == " " else letter)
        await chat.until(lambda: "About this" not in chat.text())
        await chat.pilot.press("enter")
        await chat.until(lambda: chat.screen.conversation.is_empty)


@pytest.mark.slow
@scenario
async def test_the_footer_is_a_row_of_buttons() -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        x = chat.rows()[-1].index("F1 help")
        await chat.pilot.click(offset=(x + 1, 23))
        await chat.until(lambda: isinstance(chat.app.screen, Help))


@pytest.mark.slow
@pytest.mark.parametrize(("colours", "dark"), [("true", False), ("none", True)])
@scenario
async def test_it_begins_in_the_look_that_is_asked_for(colours: Colours, dark: bool) -> None:
    async with chatting(colours=colours, dark=dark) as chat:
        await chat.ask()
        assert chat.app.current_theme.dark is dark
        assert ("f= favoured" in chat.text()) is (colours == "none"), (
            "the gutter's letters are explained"
        )


@scenario
async def test_what_a_closed_screen_drew_does_not_stay() -> None:
    async with chatting() as chat:
        await chat.pilot.press("f1")
        await chat.until(lambda: isinstance(chat.app.screen, Help))
        drawn = weakref.ref(chat.app.screen.query_one(HelpBox)._styles_cache)
        await chat.pilot.press("escape")
        await chat.until(lambda: not isinstance(chat.app.screen, Help))
        gc.collect()
        assert drawn() is None
