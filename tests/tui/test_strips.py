"""Strips: fixed scales, thresholds, valleys, prompts, one cursor, and few repaints."""

import math
from typing import Any

import pytest
from growth import LINEAR, ratio
from harness import LARGE, SIZES, SMALL, Host, drive
from instruments import SPLIT, Clock, long_story, prompt, story, token
from textual import events
from textual.geometry import Region
from textual.pilot import Pilot

from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.sampling.calibration import GUIDE
from entropix_tui.look import styles
from entropix_tui.look.throttle import INTERVAL, Pace
from entropix_tui.tokens.measures import MEASURES
from entropix_tui.tokens.timeline import FREE
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.strips import lane
from entropix_tui.widgets.strips.lane import COURSE, LEAST, NARROW, ROWS, WIDTH
from entropix_tui.widgets.strips.strips import Strips


def strips_of(*entropies: float | None, **options: Any) -> Strips:
    strips = Strips(**options)
    for index, entropy in enumerate(entropies):
        strips.take(token(index, entropy))
    return strips


def drawn(strips: Strips, size: tuple[int, int] = SMALL) -> list[str]:
    found: list[str] = []

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        found.extend(host.rows())

    drive(strips, steps, size)
    return found


def test_one_row_on_a_fixed_scale() -> None:
    row = drawn(strips_of(0.0, 1.5, 3.0, 6.0, 12.0, 13.0, None))[0]
    assert row[:NARROW].split() == ["entropy", "-/12", "bits,", "split", "2"]
    assert row[NARROW:] == "▁▁▂▄█▲·"


def test_nearly_equal_values_look_equal() -> None:
    row = drawn(strips_of(5.0, 5.01, 5.0))[0]
    assert len(set(row[NARROW:])) == 1


def test_four_rows_thresholds_and_valleys() -> None:
    strips = strips_of(1.0, 9.0, 0.0)
    strips.take(Event(kind="valley", index=2, at=2))
    rows = drawn(strips, LARGE)
    assert [row[:WIDTH].strip() for row in rows[:4]] == [
        "entropy",
        "0.00 of 12 bits",
        "┄ split 2",
        "⠤ smoothed",
    ]
    assert [row[WIDTH : WIDTH + 6].ljust(6) for row in rows[:3]] == ["  ▾   ", " █    ", " █    "]
    assert rows[3][WIDTH + 1] == COURSE[1], "the course lies over a bar that goes on"
    assert set(rows[3][WIDTH + 3 :]) == {"┄"}
    assert [row[:WIDTH].strip() for row in rows[4:8]] == ["varentropy", "2.00 of 30 bits²", "", ""]
    assert "▾" not in rows[4]


def test_they_take_a_fifth_of_the_height() -> None:
    for height, each in ((24, 1), (29, 1), (30, 3), (40, 4), (55, 5), (99, 6)):
        strips = Strips()
        strips.take(token(0, 13.0, varentropy=40.0))  # fills every row
        assert len([row for row in drawn(strips, (80, height)) if row]) == 2 * each


def test_the_split_of_one_row_stands_in_the_label() -> None:
    strips = strips_of(3.14159)
    rows = drawn(strips)
    assert rows[0][:NARROW].strip() == "entropy 3.14/12 bits, split 2"
    assert rows[1][:NARROW].strip() == "varentropy 2.00/30 bits²"


@pytest.mark.parametrize(
    ("char", "line", "drawn", "under"),
    [
        (" ", 2, "⠒", 0),
        ("█", 2, "⠒", 2),
        ("▂", 3, "⣉", 1),  # a fourth of the cell, and the line above it
        ("▆", 1, "▆", 1),
        ("▲", 2, "▲", 2),
    ],
)
def test_a_line_through_a_bar(char: str, line: int, drawn: str, under: int) -> None:
    assert lane._crossed(char, line) == (drawn, under)


