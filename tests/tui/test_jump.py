"""Jump mode: letters over every part that can have the focus."""

from typing import Any, ClassVar

import pytest
from driving import LARGE, SMALL, scenario, until
from textual.app import App, ComposeResult
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


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk()

    def on_mount(self) -> None:
        self.push_screen(self.talk)

    def drawn(self) -> list[str]:
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line) for line in lines]


def tag(app: Host, letter: str) -> Tag:
    return next(tag for tag in app.screen.query(Tag) if tag.target.letter == letter)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_letters_lead_to_the_parts(size: tuple[int, int]) -> None:
    app = Host()
    async with app.run_test(size=size) as pilot:
        app.talk.query_one("#prompt").focus()
        for letter, id in (("t", "words"), ("s", "strip"), ("p", "panel"), ("r", "prompt")):
            await pilot.press("f6")
            assert isinstance(app.screen, Jump)
            await pilot.press(letter)
            assert app.screen is app.talk
            assert app.talk.where == id
        await pilot.press("f6", "T")
        assert app.talk.where == "words", "with Shift too"


@scenario
async def test_only_what_is_in_sight_has_a_letter() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        found = targets(app.talk)
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
    app = Host()
    async with app.run_test(size=SMALL) as pilot:
        long = Long()
        await app.push_screen(long)
        assert [part.title for part in targets(long)] == ["Strip"]
        long.query_one(VerticalScroll).scroll_end(animate=False)
        await until(pilot, lambda: [part.title for part in targets(long)] == ["Panel"])


@scenario
async def test_a_letter_stands_on_its_part() -> None:
    app = Host()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f6")
        await pilot.pause()
        for found in app.screen.query(Tag):
            region = found.target.region
            assert region.contains_region(found.region), found.target.title
        rows = app.drawn()
        assert any(" S Strip " in row for row in rows)
        assert any(" T The text " in row and " P Panel " in row for row in rows)


@pytest.mark.parametrize("key", ["escape", "f6"])
@scenario
async def test_leaving_stays(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.talk.query_one("#panel").focus()
        await pilot.press("f6", key)
        assert app.screen is app.talk
        assert app.talk.where == "panel"


@scenario
async def test_other_keys_do_nothing() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("f6", "z", "9", "enter")
        assert isinstance(app.screen, Jump)


@scenario
async def test_the_mouse() -> None:
    app = Host()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f6")
        await pilot.pause()
        await pilot.click(tag(app, "p"))
        assert app.talk.where == "panel"
        await pilot.press("f6")
        await pilot.click(offset=(3, 10))
        assert app.talk.where == "words", "anywhere in the part"
        await pilot.press("f6")
        await pilot.click(offset=(40, 0))
        assert app.talk.where == "strip"


@scenario
async def test_a_new_size_ends_it() -> None:
    app = Host()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f6")
        await pilot.resize_terminal(140, 45)
        await pilot.pause()
        assert app.screen is app.talk


@scenario
async def test_a_part_that_has_gone_is_not_focused() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.talk.query_one("#prompt").focus()
        await pilot.press("f6")
        await app.talk.query_one("#panel").remove()
        await pilot.press("p")
        assert app.talk.where == "prompt"


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
def test_how_it_looks(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = Host()

    async def before(pilot: Pilot[None]) -> None:
        app.ansi_color = theme.startswith("ansi")
        app.theme = theme
        app.talk.query_one("#prompt", Input).cursor_blink = False
        await pilot.press("f6")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
