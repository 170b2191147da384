"""Files of what is seen: no text gets out of its place, nothing is overwritten unasked."""

import datetime
import re
from pathlib import Path

import pytest
from harness import LARGE, SMALL, Host, hosted, scenario, until
from rich.segment import Segment
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from entropix_mlx.export.formats import write
from entropix_tui.look import screenshot
from entropix_tui.screens.save_as import SaveAs, save


def test_names_of_files(tmp_path: Path) -> None:
    now = datetime.datetime(2026, 1, 31, 12, 5)
    first = screenshot.default_name("chat", ".md", now, tmp_path)
    assert first == tmp_path / "entropix-chat-2026-01-31-1205.md"
    first.touch()
    second = screenshot.default_name("chat", ".md", now, tmp_path)
    assert second.name == "entropix-chat-2026-01-31-1205-2.md"


class Drawn(Widget):
    def render_line(self, y: int) -> Strip:
        return Strip([Segment("<script>&[red]" if y == 0 else "line")])


class Page(Screen[None]):
    def compose(self) -> ComposeResult:
        yield Drawn()


@scenario
async def test_the_screen_as_a_drawing() -> None:
    drawings = []
    for _ in range(2):
        async with hosted(Page) as (app, _):
            drawings.append(screenshot.svg(app))
    assert drawings[0] == drawings[1]
    assert "&lt;script&gt;&amp;[red]" in drawings[0]
    assert not re.search(r"terminal-\d", drawings[0])
    assert "@font-face" not in drawings[0]
    links = set(re.findall(r"https?://[^\s\"')]+", drawings[0]))
    assert links <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}, links


async def opened(app: Host, pilot: Pilot[None], path: Path, data: str = "data\n") -> Input:
    save(app, "as [red]Markdown", path, data)
    await until(pilot, lambda: isinstance(app.screen, SaveAs))
    await pilot.pause()
    return app.screen.query_one(Input)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_saving_where_it_was_suggested(tmp_path: Path, size: tuple[int, int]) -> None:
    async with hosted(Page, size) as (app, pilot):
        await opened(app, pilot, tmp_path / "a.md")
        assert "Save as [red]Markdown" in app.text()
        assert "⏎ save  Esc cancel" in app.text()
        await pilot.press("enter")
        assert (tmp_path / "a.md").read_text() == "data\n"
        assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
        assert not isinstance(app.screen, SaveAs)
        assert any(str(tmp_path / "a.md") in notice.message for notice in app._notifications)


@scenario
async def test_what_is_there_needs_a_second_enter(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("old")
    async with hosted(Page) as (app, pilot):
        await opened(app, pilot, path)
        await pilot.press("enter")
        assert "Enter again overwrites it" in app.text()
        assert path.read_text() == "old"
        await pilot.press("x", "backspace", "enter")
        assert path.read_text() == "old", "another name was typed in between"
        await pilot.press("enter")
        assert path.read_text() == "data\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none/a.md", "file/a.md", ".", "", "~nobody-at-all/a", "n" * 300])
@scenario
async def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    async with hosted(Page, LARGE) as (app, pilot):
        field = await opened(app, pilot, tmp_path / "a.md")
        field.value = name if name in ("",) or name[0] == "~" else str(tmp_path / name)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveAs)
        assert any(
            words in app.text() for words in ("Not written: ", "That is a folder", "Name a file")
        )
        await pilot.press("escape")
        assert not isinstance(app.screen, SaveAs)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_writing_keeps_a_files_mode_and_follows_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    target.chmod(0o600)
    (tmp_path / "link").symlink_to(target)
    write(tmp_path / "link", "new")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)
    assert (tmp_path / "link").is_symlink()