def test_a_course_through_the_end_of_a_bar_beyond_the_scale_colours_it() -> None:
    strips = strips_of(*[13.0] * 40)

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        line = host.screen._compositor.render_strips()[0]
        ends = [s for s in line.crop(WIDTH) if "▲" in s.text]
        assert "".join(s.text for s in ends).count("▲") == 40
        course = styles.style("user", "true", True).color
        assert all(s.style and s.style.color == course and s.style.bgcolor for s in ends)

    drive(strips, steps, LARGE)


def test_a_valley_that_forms_is_hollow_and_moves_with_the_fall() -> None:
    clock = Clock()
    strips = strips_of(*[6.0] * 9, clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        seen = []
        for index in range(9, 15):
            strips.take(token(index, 0.0))
            clock.now += 1
            strips.flush()
            await pilot.pause()
            seen.append(host.rows()[0][NARROW:].find("▿"))
        assert seen == [-1, 10, 11, 12, 13, 14], "from a fall of 0.4 bits on"
        strips.take(Event(kind="valley", index=20, at=14))
        assert strips.timeline.course.forming == 14

    drive(strips, steps)


def test_prompt_tokens_are_faint_bars_of_the_same_row() -> None:
    strips = Strips()
    strips.take(prompt(0, 6.0, 12.0))
    strips.take(token(1, 6.0))

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        line = host.screen._compositor.render_strips()[0]
        assert line.text[NARROW:].rstrip() == "▄█▄"
        bars = [s for s in line if set(s.text) & set("▄█")]
        assert [s.text.rstrip() for s in bars] == ["▄█", "▄"]
        assert bars[0].style != bars[1].style

    drive(strips, steps)


def test_bars_over_the_upper_threshold_are_bold() -> None:
    strips = strips_of(1.0, 3.9, 4.1, 2.0)

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        line = host.screen._compositor.render_strips()[0]
        bold = [s.text for s in line.crop(NARROW) if s.style and s.style.bold]
        assert bold == ["▃▃▁"]

    drive(strips, steps)


def test_repaints_are_few_and_complete() -> None:
    clock = Clock()
    strips = Strips(clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        painted: list[tuple[Region, ...]] = []
        refresh = strips.refresh

        def counted(*regions: Region, **options: Any) -> Strips:
            painted.append(regions)
            refresh(*regions, **options)
            return strips

        strips.refresh = counted  # type: ignore[method-assign, assignment]
        records = story(120)
        for index, record in enumerate(records):  # 50 tokens/s, a tick at every token
            strips.take(record)
            clock.now += 0.02
            strips.flush()
            if index % 10 == 9:
                await pilot.pause()
        assert len(painted) <= 2.4 / (0.9 * INTERVAL) + 2
        clock.now += 1
        strips.flush()
        strips.flush()
        assert strips._dirty_from is None
        await pilot.pause()
        live = host.rows()
        strips._repaint()
        await pilot.pause()
        assert host.rows() == live  # what was drawn bit by bit is what is drawn at once
        # Full windows move on by a fourth; until then every repaint is of what changed.
        whole = sum(not regions for regions in painted)
        assert 1 <= whole <= 2 + math.ceil((120 - (80 - NARROW)) / ((80 - NARROW) // FREE))

    drive(strips, steps)


def test_a_valley_is_marked_when_it_is_confirmed() -> None:
    clock = Clock()
    strips = strips_of(*[6.0] * 9, clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        strips.flush()
        await pilot.pause()
        strips.take(Event(kind="valley", index=8, at=3))
        clock.now += 1
        strips.flush()
        await pilot.pause()
        assert host.rows()[0][NARROW:] == "▄▄▄▾▄▄▄▄▄"

    drive(strips, steps)


def test_an_idle_strip_paints_nothing() -> None:
    strips = strips_of(1.0, clock=Clock())

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        strips.flush()
        strips.refresh = None  # type: ignore[method-assign, assignment]
        strips.flush()

    drive(strips, steps)


def test_the_cursor_is_in_sight_however_long_ago_its_token_was() -> None:
    strips = Strips()
    path = story(5000)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        strips.rebuild(path)
        for index in (0, 2500, 4999, 17):
            strips.cursor = TokenRef(index)
            await pilot.pause()
            row = host.rows()[0]
            value = path[index].entropy
            assert f"{value:.2f}/12" in row
            line = host.screen._compositor.render_strips()[0]
            marked = [s for s in line.crop(NARROW) if s.style and s.style.color and s.style.bold]
            assert any(len(s.text.rstrip()) == 1 for s in marked)
        strips.cursor = None
        await pilot.pause()
        assert f"{path[-1].entropy:.2f}/12" in host.rows()[0]
        strips.cursor = TokenRef(99999)
        assert strips.value(MEASURES["entropy"]) is None

    drive(strips, steps)


def test_new_tokens_do_not_move_the_window_under_the_cursor() -> None:
    clock = Clock()
    strips = Strips(clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        strips.rebuild(story(300))
        strips.cursor = TokenRef(5)
        await pilot.pause()
        before = host.rows()[0]
        for record in story(100, 300):
            strips.take(record)
        clock.now += 1
        strips.flush()
        await pilot.pause()
        assert host.rows()[0] == before
        strips.cursor = None
        await pilot.pause()
        assert host.rows()[0] != before
        assert strips.timeline.start > 300

    drive(strips, steps)


def test_another_branch() -> None:
    strips = strips_of(*[1.0] * 50)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        strips.cursor = TokenRef(40)
        strips.rebuild([token(0, 12.0), token(60, 6.0)], [Event(kind="valley", index=60, at=0)])
        await pilot.pause()
        assert host.rows()[0][NARROW:] == "▾▄"
        strips.cursor = None
        strips.rebuild(())
        await pilot.pause()
        assert host.rows()[0][NARROW:] == ""

    drive(strips, steps)


def test_any_measure_can_be_selected_by_name_key_and_click() -> None:
    strips = strips_of(1.0)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        for name, measure in MEASURES.items():
            strips.select(1, name)
            await pilot.pause()
            label = host.rows()[1][:NARROW]
            assert name in label
            assert f"{measure.top:g}" in label
        strips.focus()
        await pilot.press("down", "m")
        assert strips.measures[1].name == next(iter(MEASURES))
        await pilot.press("M", "up", "m")
        assert [m.name for m in strips.measures] == ["varentropy", list(MEASURES)[-1]]
        await pilot.click(Strips, offset=(4, 1))
        assert strips.measures[1].name == "entropy"
        await pilot.pause()
        assert "▸" in host.rows()[1]
        with pytest.raises(KeyError):
            strips.select(0, "nonsense")

    drive(strips, steps)


def test_clicks_drags_and_keys_pick_tokens() -> None:
    strips = strips_of(*[float(i) for i in range(8)])

    def picked(host: Host) -> list[TokenRef]:
        return [m.ref for m in host.posted if isinstance(m, Strips.Picked)]

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        await pilot.mouse_down(Strips, offset=(NARROW + 2, 0))
        await pilot.hover(Strips, offset=(NARROW + 3, 1))
        await pilot.hover(Strips, offset=(79, 1))
        await pilot.mouse_up(Strips, offset=(79, 1))
        await pilot.hover(Strips, offset=(NARROW, 0))
        assert picked(host) == [TokenRef(2), TokenRef(3), TokenRef(7)]
        assert strips.cursor == TokenRef(7)
        strips.focus()
        await pilot.press("left", "home", "left", "right", "end")
        assert picked(host)[3:] == [TokenRef(6), TokenRef(0), TokenRef(1), TokenRef(7)]

    drive(strips, steps)


def test_the_wheel_looks_back() -> None:
    strips = Strips(clock=Clock())

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        strips.rebuild(story(300))
        await pilot.pause()
        newest = host.rows()[0]
        for _ in range(2):  # past the valley that is forming, which the next token changes
            await pilot._post_mouse_events([events.MouseScrollUp], Strips)
        await pilot.pause()
        back = host.rows()[0]
        assert back != newest
        strips.take(token(300, 12.0))
        strips.flush()
        await pilot.pause()
        assert host.rows()[0][NARROW:] == back[NARROW:]
        strips.take(prompt(400, 12.0))  # another turn
        strips._pace = Pace()
        strips.flush()
        await pilot.pause()
        assert "█" in host.rows()[0]

    drive(strips, steps)


def test_resizing_keeps_the_newest_in_sight() -> None:
    strips = Strips()

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        strips.rebuild(story(300))
        for size in ((140, 45), (40, 24), (81, 31), (80, 32)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            tall = size[1] >= LEAST * ROWS
            assert strips.size.height == 2 * (size[1] // ROWS if tall else 1)
            width = size[0] - (WIDTH if tall else NARROW)
            assert 300 - width <= strips.timeline.start < 300 - width + width // FREE

    drive(strips, steps)


@pytest.mark.parametrize("width", [1, 5, NARROW, NARROW + 1])
def test_no_width_is_too_narrow(width: int) -> None:
    for height in (24, 40):
        drawn(strips_of(1.0, 2.0), (width, height))


@pytest.mark.serial
@pytest.mark.slow
def test_a_hundred_thousand_tokens() -> None:
    path = long_story(100_000)
    strips = Strips()

    def look(part: list[TokenRecord]) -> None:
        for index in range(0, len(part), len(part) // 50):
            strips.cursor = TokenRef(index)
            strips.render_line(0)

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        few = path[:10_000]

        def rebuild(part: list[TokenRecord]) -> None:
            strips.rebuild(part)
            for y in range(strips.size.height):
                strips.render_line(y)

        assert ratio(lambda: rebuild(path), lambda: rebuild(few)) < LINEAR
        rebuild(path)
        await pilot.pause()
        assert ratio(lambda: look(path), lambda: look(few)) < 3, "the same at any length"

    drive(strips, steps)


def luminance(colour: Any) -> float:
    parts = [c / 255 for c in colour.get_truecolor()]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("dark", "ground"), [(True, 0.006), (False, 1.0)])
def test_series_are_legible_and_no_two_are_the_same(dark: bool, ground: float) -> None:
    colours = [styles.series_style(name, "true", dark).color for name in MEASURES]
    for colour in colours:
        assert colour is not None
        low, high = sorted((luminance(colour), ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5
    assert len({c.get_truecolor() for c in colours if c}) == len(MEASURES)
    sixteen = [styles.series_style(name, "sixteen", dark).color for name in MEASURES]
    assert len({c.number for c in sixteen if c}) == len(MEASURES)
    assert all(not styles.series_style(name, "none", dark) for name in MEASURES)


@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    strips = Strips(("entropy", "varentropy", "surprisal", "attn entropy"))

    async def steps(pilot: Pilot[None]) -> None:  # noqa: ARG001
        strips.rebuild(
            [prompt(0, 1.0, 7.0, None, 2.0, 3.0), *story(60, 1)],
            [Event(kind="valley", index=40, at=21)],
        )
        strips.cursor = TokenRef(12)
        strips.focus()

    assert looks(Host(lambda: strips), size, steps)


def test_lines_are_where_quadrants_change_whatever_else_a_token_is() -> None:
    strips = strips_of(1.0)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        for split, said in ((None, ""), (GUIDE, "split 0.1 3 5"), (SPLIT, "split 2")):
            host.split = split
            strips.resplit()
            await pilot.pause()
            assert said in host.rows()[2][:WIDTH]
            assert ("┄" in host.text()) is bool(said)

    drive(strips, steps, LARGE)
