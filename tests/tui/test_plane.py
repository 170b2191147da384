"""The quadrant plane: every token in its place, the regions of the settings in force."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from growth import LINEAR, ratio
from harness import Host, drive
from hypothesis import given
from hypothesis import strategies as st
from instruments import SETTINGS, SPLIT, Clock, long_story, prompt, story, token
from textual.pilot import Pilot

from entropix_mlx.records.quadrants import KINDS, QUADRANTS, quadrant_of
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.calibration import GUIDE
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.settings import Settings
from entropix_tui.tokens.measures import ENTROPY, VARENTROPY
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.plane.plane import CURSOR, TRAIL, QuadrantPlane
from entropix_tui.widgets.plane.plane_map import Density, PlaneMap, braille

SIZES = [(30, 8), (48, 14), (60, 20)]
ENTROPIES = st.floats(0, 17)
VARENTROPIES = st.floats(0, 60)


def drawn(plane: QuadrantPlane, size: tuple[int, int], then: Any = None) -> list[str]:
    found: list[str] = []

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        if then is not None:
            then()
            await pilot.pause()
        found.extend(host.rows())

    drive(plane, steps, size)
    return found


def plane_of(*points: tuple[float, float]) -> QuadrantPlane:
    plane = QuadrantPlane(clock=Clock())
    for index, (h, v) in enumerate(points):
        plane.take(token(index, h, varentropy=v))
    return plane


@given(ENTROPIES, VARENTROPIES)
def test_regions_are_the_samplers(entropy: float, varentropy: float) -> None:
    """The four inequalities, written out."""
    if entropy < 1.5 and varentropy < 3:
        expected = "LELV"
    elif entropy > 4 and varentropy < 6:
        expected = "HELV"
    elif entropy < 2 and varentropy > 8:
        expected = "LEHV"
    elif entropy > 5 and varentropy > 10:
        expected = "HEHV"
    else:
        expected = "MID"
    assert region_of(entropy, varentropy, bounds(SETTINGS.to_dict())) == expected


def test_regions_are_those_that_the_engine_computes() -> None:
    import mlx.core as mx

    from entropix_mlx.records.record import REGIONS
    from entropix_mlx.sampling import draw
    from entropix_mlx.sampling.calibration import PROVISIONAL

    for settings in (SETTINGS, Settings.make("entropixplained"), Settings.make("greedy")):
        bound = settings.bind(PROVISIONAL)
        scalars = {k: mx.array(v, mx.float32) for k, v in bound.scalars(PROVISIONAL).items()}
        corners = bounds(bound.to_dict())
        rng = np.random.default_rng(4)
        for h, v in zip(rng.uniform(0, 8, 200), rng.uniform(0, 16, 200), strict=True):
            index = draw.region(mx.array(float(h)), mx.array(float(v)), scalars)
            assert region_of(float(h), float(v), corners) == REGIONS[int(index.item())]


@given(ENTROPIES, VARENTROPIES, st.sampled_from(SIZES))
def test_a_token_falls_into_the_cell_around_its_values(
    entropy: float, varentropy: float, size: tuple[int, int]
) -> None:
    plane = PlaneMap(*size, None)
    dot = plane.dot(entropy, varentropy)
    assert 0 <= dot.column < plane.columns
    assert 0 <= dot.row < plane.rows
    assert dot.bit in {1 << i for i in range(8)}
    density = Density(plane)
    at = token(0, entropy, varentropy=varentropy)
    assert density.add([at, token(1, None)]) == {dot.row}
    assert density.dots[dot.row][dot.column] == dot.bit
    assert sum(map(sum, density.counts)) == density.most == 1
    x = np.sqrt(min(entropy / ENTROPY.top, 1)) * plane.columns
    y = np.sqrt(min(varentropy / VARENTROPY.top, 1)) * plane.rows
    assert dot.column <= x + 1e-9
    assert x <= dot.column + 1 + 1e-9
    assert plane.rows - 1 - dot.row <= y + 1e-9
    assert y <= plane.rows - dot.row + 1e-9


def test_every_cell_is_where_its_value_is() -> None:
    plane = PlaneMap(30, 12, None)
    for row in range(12):
        for column in range(30):
            dot = plane.dot(*plane.value(column, row))
            assert (dot.column, dot.row) == (column, row)


def test_dots_of_a_cell() -> None:
    assert braille(0xFF) == "⣿"
    plane = PlaneMap(1, 1, None)
    low, high = 0.0, 1e9
    corners = [(low, high, 0x01), (high, high, 0x08), (low, low, 0x40), (high, low, 0x80)]
    for entropy, varentropy, bit in corners:
        assert plane.dot(entropy, varentropy).bit == bit


@pytest.mark.parametrize("size", SIZES)
def test_axes_words_and_lines(size: tuple[int, int]) -> None:
    rows = drawn(plane_of(), size)
    text = "\n".join(rows)
    for word in ("sure", "open", "favoured", "scattered", "bits", "bits²", "12", "30", "┊", "┄"):
        assert word in text, word
    assert len(rows[: size[1]]) == size[1]
    grid = [row for row in rows if "│" in row or "┤" in row]
    assert "favoured" in grid[0]
    assert "scattered" in grid[0]
    assert "sure" in grid[-1]
    assert "open" in grid[-1]
    (axis,) = (row for row in rows if "bits 12" in row)
    assert len(axis.rstrip()) < size[0], "text does not touch the edge"


def test_captions_where_there_is_room() -> None:
    wide = "\n".join(drawn(plane_of(), (90, 20)))
    assert all(kind.caption in wide for q, kind in KINDS.items() if q != "LELV")
    small = "\n".join(drawn(plane_of(), (30, 8)))
    assert "exploring" not in small
    hit = plane_of((1.0, 24.0))
    text = "\n".join(drawn(hit, (90, 20), lambda: hit.rebuild([token(0, 1.0, varentropy=24.0)])))
    assert "exploring forks in the path" not in text.split("entropy, bits")[0]


def test_half_a_caption_is_none() -> None:
    (line,) = (row for row in drawn(plane_of((3.0, 6.0)), (44, 14)) if "H 3.00" in row)
    assert "treading" not in line
    assert "…" not in line


def test_it_is_divided_as_quadrants_are_told() -> None:
    """Each cell of the map by the split itself; lines wherever it changes."""
    plane = PlaneMap(48, 14, partial(quadrant_of, split=SPLIT))
    for row in range(14):
        for column in range(48):
            assert plane.regions[row][column] == quadrant_of(*plane.value(column, row), SPLIT)
    step = next(x for x in range(48) if plane.value(x, 13)[0] >= 2)
    assert plane.lines[-1][step] == "┊"
    assert set("".join(plane.lines)) == set(" ┊┄┼")


@pytest.mark.parametrize("columns", range(20, 120, 7))
def test_no_token_is_on_the_wrong_side_of_a_line(columns: int) -> None:
    plane = PlaneMap(columns, 14, partial(quadrant_of, split=SPLIT))
    split = SPLIT.entropy
    assert split is not None
    line = plane.lines[-1].index("┊", plane.dot(split, 0).column - 1)
    assert plane.dot(split - 1e-3, 0).column <= line <= plane.dot(split + 1e-3, 0).column


def test_a_split_that_nobody_told_has_words_and_no_lines() -> None:
    plane = plane_of((1.0, 1.0))

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        host.split = None
        plane.use(None)
        await pilot.pause()
        text = host.text()
        assert all(word in text for word in ("sure", "open", "fork", "lost"))
        assert not set("┊┄┼") & set(text)

    drive(plane, steps, (60, 20))


def test_the_guides_corners_leave_tokens_in_none() -> None:
    plane = plane_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        host.split = GUIDE
        plane.use(None)
        plane.rebuild([token(0, 3.0, quadrant=None)])
        await pilot.pause()
        assert " in none " in host.rows()[-1]
        assert "┊" in host.text()

    drive(plane, steps, (60, 20))


def test_the_samplers_bands_are_drawn_when_they_are_wanted_and_move_with_the_settings() -> None:
    plane = plane_of()
    plane.take(token(0, 1.0, region="LEHV", strategy="explore"))

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        quadrants = host.rows()
        plane.use(SETTINGS)
        await pilot.pause()
        assert host.rows() == quadrants, "settings move no quadrant"
        plane.divide(by_sampler=True)
        await pilot.pause()
        before = host.rows()
        assert "the sampler's bands" in before[0]
        assert all(corner in "\n".join(before) for corner in QUADRANTS)
        assert before[-1].split()[1] == "LEHV"
        assert "explore" in before[-1]
        plane.use(Settings.make("entropixplained"))
        await pilot.pause()
        after = host.rows()
        # No region begins at 5 bits² in the first settings, two do in the second ones.
        row = plane._map.dot(0, 5.0).row + 1  # type: ignore[union-attr]
        assert after[row : row + 2] != before[row : row + 2]
        plane.divide(by_sampler=False)
        await pilot.pause()
        assert host.rows() == quadrants

    drive(plane, steps, (60, 20))


def test_density_counts_every_token_of_the_answers_only() -> None:
    path = [prompt(0, 11.0, 11.0), *story(400, 1)]
    plane = QuadrantPlane()
    drawn(plane, (60, 20), lambda: plane.rebuild(path))
    counts = np.zeros((plane._map.rows, plane._map.columns), int)  # type: ignore[union-attr]
    for record in path[1:]:
        dot = plane._map.dot(record.entropy, record.varentropy)  # type: ignore[union-attr, arg-type]
        counts[dot.row, dot.column] += 1
    assert np.array_equal(counts, plane._density.counts)  # type: ignore[union-attr]
    assert counts.sum() == 400


def test_bit_by_bit_and_at_once_look_alike() -> None:
    clock = Clock()
    plane = QuadrantPlane(clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        for record in story(300):
            plane.take(record)
            clock.now += 0.05
            plane.flush()
            if record.index % 7 == 0:
                await pilot.pause()
        clock.now += 1
        plane.flush()
        await pilot.pause()
        live = host.screen._compositor.render_strips()
        plane.rebuild(story(300))
        await pilot.pause()
        again = host.screen._compositor.render_strips()
        assert [list(s) for s in live] == [list(s) for s in again]

    drive(plane, steps, (60, 20))


def test_what_is_out_of_sight_is_painted_when_it_is_seen_again() -> None:
    clock = Clock()
    plane = QuadrantPlane(clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        plane.display = False
        await pilot.pause()
        for record in story(40):
            plane.take(record)
            clock.now += 1
            plane.flush()
        assert plane._counted == 0
        plane.display = True
        await pilot.pause()
        plane.flush()
        await pilot.pause()
        seen = host.rows()
        plane.rebuild(story(40))
        await pilot.pause()
        assert host.rows() == seen

    drive(plane, steps, (48, 14))


def test_the_trail_and_the_cursor() -> None:
    points = [(0.1 * (i + 1) ** 2, 20.0) for i in range(10)]
    rows = drawn(plane_of(*points), (60, 20))
    row = next(row for row in rows if TRAIL[0] in row)
    signs = [char for char in row if char in TRAIL]
    assert signs == list(reversed(TRAIL))
    assert " ● " in rows[-1]
    assert "H 10.00" in rows[-1]
    assert "scattered" in rows[-1]
    plane = plane_of(*points)
    plane.cursor = TokenRef(0)
    rows = drawn(plane, (60, 20))
    assert sum(row.count(CURSOR) for row in rows[:-1]) == 1
    assert f" {CURSOR} " in rows[-1]
    assert "H 0.10" in rows[-1]
    assert "exploring forks in the path" in rows[-1]


def test_the_cursor_on_a_prompt_and_on_nothing() -> None:
    plane = plane_of()
    plane.take(prompt(20, 3.0))
    plane.cursor = TokenRef(20, 0)
    assert any(CURSOR in row for row in drawn(plane, (48, 14))[:-1])
    for nowhere in (TokenRef(99), None):
        plane = plane_of((1.0, 1.0), (None, None))  # type: ignore[arg-type]
        plane.cursor = nowhere
        assert not any(CURSOR in row for row in drawn(plane, (48, 14)))


def test_beyond_the_scales_is_at_the_edge() -> None:
    rows = drawn(plane_of((17.0, 80.0)), (30, 8))
    assert rows[0].endswith(TRAIL[0])


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (6, 3), (30, 9), (12, 40)])
def test_no_size_is_too_small(size: tuple[int, int]) -> None:
    plane = plane_of((1.0, 2.0), (9.0, 20.0))
    plane.cursor = TokenRef(1)
    drawn(plane, size)


@pytest.mark.serial
@pytest.mark.slow
def test_a_hundred_thousand_tokens() -> None:
    path = long_story(100_000)
    plane = plane_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        few = path[:10_000]

        def paint() -> None:
            for y in range(plane.size.height):
                plane.render_line(y)

        def rebuild(part: list[TokenRecord]) -> None:
            plane.rebuild(part)
            paint()

        def move() -> None:
            plane.use(None)
            paint()

        assert ratio(lambda: rebuild(path), lambda: rebuild(few)) < LINEAR
        assert ratio(move, lambda: rebuild(path)) < 1 / 7, "tokens stay where they are"
        await pilot.pause()

    drive(plane, steps, (60, 20))


def test_words_are_in_their_quadrants_styles() -> None:
    plane = plane_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        segments = [s for line in host.screen._compositor.render_strips() for s in line]
        words = ("sure", "open", "favoured", "scattered")
        styles = {word: s.style for s in segments for word in words if word in s.text}
        assert styles["scattered"].bold
        assert styles["open"].italic
        assert len({styles[w].color for w in words}) == len(QUADRANTS)

    drive(plane, steps, (60, 20))


@pytest.mark.parametrize("size", [(30, 8), (60, 20)], ids=["30x8", "60x20"])
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    plane = QuadrantPlane()

    async def steps(pilot: Pilot[None]) -> None:  # noqa: ARG001
        plane.rebuild(story(200))
        plane.cursor = TokenRef(12)

    assert looks(Host(lambda: plane), size, steps)
