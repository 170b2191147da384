"""Live strips: a fixed scale, a ring, thresholds, valleys, the cursor."""

import asyncio

import pytest
from textual.app import App, ComposeResult

from entropix_tui.widgets.strip import ENTROPY, KEPT, LABEL, LiveStrip


class Host(App[None]):
    def __init__(self, strip: LiveStrip, height: int) -> None:
        super().__init__()
        self.strip, self.rows = strip, height

    def compose(self) -> ComposeResult:
        self.strip.styles.height = self.rows
        yield self.strip


def drawn(strip: LiveStrip, height: int, width: int = LABEL + 12) -> list[str]:
    async def run() -> list[str]:
        app = Host(strip, height)
        async with app.run_test(size=(width, 10)):
            return [strip.render_line(y).text for y in range(height)]

    return asyncio.run(run())


def strip_of(*values: float | None) -> LiveStrip:
    strip = LiveStrip(ENTROPY, "true")
    for index, value in enumerate(values):
        strip.append(index, value)
    return strip


def test_one_row_on_a_fixed_scale() -> None:
    (row,) = drawn(strip_of(0.0, 1.5, 3.0, 6.0, 12.0, 13.0, None), 1)
    assert row[:LABEL].strip() == "H   -   of 12 bits"
    assert row[LABEL:] == "▁▁▂▄█▲·     "


def test_nearly_equal_values_look_equal() -> None:
    (row,) = drawn(strip_of(5.0, 5.01, 5.0), 1)
    assert len(set(row[LABEL : LABEL + 3])) == 1


def test_rows_thresholds_and_valleys() -> None:
    strip = strip_of(1.0, 9.0, 0.0)
    strip.thresholds = (1.5, 4.0)
    strip.mark_valley(2)
    rows = drawn(strip, 4)
    assert [row[:LABEL].strip() for row in rows] == [
        "entropy",
        "0.00 bits",
        "scale 0 to 12",
        "┄ 1.5 4",
    ]
    assert [row[LABEL : LABEL + 6] for row in rows] == ["  ▾   ", " █    ", "┄█┄┄┄┄", "▃█▁┄┄┄"]


def test_the_newest_are_shown_and_memory_is_bounded() -> None:
    strip = strip_of(*[1.0] * (KEPT + 500), 12.0)
    (row,) = drawn(strip, 1)
    assert row[LABEL:] == "▁" * 11 + "█"
    assert len(strip._values) == KEPT


@pytest.mark.parametrize(("cursor", "value"), [(None, 3.0), (0, 1.0), (77, None)])
def test_the_value_is_that_under_the_cursor(cursor: int | None, value: float | None) -> None:
    strip = strip_of(1.0, 2.0, 3.0)
    strip.cursor = cursor
    assert strip.value == value


@pytest.mark.parametrize("width", [1, 5, LABEL, LABEL + 1])
def test_no_width_is_too_narrow(width: int) -> None:
    for row in drawn(strip_of(1.0, 2.0), 4, width):
        assert len(row) == width
