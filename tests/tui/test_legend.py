"""The legend says which measure colours mean, with numbers; the ramp is safe for all eyes."""

import math
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import pytest
from harness import scenario
from viewing import viewing

from entropix_tui.look import color_scale, styles
from entropix_tui.tokens.measures import ENTROPY, MEASURES, RANK

pytestmark = pytest.mark.filterwarnings("error")
Theme = Literal["dark", "light"]

# Machado, Oliveira, Fernandes 2009, severity 1, over linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(linear(colour) @ weights) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> tuple[float, float, float]:
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = matrix @ np.clip(rgb, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return float(116 * f[1] - 16), float(500 * (f[0] - f[1])), float(200 * (f[1] - f[2]))


def ciede2000(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * math.sqrt(mean**7 / (mean**7 + 25**7))
    c1, c2 = math.hypot(a1 * g, b1), math.hypot(a2 * g, b2)
    h1, h2 = (math.degrees(math.atan2(b, a * g)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if not c1 * c2 else (h2 - h1 + 180) % 360 - 180
    hue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    middle = h1 + h2 if not c1 * c2 else (h1 + turn / 2) % 360
    t = 1.0
    for factor, times, shift in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63)):
        t += factor * math.cos(math.radians(times * middle + shift))
    sl = 1 + 0.015 * (lightness - 50) ** 2 / math.sqrt(20 + (lightness - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    angle = math.radians(60 * math.exp(-(((middle - 275) / 25) ** 2)))
    rt = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(angle)
    x, y, z = (l2 - l1) / sl, (c2 - c1) / sc, hue / sh
    return math.sqrt(x * x + y * y + z * z + rt * y * z)


def test_the_distance_is_that_of_its_authors_examples() -> None:
    # Sharma, Wu, Dalal 2005, table 1.
    for one, other, expected in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ):
        assert ciede2000(one, other) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("theme", "ground"), [("dark", "#121212"), ("light", "#FFFFFF")])
def test_every_class_is_read_and_told_from_its_neighbours_by_all_eyes(
    theme: Theme, ground: str
) -> None:
    colours = [cue.color or "" for cue in color_scale.TRUECOLOR[theme]]
    contrasts = [contrast(colour, ground) for colour in colours]
    assert contrasts[0] >= 4.5
    assert contrasts == sorted(contrasts)
    for sight in SIGHTS.values():
        seen = [lab(sight @ linear(colour)) for colour in colours]
        assert min(ciede2000(*pair) for pair in pairwise(seen)) >= 12
        assert min(ciede2000(*pair) for pair in combinations(seen, 2)) >= 12


@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
@pytest.mark.parametrize("dark", [True, False])
def test_the_top_classes_have_cues_without_colour(colours: styles.Colours, dark: bool) -> None:
    drawn = [styles.style(look, colours, dark) for look in color_scale.CLASSES]
    assert [(s.underline, s.bold, s.reverse) for s in drawn[3:]] == [
        (True, None, None),
        (None, True, True),
    ]
    assert not any(s.underline or s.reverse for s in drawn[:3])
    if colours != "none":
        assert len({str(style) for style in drawn}) == 5


@pytest.mark.parametrize("ground", [("true", True), ("true", False)])
def test_highlights_can_be_read(ground: tuple[styles.Colours, bool]) -> None:
    for level in range(1, styles.LEVELS + 1):
        style = styles.highlight_style(level, *ground)
        assert style.color is not None
        assert style.bgcolor is not None
        assert contrast(style.color.name.upper(), style.bgcolor.name.upper()) >= 4.5


def test_classes_are_fifths_of_the_scale() -> None:
    assert [color_scale.class_of(ENTROPY, v) for v in (-1, 0, 2.39, 2.4, 5, 9.59, 9.6, 99)] == [
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
        assert all(word in said for word in styles.WORDS.values())
        v.texts.legend.restyle(attention=True)
        await v.pilot.pause()
        assert "attended to:  little   some   much" in v.rows(v.texts.legend)[0]


@scenario
async def test_a_wide_legend_names_the_plane() -> None:
    async with viewing(size=(130, 24)) as v:
        assert "open: high H, low V" in v.rows(v.texts.legend)[0]
