"""Help: what can be done here first, every key as it is now, and a search."""

from typing import Any, ClassVar

import pytest
from driving import LARGE, SMALL, scenario
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from entropix_tui.keys import keymap
from entropix_tui.look.styles import Colours
from entropix_tui.screens.help import Help, HelpBox
from entropix_tui.widgets.prompt import Prompt

MOVE = Binding.Group("token", compact=True)


class Letters(Widget, can_focus=True):
    BINDING_GROUP_TITLE = "The text"
    HELP = "Every token with its colour; the cursor tells of one."
    BINDINGS: ClassVar = [
        Binding("left", "move(-1)", "Before", id="letters.left", tooltip="To the token before"),
        Binding("x", "whole", "Vocabulary", id="letters.whole", tooltip="The whole vocabulary"),
    ]

    def render(self) -> str:
        return "letters"


class Talk(Screen[None]):
    BINDINGS: ClassVar = [
        Binding("ctrl+r", "again", "Again", id="talk.again", priority=True, tooltip="Once more"),
        Binding("f1,question_mark", "help", "Help", id="talk.help"),
    ]

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.colours = colours
        self.prompt, self.letters = Prompt(), Letters()

    def compose(self) -> ComposeResult:
        yield self.prompt
        yield self.letters

    def action_help(self) -> None:
        self.app.push_screen(Help(self.colours))


class Host(App[None]):
    CSS = "Letters { height: 2; }"

    def __init__(self, colours: Colours = "true") -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self.talk = Talk(colours)

    def on_mount(self) -> None:
        self.push_screen(self.talk)

    def drawn(self) -> str:
        lines = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)

    def help_text(self) -> str:
        assert isinstance(self.screen, Help)
        content = self.screen.query_one(HelpBox).query_one(Static).content
        return getattr(content, "plain", str(content))


@pytest.fixture(autouse=True)
def keys_of_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own keys change; what help does with them does not."""
    scopes = [keymap.scope_of(node) for node in (Talk, Letters)]
    monkeypatch.setattr(keymap, "scopes", lambda: scopes)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_what_can_be_done_here_comes_first(size: tuple[int, int]) -> None:
    app = Host()
    async with app.run_test(size=size) as pilot:
        app.talk.letters.focus()
        await pilot.press("question_mark")
        text = app.help_text()
        lines = text.splitlines()
        assert lines[0] == "Here: The text"
        assert lines[1] == "Every token with its colour; the cursor tells of one."
        assert lines[2].split(maxsplit=1) == ["←", "To the token before"]
        assert lines[3].split(maxsplit=1) == ["x", "The whole vocabulary"]
        assert lines[4].split(maxsplit=1) == ["^R", "Once more"]
        assert lines[5].split(maxsplit=1) == ["F1/?", "Help"]
        parts = ("Talk", "The text", "Colours by quadrant", "Marks", "Measures")
        assert [line for line in lines if line in parts] == list(parts)
        assert "Here: The text" in app.drawn()


@scenario
async def test_a_question_mark_is_text_in_the_prompt() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.talk.prompt.focus()
        await pilot.press("question_mark")
        assert app.screen is app.talk
        assert app.talk.prompt.text == "?"
        await pilot.press("f1")
        assert app.help_text().startswith("Here: The prompt\nWrite to the model.")
        assert "⏎" in app.help_text()
        assert "F1/?" not in app.help_text().partition("\n\n")[0], "? would be typed"


@scenario
async def test_keys_are_those_in_force() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.set_keymap({"talk.again": "ctrl+e", "letters.whole": "z,f9"})
        app.talk.letters.focus()
        await pilot.press("f1")
        text = app.help_text()
        assert "^R" not in text
        assert text.count("^E") == 2, "here, and in the list of all"
        assert text.count("z/F9") == 2


@pytest.mark.parametrize("key", ["escape", "f1", "question_mark"])
@scenario
async def test_it_closes(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("f1", key)
        assert app.screen is app.talk


@scenario
async def test_search() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.talk.letters.focus()
        await pilot.press("f1", *"valley")
        lines = app.help_text().splitlines()
        assert lines[0] == "Marks"
        assert lines[1].startswith("▾")
        assert len(lines) == 3, "one mark, in two lines"
        assert "Help: valley" in app.drawn()
        await pilot.press(*("backspace",) * 6, *"QUIT[red]")
        assert "Nothing here speaks of “QUIT[red]”" in app.drawn()
        await pilot.press("escape")
        assert app.help_text().startswith("Here")
        await pilot.press("escape")
        assert app.screen is app.talk


@scenario
async def test_it_scrolls_and_fits() -> None:
    app = Host()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f1")
        box = app.screen.query_one(HelpBox)
        assert box.max_scroll_y > 0
        assert box.max_scroll_x == 0
        await pilot.press("end")
        await pilot.pause()
        assert "agreement" in app.drawn()
        assert max(map(len, app.help_text().splitlines())) <= 75
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert max(map(len, app.help_text().splitlines())) > 75


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
def test_how_it_looks(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], colours: Colours
) -> None:
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    app = Host(colours)

    async def before(pilot: Pilot[None]) -> None:
        app.talk.prompt.cursor_blink = False
        app.talk.letters.focus()
        await pilot.press("f1")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
