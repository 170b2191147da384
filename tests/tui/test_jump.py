"""Jump mode: letters over every part that can have the focus."""

from typing import Any, ClassVar

import pytest
from harness import LARGE, SIZES, SMALL, Host, hosted, scenario, until
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from entropix_tui.screens.jump import Jump, Tag, jump, targets


class Part(Widget, can_focus=True):
    def render(self) -> str:
        return f"{self.id} " * 20


class Strip(Part):
    pass


class Panel(Part):
    pass


class Words(Part):
    BINDING_GROUP_TITLE = "The text"


class Talk(Screen[None]):
    BINDINGS: ClassVar = [Binding("f6", "jump", "Jump", id="talk.jump", priority=True)]
    CSS = """
    Part { height: 1fr; width: 1fr; }
    #strip { height: 2; }
    #gone { display: none; }
    #hidden { visibility: hidden; }
    """

    def compose(self) -> ComposeResult:
        yield Strip(id="strip")
        with Horizontal():
            yield Words(id="words")
            yield Panel(id="panel")
        yield Part(id="gone")
        yield Part(id="hidden")
        yield Input(id="prompt")

    def action_jump(self) -> None:
        jump(self)

    @property
    def where(self) -> str | None:
        return self.focused.id if self.focused else None


def tag(app: Host, letter: str) -> Tag:
    return next(tag for tag in app.screen.query(Tag) if tag.target.letter == letter)


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_letters_lead_to_the_parts(size: tuple[int, int]) -> None:
    talk = Talk()
    async with hosted(lambda: talk, size) as (app, pilot):
        talk.query_one("#prompt").focus()
        for letter, id in (("t", "words"), ("s", "strip"), ("p", "panel"), ("r", "prompt")):
            await pilot.press("f6")
            assert isinstance(app.screen, Jump)
            await pilot.press(letter)
            assert app.screen is talk
            assert talk.where == id
        await pilot.press("f6", "T")
        assert talk.where == "words", "with Shift too"


@scenario
async def test_only_what_is_in_sight_has_a_letter() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (_app, pilot):
        await pilot.pause()
        found = targets(talk)
        assert [part.title for part in found] == ["Strip", "The text", "Panel", "prompt"]
        assert [part.letter for part in found] == ["s", "t", "p", "r"]


class Long(Screen[None]):
    CSS = "Part { height: 30; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Strip()
            yield Panel()


@scenario
async def test_what_is_scrolled_away_has_none() -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        long = Long()
        await app.push_screen(long)
        assert [part.title for part in targets(long)] == ["Strip"]
        long.query_one(VerticalScroll).scroll_end(animate=False)
        await until(pilot, lambda: [part.title for part in targets(long)] == ["Panel"])


@scenario
async def test_a_letter_stands_on_its_part() -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        await pilot.press("f6")
        await pilot.pause()
        for found in app.screen.query(Tag):
            region = found.target.region
            assert region.contains_region(found.region), found.target.title
        rows = [f"{row} " for row in app.rows()]
        assert any(" S Strip " in row for row in rows)
        assert any(" T The text " in row and " P Panel " in row for row in rows)


@pytest.mark.parametrize("key", ["escape", "f6"])
@scenario
async def test_leaving_stays(key: str) -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        talk.query_one("#panel").focus()
        await pilot.press("f6", key)
        assert app.screen is talk
        assert talk.where == "panel"


@scenario
async def test_other_keys_do_nothing() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (app, pilot):
        await pilot.press("f6", "z", "9", "enter")
        assert isinstance(app.screen, Jump)


@scenario
async def test_the_mouse() -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        await pilot.press("f6")
        await pilot.pause()
        await pilot.click(tag(app, "p"))
        assert talk.where == "panel"
        await pilot.press("f6")
        await pilot.click(offset=(3, 10))
        assert talk.where == "words", "anywhere in the part"
        await pilot.press("f6")
        await pilot.click(offset=(40, 0))
        assert talk.where == "strip"


@pytest.mark.slow
@scenario
async def test_a_new_size_ends_it() -> None:
    talk = Talk()
    async with hosted(lambda: talk, SMALL) as (app, pilot):
        await pilot.press("f6")
        await pilot.resize_terminal(140, 45)
        await pilot.pause()
        assert app.screen is talk


@scenario
async def test_a_part_that_has_gone_is_not_focused() -> None:
    talk = Talk()
    async with hosted(lambda: talk) as (_app, pilot):
        talk.query_one("#prompt").focus()
        await pilot.press("f6")
        await talk.query_one("#panel").remove()
        await pilot.press("p")
        assert talk.where == "prompt"


@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    talk = Talk()

    async def steps(pilot: Pilot[None]) -> None:
        talk.query_one("#prompt", Input).cursor_blink = False
        await pilot.press("f6")

    assert looks(Host(lambda: talk), size, steps)
