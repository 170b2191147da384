"""The list of saved sessions, on an archive that tests own."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import HOSTILE, SIZES, Host, hosted, press, running, scenario, until
from textual.pilot import Pilot

from entropix_mlx.trace.archive import Archive, Saved
from entropix_models.errors import TraceError, UsageError
from entropix_tui.screens.sessions import SessionsScreen

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def saved(name: str, title: str, hours: float, model: str = "smollm2-135m") -> Saved:
    return Saved(name, title, model, NOW - timedelta(hours=hours), 12_345)


@dataclass
class Shelf:
    """An archive in memory; `gate` holds up its listing."""

    sessions: list[Saved]
    gate: threading.Event | None = None
    broken: Exception | None = None
    renamed: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def list(self) -> list[Saved]:
        if self.gate is not None:
            assert self.gate.wait(30)
        if self.broken is not None:
            raise self.broken
        return list(self.sessions)

    def rename(self, old: str, new: str) -> None:
        if any(one.name == new for one in self.sessions):
            raise UsageError(f"there is a session {new!r} already; choose another name")
        self.renamed.append((old, new))
        self.sessions = [s._replace(name=new) if s.name == old else s for s in self.sessions]

    def delete(self, name: str) -> None:
        self.deleted.append(name)
        self.sessions = [one for one in self.sessions if one.name != name]


def shelf(**more: Any) -> Shelf:
    return Shelf(
        [
            saved("now", "Which is larger, 9.9 or 9.11?", 0.1),
            saved("robot", "The robot that learns to paint", 5),
            saved("night", "A dark and stormy night", 30),
            saved("torn", "", 2000, model=""),
        ],
        **more,
    )


def screen(archive: Any) -> SessionsScreen:
    return SessionsScreen(archive, current="now", now=lambda: NOW)


@scenario
async def test_enter_resumes() -> None:
    async with hosted(lambda: screen(shelf())) as (app, pilot):
        text = app.text()
        for shown in ("6 min ago", "5 h ago", "yesterday", "2 months ago", "12 kB", "damaged"):
            assert shown in text
        assert "● Which is larger" in text
        assert "✗ (nothing was said) torn" in text
        await press(pilot, "down")
        assert "robot · smollm2-135m · last used 2026-01-05 07:00" in app.text()
        await press(pilot, "enter")
        assert app.answers == ["robot"]


@scenario
async def test_escape_and_the_mouse() -> None:
    async with hosted(lambda: screen(shelf())) as (app, pilot):
        y = next(n for n, row in enumerate(app.rows()) if "stormy" in row)
        await pilot.click(offset=(10, y))
        assert app.screen.choices.current.name == "night"  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert app.answers == [None]


@scenario
async def test_typing_filters() -> None:
    async with hosted(lambda: screen(shelf())) as (app, pilot):
        await press(pilot, "slash", *"NIGHT dark")
        assert [s.name for s in app.screen.choices.listed] == ["night"]  # type: ignore[attr-defined]
        await press(pilot, *["backspace"] * 10, *"o", "up", "enter")
        assert app.answers == ["robot"]


@scenario
async def test_a_slow_disk_holds_nothing_up() -> None:
    gate = threading.Event()
    archive = shelf(gate=gate)
    async with hosted_now(archive) as (app, pilot):
        await until(pilot, lambda: "reading …" in app.text())
        await pilot.press("slash", "r")
        gate.set()
        await until(pilot, lambda: "robot" in app.text())


@pytest.mark.slow
@scenario
async def test_it_can_be_left_while_the_list_is_read() -> None:
    gate = threading.Event()
    async with hosted_now(shelf(gate=gate)) as (app, pilot):
        await until(pilot, lambda: "reading …" in app.text())
        await pilot.press("escape")
        await until(pilot, lambda: app.answers == [None])
        gate.set()
        await app.workers.wait_for_complete()
        await pilot.pause()


@asynccontextmanager
async def hosted_now(archive: Shelf) -> AsyncIterator[tuple[Host, Pilot[None]]]:
    """As `hosted`, without waiting for what is read."""
    app = Host(lambda: screen(archive))
    async with running(app) as pilot:
        await until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        yield app, pilot


@scenario
async def test_what_cannot_be_read_is_said() -> None:
    for broken in (TraceError("the folder [/x] is gone"), PermissionError(13, "no", "\x1b[31m")):
        async with hosted(lambda b=broken: screen(shelf(broken=b))) as (app, pilot):  # type: ignore[misc]
            assert "The list cannot be read" in app.text()
            assert not app.steering()
            await press(pilot, "enter", "r", "x", "x", "down")
            assert app.answers == []


@pytest.mark.slow
@scenario
async def test_renaming() -> None:
    archive = shelf()
    async with hosted(lambda: screen(archive)) as (app, pilot):
        await press(pilot, "down", "r", *["backspace"] * 5, *"painter", "enter")
        assert archive.renamed == [("robot", "painter")]
        assert app.screen.choices.current.name == "painter"  # type: ignore[attr-defined]
        await press(pilot, "r", *["backspace"] * 7, *"night", "enter")
        assert "there is a session 'night' already" in app.text()
        assert archive.renamed == [("robot", "painter")]
        await press(pilot, "r", "enter")  # the same name
        await press(pilot, "r", "escape")
        assert archive.renamed == [("robot", "painter")]
        assert app.answers == []


@scenario
async def test_deleting_needs_two() -> None:
    archive = shelf()
    async with hosted(lambda: screen(archive)) as (app, pilot):
        await press(pilot, "down", "x")
        assert "Once more" in app.text()
        await press(pilot, "down", "up", "x")  # it went elsewhere: the question begins anew
        assert archive.deleted == []
        await press(pilot, "x")
        assert archive.deleted == ["robot"]
        assert "robot" not in app.text()
        assert app.screen.choices.current.name == "night"  # type: ignore[attr-defined]
        await press(pilot, "x")
        assert archive.deleted == ["robot"]


@scenario
async def test_the_open_one_stays() -> None:
    archive = shelf()
    async with hosted(lambda: screen(archive)) as (app, pilot):
        await press(pilot, "x", "x")
        assert "is open: it cannot be deleted" in app.text()
        await press(pilot, "r")
        assert "is open: it cannot be renamed" in app.text()
        assert (archive.deleted, archive.renamed) == ([], [])


@scenario
async def test_hostile_names_and_titles() -> None:
    archive = Shelf([saved(HOSTILE, HOSTILE, 3, HOSTILE), saved("\x1b]0;x\x07", "", 4, "")])
    async with hosted(lambda: screen(archive)) as (app, pilot):
        assert "[/red]" in app.text()
        assert not app.steering()
        await press(pilot, "r")
        assert not app.steering()
        await press(pilot, "escape", "down", "r")
        assert not app.steering()


@scenario
async def test_nothing_saved_yet() -> None:
    async with hosted(lambda: screen(Shelf([]))) as (app, pilot):
        assert "Nothing is saved yet" in app.text()
        await press(pilot, "enter")
        assert app.answers == []


@scenario
async def test_on_a_real_archive(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    header = '{"type":"header","model":"smollm2-135m"}\n'
    (tmp_path / "good.jsonl").write_text(
        header + '{"type":"prompt","role":"user","text":"Hello [b]"}\n'
    )
    (tmp_path / "bad.jsonl").write_bytes(b"\x00\xff not json")
    (tmp_path / "odd [red].jsonl").write_text("")
    async with hosted(lambda: screen(archive)) as (app, pilot):
        assert "Hello [b]" in app.text()
        assert app.text().count("✗") == 2
        await press(pilot, "slash", *"good", "tab", "x", "x")
        assert not (tmp_path / "good.jsonl").exists()
        await press(pilot, "escape", "slash", *"odd", "tab", "x", "x")
        assert "Not deleted" in app.text()


@pytest.mark.slow
@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("down", "x")

    assert looks(Host(lambda: screen(shelf())), size, steps)
