"""The table of the whole vocabulary, its figures, and its plot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from harness import LARGE, SIZES, SMALL, Host, hosted, scenario, until
from inspected import record
from inspections import HOSTILE, NORMALISER, below, inspection

from entropix_mlx.records.inspection import HEAD, TAIL
from entropix_tui.look.styles import Colours
from entropix_tui.look.temperature import tempered
from entropix_tui.screens.vocabulary import Vocabulary, makes
from entropix_tui.widgets.inspector.decay import braille
from entropix_tui.widgets.inspector.trial import TrialBar


@asynccontextmanager
async def opened(
    size: tuple[int, int] = SMALL, colours: Colours = "true", **options: Any
) -> AsyncIterator[tuple[Any, Host, Vocabulary, list[int | None]]]:
    one = record()
    screen = Vocabulary(one, inspection(one, texts=HOSTILE, **options))
    async with hosted(lambda: screen, size, colours=colours) as (app, pilot):
        await until(pilot, lambda: screen.table.has_focus)
        yield pilot, app, screen, app.answers


@pytest.mark.slow
@SIZES
def test_head_gap_and_tail(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with opened(size) as (pilot, app, screen, given):
            assert screen.table.count == HEAD + 1 + TAIL
            assert "▸      1     100 ␣Paris" in app.text()
            await pilot.press("end")
            await pilot.pause()
            assert "5,000" in app.text()
            assert "100.0000%" in app.text()
            for _ in range(TAIL):
                await pilot.press("up")
            await pilot.pause()
            p = np.exp(below(record(), 5000).astype(np.float64))
            between = 100 * p[HEAD:-TAIL].sum() / p.sum()
            assert f"4,680 tokens between, {between:.1f}% of the probability" in app.text()
            await pilot.press("enter")  # the gap cannot be taken
            await pilot.press("down", "enter")
            await until(pilot, lambda: given)
            assert given == [20_000 + 5000 - TAIL]

    run()


@pytest.mark.slow
@SIZES
def test_the_columns_say_what_numpy_says(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with opened(size) as (pilot, app, screen, _):
            await pilot.press("right", "right", "shift+right", "left")
            assert screen.tried == 0.8
            await pilot.pause()
            values = below(record(), 5000).astype(np.float64)
            weights = np.exp(values / 0.8)
            tried = weights / weights.sum()
            raw = np.exp(values) / np.exp(values).sum()
            row = next(row for row in app.rows() if "␣located" in row)
            up_to = raw[:4].sum()
            assert row.split()[-4:] == [
                f"{values[3] + NORMALISER:.2f}",
                f"{100 * raw[3]:.1f}%",
                f"{100 * tried[3]:.1f}%",
                f"{100 * up_to:.4f}%",
            ]
            for share in (0.5, 0.9, 0.99):
                for p in (raw, tried):
                    needed = makes(p, share)
                    assert p[:needed].sum() >= share > p[: needed - 1].sum()
                    assert f"{100 * share:g} % in {needed}" in app.text()
            assert "T 0.80" in app.text()

    run()


@scenario
async def test_nothing_raw_reaches_the_terminal() -> None:
    async with opened(LARGE) as (_, app, _, _):
        text = app.text()
        assert not {"\x1b", "\u202e", "\x9b", "\t"} & set(text)
        for shown in ("[/red]", "[@click=app.quit]x[/]", "‹1B›[31m", "↵", "␣␣", "שלום", "👨‍👩‍👧‍👦"):
            assert shown in text


@scenario
async def test_where_nothing_can_be_taken_no_key_takes() -> None:
    one = record()
    screen = Vocabulary(one, inspection(one), takes=False)
    async with hosted(lambda: screen) as (app, pilot):
        await until(pilot, lambda: screen.table.has_focus)
        await pilot.press("down", "enter")
        await pilot.click(offset=(20, 20), times=2)
        await pilot.pause()
        assert app.screen is screen
        assert "take it" not in app.text()
        await pilot.press("escape")
        await until(pilot, lambda: app.answers)
        assert app.answers == [None]


@scenario
async def test_escape_is_back() -> None:
    async with opened() as (pilot, _, _, given):
        await pilot.press("escape")
        await until(pilot, lambda: given)
        assert given == [None]


@scenario
async def test_the_mouse() -> None:
    async with opened() as (pilot, app, screen, given):
        bar = screen.query_one(TrialBar)
        row = app.rows()[bar.region.y]
        await pilot.click(offset=(row.index("▸"), bar.region.y))
        assert screen.tried == 0.55
        x, y = next((row.index("␣the"), y) for y, row in enumerate(app.rows()) if "␣the" in row)
        await pilot.click(offset=(x, y), times=2)
        await until(pilot, lambda: given)
        assert given == [101]


@pytest.mark.parametrize(("vocabulary", "rows"), [(40, 40), (300, 300), (HEAD + TAIL + 1, 321)])
def test_small_vocabularies(vocabulary: int, rows: int) -> None:
    @scenario
    async def run() -> None:
        async with opened(vocabulary=vocabulary) as (pilot, app, screen, _):
            assert screen.table.count == rows
            await pilot.press("end")
            await pilot.pause()
            assert f"{vocabulary:>7} " in app.text()

    run()


class TestPlot:
    def test_a_power_law_is_a_straight_line(self) -> None:
        rank = np.arange(1, 100_001)
        rows = braille(-2 * np.log(rank).astype(np.float32), 40, 10)
        firsts = [next(x for x, char in enumerate(row) if char != " ") for row in rows[:6]]
        steps = np.diff(firsts)
        assert steps.min() >= 5
        assert steps.max() <= 7
        assert rows[-1].isspace() or not rows[-1].strip()

    def test_even_odds_are_a_level_line(self) -> None:
        rows = braille(np.full(1000, -np.log(1000), np.float32), 20, 10)
        assert [bool(row.strip()) for row in rows].count(True) == 1

    def test_the_impossible_is_left_out(self) -> None:
        values = np.array([0.0, -np.inf], np.float32)
        assert sum(bool(row.strip()) for row in braille(values, 10, 5)) == 1


def test_makes() -> None:
    assert makes(np.array([0.5, 0.4, 0.1]), 0.5) == 1
    assert makes(np.array([0.5, 0.4, 0.1]), 0.51) == 2
    assert makes(tempered([0.0, 0.0, 0.0], 1.0), 0.99) == 3
