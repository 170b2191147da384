"""Choosing another token: keys, mouse, filter, and what comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from harness import LARGE, SMALL, Host, hosted, scenario, until
from inspected import record
from inspections import HOSTILE, inspection

from entropix_mlx.records.inspection import HEAD
from entropix_tui.look.styles import Colours
from entropix_tui.screens.candidate_picker import CandidatePicker


@asynccontextmanager
async def picking(
    size: tuple[int, int] = SMALL, colours: Colours = "true", **fields: Any
) -> AsyncIterator[tuple[Any, Host, CandidatePicker, list[int | None]]]:
    screen = CandidatePicker(record(**fields))
    async with hosted(lambda: screen, size, colours=colours) as (app, pilot):
        yield pilot, app, screen, app.answers


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
def test_the_recorded_ones_and_what_is_there_now(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with picking(size, id=108, rank=4710) as (pilot, app, _, given):
            row = next(row for row in app.rows() if "▸" in row)
            assert "▸  4711" in row
            assert "␣far" in row
            assert "54.9%" in app.text()
            await pilot.press("up", "up", "enter")
            await until(pilot, lambda: given)
            assert given == [106]

    run()


@scenario
async def test_escape_takes_nothing() -> None:
    async with picking() as (pilot, _, _, given):
        await pilot.press("down", "escape")
        await until(pilot, lambda: given)
        assert given == [None]


@scenario
async def test_typing_filters_by_text_and_id() -> None:
    async with picking() as (pilot, app, screen, given):
        await pilot.press(*"LOC")
        await until(pilot, lambda: screen._list.count == 1)
        assert "␣located" in app.text()
        assert "␣the" not in app.text()
        await pilot.press("backspace", "backspace", "backspace", *"#106")
        await until(pilot, lambda: screen._list.count == 1)
        assert "‹1B›[2J" in app.text()
        await pilot.press("x")
        await until(pilot, lambda: not screen._list.count)
        await pilot.press("enter")
        await pilot.pause()
        assert "no candidate has this in it" in app.text()
        assert given == []
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: given)
        assert given == [106]


@scenario
async def test_an_inspection_brings_the_whole_head() -> None:
    async with picking(id=999, rank=3000) as (pilot, app, screen, given):
        screen.fill(inspection(record(index=13)))
        assert screen._list.count == 9
        screen.fill(inspection(record(), texts=HOSTILE))
        await pilot.pause()
        assert screen._list.count == HEAD
        assert not {"\x1b", "\u202e", "\x9b", "\t"} & set(app.text())
        assert "[/red]" in app.text()
        await pilot.press(*" w200")
        await until(pilot, lambda: screen._list.count == 1)
        assert "   200" in app.text()
        await pilot.press("enter")
        await until(pilot, lambda: given)
        assert given == [20_199]


@scenario
async def test_what_was_recorded_beyond_the_head_stays() -> None:
    listed = [(5, "five", -9.0, 0.0)]
    async with picking(candidates=listed, id=5, rank=7000) as (pilot, app, screen, _):
        screen.fill(inspection(record()))
        await pilot.pause()
        assert screen._list.listed[-1].id == 5
        assert screen._list.row == HEAD
        assert "▸  7001" in app.text()


@pytest.mark.slow
@scenario
async def test_the_mouse() -> None:
    async with picking() as (pilot, app, _, given):
        x, y = next((row.index("␣the"), y) for y, row in enumerate(app.rows()) if "␣the" in row)
        await pilot.click(offset=(x, y))
        await pilot.press("l")  # the filter still has the focus
        assert given == []
        await pilot.press("backspace")
        await pilot.click(offset=(x, y), times=2)
        await until(pilot, lambda: given)
        assert given == [101]
