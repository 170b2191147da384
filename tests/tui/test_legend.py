"""The legend says which measure colours mean, with numbers; the ramp is safe for all eyes."""

import msgspec
import pytest
from eyes import GROUNDS, contrast, least_distance
from harness import scenario
from viewing import viewing

from entropix_mlx.records.measures import class_of
from entropix_mlx.records.quadrants import KINDS
from entropix_mlx.sampling.calibration import GUIDE, PROVISIONAL
from entropix_mlx.terminal.palette import RAMP, Theme
from entropix_tui.look import color_scale, styles
from entropix_tui.tokens.measures import ENTROPY, MEASURES, RANK

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("theme", GROUNDS)
def test_every_class_is_read_and_told_from_the_others_by_all_eyes(theme: Theme) -> None:
    colours = [cue.color or "" for cue in RAMP[theme]]
    contrasts = [contrast(colour, GROUNDS[theme]) for colour in colours]
    assert contrasts[0] >= 4.5
    assert contrasts == sorted(contrasts)
    assert least_distance(colours) >= 10


@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
@pytest.mark.parametrize("dark", [True, False])
def test_all_classes_differ_and_none_is_reversed(colours: styles.Colours, dark: bool) -> None:
    drawn = [styles.style(look, colours, dark) for look in color_scale.CLASSES]
    assert len({str(style) for style in drawn}) == len(drawn)
    assert [(s.bold, s.underline) for s in drawn[3:]] == [(None, True), (True, True)]
    assert not any(s.reverse or s.bgcolor for s in drawn)
    assert not any(s.underline for s in drawn[:3])


@pytest.mark.parametrize("ground", [("true", True), ("true", False)])
def test_highlights_can_be_read(ground: tuple[styles.Colours, bool]) -> None:
    for level in range(1, styles.LEVELS + 1):
        style = styles.highlight_style(level, *ground)
        assert style.color is not None
        assert style.bgcolor is not None
        assert contrast(style.color.name.upper(), style.bgcolor.name.upper()) >= 4.5


def test_classes_are_fifths_of_the_scale() -> None:
    assert [class_of(ENTROPY, v) for v in (-1, 0, 2.39, 2.4, 5, 9.59, 9.6, 99)] == [
        *(0, 0, 0, 1, 2, 3, 4, 4)
    ]
    assert color_scale.bounds(ENTROPY) == ["2.4", "4.8", "7.2", "9.6"]
    assert color_scale.bounds(RANK) == ["4", "16", "64", "256"], "ranks, not their logarithms"


@pytest.mark.parametrize("colours", ["true", "none"])
@scenario
async def test_it_says_which_measure_on_which_scale_in_80_cells(colours: styles.Colours) -> None:
    async with viewing(colours=colours) as v:
        for name in color_scale.COLOURS:
            v.texts.legend.restyle(colour=name)
            await v.pilot.pause()
            (said,) = v.rows(v.texts.legend)
            assert len(said) <= 80
            assert "…" not in said
            if name in MEASURES:
                assert name in said
                assert MEASURES[name].unit in (*said, "", "log2") or MEASURES[name].unit in said
                assert all(bound in said for bound in color_scale.bounds(MEASURES[name]))
            assert ("=" in said) is (colours == "none" and name != "plain")
        v.texts.legend.restyle(colour="quadrant")
        await v.pilot.pause()
        (said,) = v.rows(v.texts.legend)
        assert all(kind.word in said for kind in KINDS.values())
        v.texts.legend.restyle(attention=True)
        await v.pilot.pause()
        assert "attended to:  little   some   much" in v.rows(v.texts.legend)[0]


@scenario
async def test_a_wide_legend_names_the_plane() -> None:
    async with viewing(size=(160, 24)) as v:
        assert "open: H ≥ 2, V usual" in v.rows(v.texts.legend)[0]
        # As exact as the strip's label: a token of 2.08 bits is above it.
        v.texts.app.split = msgspec.structs.replace(PROVISIONAL.split, entropy=2.07)  # type: ignore[attr-defined]
        v.texts.legend.refresh()
        await v.pilot.pause()
        assert "open: H ≥ 2.07, V usual" in v.rows(v.texts.legend)[0]
        v.texts.app.split = GUIDE  # type: ignore[attr-defined]
        v.texts.legend.refresh()
        await v.pilot.pause()
        assert "open: H > 3, V < 0.1" in v.rows(v.texts.legend)[0]
