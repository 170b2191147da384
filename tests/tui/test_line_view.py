"""Views that draw their own lines: when the screen is laid out anew for them, and when not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from harness import Host, hosted, rows, scenario
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Label

from entropix_tui.widgets.rows import Rows
from entropix_tui.widgets.wrapped import WrappedText

WIDTH, HEIGHT = 30, 20


class Numbers(Rows[int]):
    """So many rows; `Keeping` keeps the room of the most."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: range = range(0)

    @property
    def count(self) -> int:
        return len(self.numbers)

    def heading(self, width: int) -> str:  # noqa: ARG002
        return ""

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:  # noqa: ARG002
        return [Segment(f"row {row}", base)]

    def put(self, count: int, row: int = 0) -> None:
        self.numbers = range(count)
        self.changed(row=row)


class Keeping(Numbers):
    KEEPS_ROOM = True


class Page(Container):
    DEFAULT_CSS = """
    Page Numbers { height: 6; }
    Page .growing { height: auto; max-height: 12; }
    Page Keeping { overflow-y: scroll; }
    """

    def __init__(self, view: Numbers) -> None:
        super().__init__()
        self.view = view

    def compose(self) -> ComposeResult:
        yield self.view
        yield Label("below")


@pytest.fixture
def layouts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One item for every time that the screen was laid out."""
    found: list[None] = []
    lay_out = Screen._refresh_layout

    def counting(self: Screen[Any], *args: Any, **options: Any) -> None:
        found.append(None)
        lay_out(self, *args, **options)

    monkeypatch.setattr(Screen, "_refresh_layout", counting)
    return found


@asynccontextmanager
async def shown(view: Numbers) -> AsyncIterator[tuple[Any, Host]]:
    async with hosted(lambda: Page(view), (WIDTH, HEIGHT)) as (app, pilot):
        yield pilot, app


@scenario
async def test_another_number_of_rows_lays_out_nothing(layouts: list[None]) -> None:
    view = Numbers()
    async with shown(view) as (pilot, app):
        view.put(3)
        await pilot.pause()
        layouts.clear()
        for count in (5, 2, 6, 0, 4):
            view.put(count)
            await pilot.pause()
            assert app.rows()[:count] == [f"row {row}" for row in range(count)]
        assert layouts == []


@scenario
async def test_a_scroll_bar_comes_and_goes() -> None:
    view = Numbers()
    async with shown(view) as (pilot, _app):
        for count, bar in ((6, False), (40, True), (50, True), (6, False)):
            view.put(count)
            await pilot.pause()
            assert view.show_vertical_scrollbar is bar
            assert view.max_scroll_y == max(0, count - 6)


@pytest.mark.slow
@scenario
async def test_what_has_grown_stays_so(layouts: list[None]) -> None:
    view = Numbers()
    view.add_class("growing")
    async with shown(view) as (pilot, app):
        for count, rows in ((2, 2), (9, 9), (3, 9), (7, 9), (40, 12)):
            layouts.clear()
            grows = rows > view.size.height
            view.put(count)
            await pilot.pause()
            assert bool(layouts) is grows
            assert view.size.height == rows
            assert app.rows().index("below") == rows


@pytest.mark.slow
@scenario
async def test_kept_room_hides_no_rows() -> None:
    view = Keeping()
    async with shown(view) as (pilot, app):
        view.put(40, row=39)
        await pilot.pause()
        assert "row 39" in app.rows()[5]
        view.put(10, row=9)
        await pilot.pause()
        assert [row.split("  ")[0] for row in app.rows()[:6]] == [f"row {n}" for n in range(4, 10)]
        assert view.virtual_size.height == 40
        view.put(3, row=2)
        await pilot.pause()
        assert [row.split("  ")[0].strip() for row in app.rows()[:4]] == [
            "row 0",
            "row 1",
            "row 2",
            "",
        ]


class Said(WrappedText):
    SAID = "letters that come to an edge, an T 1.05 and 54 % “ too”"

    def text(self) -> Text:
        return Text(self.SAID)


@pytest.mark.parametrize("width", [10, 34, 35, 36, 37, 42, 44, 46, 48])
@scenario
async def test_a_number_stays_with_its_letter_and_its_sign(width: int) -> None:
    async with hosted(Said, (width, HEIGHT)) as (app, _):
        rows = [row.strip() for row in app.rows()]
        assert " ".join(" ".join(rows).split()) == Said.SAID
        assert any("T 1.05" in row for row in rows)
        assert any("54 %" in row for row in rows)
        assert any("“ too”" in row for row in rows)


class Filled(Numbers):
    def draw(self, row: int, width: int, base: Style) -> list[Segment]:  # noqa: ARG002
        return [Segment("x" * width, base)]


@scenario
async def test_nothing_touches_a_scroll_bar() -> None:
    view = Filled()
    async with shown(view) as (pilot, app):
        for count, cells in ((6, WIDTH), (40, WIDTH - 2)):
            view.put(count)
            await pilot.pause()
            assert rows(app, view)[0] == "x" * cells


class Lines(WrappedText):
    DEFAULT_CSS = "Lines { height: 3; }"

    def text(self) -> Text:
        return Text(" ".join(["12345"] * 20))


@scenario
async def test_a_text_is_wrapped_beside_its_scroll_bar() -> None:
    async with hosted(Lines, (WIDTH, HEIGHT)) as (app, pilot):
        view = app.query_one(Lines)
        view.lay_out()
        await pilot.pause()
        assert view.show_vertical_scrollbar
        assert rows(app, view) == ["12345 12345 12345 12345"] * 3
        app.query_one(Lines).styles.width = 31
        await pilot.pause()
        assert rows(app, view) == ["12345 12345 12345 12345 12345"] * 3


@scenario
async def test_the_same_text_is_not_wrapped_again() -> None:
    async with hosted(Said, (WIDTH, HEIGHT)) as (app, pilot):
        view = app.query_one(Said)
        before = view.lines
        view.add_class("told")
        view.notify_style_update()
        assert view.lines is before
        view.SAID = "another"
        view.lay_out()
        assert [str(line) for line in view.lines] == ["another"]
        await pilot.resize_terminal(5, HEIGHT)
        assert [str(line) for line in view.lines] == ["ano", "the", "r"]
