"""Help: what can be done here first, every key as it is now, and a search."""

from typing import Any, ClassVar

import pytest
from driving import chatting
from harness import LARGE, SIZES, SMALL, Host, at_rest, hosted, scenario
from textual.app import ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from entropix_tui.keys import keymap
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

    CSS = "Letters { height: 2; }"

    def __init__(self) -> None:
        super().__init__()
        self.prompt, self.letters = Prompt(), Letters()

    def compose(self) -> ComposeResult:
        yield self.prompt
        yield self.letters

    def action_help(self) -> None:
        self.app.push_screen(Help(SCOPES))


SCOPES = [keymap.scope_of(node) for node in (Talk, Letters)]
"""The program's own keys change; what help does with them does not."""


def help_text(app: Host) -> str:
    assert isinstance(app.screen, Help)
    return "\n".join(line.plain.rstrip() for line in app.screen.query_one(HelpBox).lines)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_what_can_be_done_here_comes_first(size: tuple[int, int]) -> None:
    talk = Talk()
    async with hosted(lambda: talk, size) as (app, pilot):
        talk.letters.focus()
        await pilot.press("question_mark")
        text = help_text(app)
        lines = text.splitlines()
        assert lines[0] == "Here: The text"
        assert lines[1] == "Every token with its colour; the cursor tells of one."
        assert lines[2].split(maxsplit=1) == ["←", "To the token before"]
        assert lines[3].split(maxsplit=1) == ["x", "The whole vocabulary"]
        assert lines[4].split(maxsplit=1) == ["^R", "Once more"]
        assert lines[5].split(maxsplit=1) == ["F1/?", "Help"]
        parts = ("Talk", "The text", "Colours by quadrant", "Marks", "Measures")
        assert [line for line in lines if line in parts] == list(parts)
        assert "Here: The text" in app.text()


@scenario
async def test_a_question_mark_is_text_in_the_prompt() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        talk.prompt.focus()
        await pilot.press("question_mark")
        assert app.screen is talk
        assert talk.prompt.text == "?"
        await pilot.press("f1")
        assert help_text(app).startswith("Here: The prompt\nWrite to the model.")
        assert "⏎" in help_text(app)
        assert "F1/?" not in help_text(app).partition("\n\n")[0], "? would be typed"


@scenario
async def test_keys_are_those_in_force() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        app.set_keymap({"talk.again": "ctrl+e", "letters.whole": "z,f9"})
        talk.letters.focus()
        await pilot.press("f1")
        text = help_text(app)
        assert "^R" not in text
        assert text.count("^E") == 2, "here, and in the list of all"
        assert text.count("z/F9") == 2


class Doing(Talk):
    TASKS: ClassVar = [
        keymap.Task("Do it again", ("talk.again",)),
        keymap.Task("Go back and see all", ("letters.left", "letters.whole")),
        keymap.Task("Ask somebody"),
    ]


@scenario
async def test_what_can_be_done_comes_first_and_everything_one_key_further() -> None:
    talk = Doing()
    async with hosted(lambda: talk) as (app, pilot):
        app.set_keymap({"talk.again": "ctrl+e"})
        await pilot.press("f1")
        told = [line.split(maxsplit=1) for line in help_text(app).splitlines()[1:]]
        assert told == [["^E", "Do it again"], ["←/x", "Go back and see all"], ["Ask", "somebody"]]
        assert "F1 every key" in app.text()
        await pilot.press(*"valley")
        assert help_text(app).startswith("Marks"), "what is typed is looked for everywhere"
        await pilot.press("escape")
        assert help_text(app).startswith("Doing")
        await pilot.press("f1")
        assert help_text(app).startswith("Here: The prompt")
        await pilot.press("f1")
        assert app.screen is talk


@pytest.mark.parametrize("key", ["escape", "f1", "question_mark"])
@scenario
async def test_it_closes(key: str) -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        await pilot.press("f1", key)
        assert app.screen is talk


@scenario
async def test_there_is_one_at_a_time() -> None:
    """The palette offers it there, too."""
    async with chatting() as chat:
        await chat.phase("ready")
        for _ in range(60):
            chat.app.action_help()
        await at_rest()
        assert [type(screen) for screen in chat.app.screen_stack].count(Help) == 1
        await chat.press("escape")
        assert chat.app.screen is chat.screen


@scenario
async def test_search() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        talk.letters.focus()
        await pilot.press("f1", *"valley")
        lines = help_text(app).splitlines()
        assert lines[0] == "Marks"
        assert [line[0] for line in lines[1:]] == ["▾", " ", "▿", "⠤"], "the first in two lines"
        assert "Help: valley" in app.text()
        await pilot.press(*("backspace",) * 6, *"QUIT[red]")
        assert "Nothing here speaks of “QUIT[red]”" in app.text()
        await pilot.press("escape")
        assert help_text(app).startswith("Here")
        await pilot.press("escape")
        assert app.screen is talk


@scenario
async def test_it_scrolls_and_fits() -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        await pilot.press("f1")
        box = app.screen.query_one(HelpBox)
        assert box.max_scroll_y > 0
        assert box.max_scroll_x == 0
        await pilot.press("end")
        await pilot.pause()
        assert "agreement" in app.text()
        assert max(map(len, help_text(app).splitlines())) <= 75
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert max(map(len, help_text(app).splitlines())) > 75


@scenario
async def test_in_a_narrow_terminal_meanings_stand_under_their_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        talk.letters.focus()
        await pilot.press("question_mark")
        words = help_text(app).split()
        drawn: list[int] = []
        render_line = HelpBox.render_line

        def counted(self: HelpBox, y: int) -> Strip:
            drawn.append(y)
            return render_line(self, y)

        monkeypatch.setattr(HelpBox, "render_line", counted)
        await pilot.resize_terminal(30, 10)
        await pilot.pause()
        lines = help_text(app).splitlines()
        assert max(map(len, lines)) <= 25
        assert "".join(lines).replace(" ", "") == "".join(words)
        at = lines.index("←")
        assert lines[at + 1] == "  To the token before"
        assert 0 < len(drawn) < 100 < len(lines), "only what can be seen is drawn"


@pytest.mark.slow
@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    talk = Talk()

    async def steps(pilot: Pilot[None]) -> None:
        talk.letters.focus()
        await pilot.press("f1")

    assert looks(Host(lambda: talk), size, steps)
