"""Every style in every look: dark, light, the sixteen colours, none."""

import pytest
from eyes import GROUNDS, contrast, least_distance
from rich.style import Style

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.terminal.palette import TRUECOLOR, Theme
from entropix_tui.look import styles
from entropix_tui.look.color_scale import CLASSES
from entropix_tui.look.styles import Colours
from entropix_tui.screens.step import text as step_text
from entropix_tui.transcript.search import Finder
from entropix_tui.transcript.transcript import Transcript
from entropix_tui.widgets.strips import lane

LOOKS: dict[str, tuple[Colours, bool]] = {
    "dark": ("true", True),
    "light": ("true", False),
    "sixteen": ("sixteen", True),
    "sixteen-light": ("sixteen", False),
    "none": ("none", True),
    "none-light": ("none", False),
}

TEXT: dict[str, tuple[str, ...]] = {  # as LOOKS; the last stands for both without colours
    "LELV": ("#B5B8BA", "#56585B", "dim", "dim", "dim"),
    "HELV": ("italic #82B8DF", "italic #364AB5", "italic cyan", "italic blue", "italic"),
    "LEHV": ("#D8C0A1", "#6D3369", "yellow", "magenta", "none"),
    "HEHV": ("bold #F8A052", "bold #9B1207", "bold magenta", "bold red", "bold"),
    "class1": ("#7A76C6", "#937001", "none", "none", "dim"),
    "class2": ("#80A4CE", "#9B2A27", "cyan", "blue", "none"),
    "class3": ("#0BCFA5", "#6B2952", "green", "magenta", "italic"),
    "class4": (
        *("underline #D7D540", "underline #330097"),
        *("underline yellow", "underline red", "underline"),
    ),
    "class5": ("bold underline #FFFFB5", "bold underline #190042", *("bold underline",) * 3),
    "answer": ("#D6D6D6", "#1A1A1A", "none", "none", "none"),
    "user": ("bold #FFFFFF", "bold #000000", "bold", "bold", "bold"),
    "system": ("#B4AEA2", "#4A463E", "none", "none", "none"),
    "note": ("#838A91", "#5D5D5D", "none", "none", "none"),
    "error": ("bold #FF8272", "bold #B3261E", "bold", "bold", "bold"),
}
OVER: dict[str, tuple[str, ...]] = {  # what is laid over a text
    "cursor": (
        *("#101010 on #7BC47F", "#FFFFFF on #1E6B2E"),
        *("not dim not underline black on green",) * 2,
        "not dim bold reverse",
    ),
    "match": (
        *("#101010 on #B59A3C", "#101010 on #F0DA8C"),
        *("not dim black on yellow",) * 2,
        "not dim bold underline",
    ),
    "this match": (
        *("#101010 on #FFE066", "#FFFFFF on #7A5C00"),
        *("not dim black on bright_yellow",) * 2,
        "not dim bold underline reverse",
    ),
    "attended": (
        *("#E4DAFF on #35285A", "#2A1650 on #E6DCFB"),
        *("underline magenta",) * 2,
        "underline",
    ),
    "attended most": (
        *("bold #120820 on #C7A8FF", "bold #FFFFFF on #5A2FB0"),
        *("bold underline black on bright_magenta",) * 2,
        "bold italic underline",
    ),
}
BARS: dict[str, tuple[str, ...]] = {
    "entropy": ("#73ADF2", "#2F5FBF", "blue", "blue", "none"),
    "varentropy": ("#FF8272", "#B3261E", "red", "red", "none"),
}


def drawn(name: str, colours: Colours, dark: bool) -> Style:
    if name in TEXT:
        return styles.style(name, colours, dark)
    if name in BARS:
        return styles.series_style(name, colours, dark)
    of = {
        "cursor": lambda: styles.cursor_style(colours, dark),
        "match": lambda: styles.match_style(False, colours, dark),
        "this match": lambda: styles.match_style(True, colours, dark),
        "attended": lambda: styles.highlight_style(1, colours, dark),
        "attended most": lambda: styles.highlight_style(styles.LEVELS, colours, dark),
    }
    return of[name]()


@pytest.mark.parametrize("look", LOOKS)
def test_each_style_is_the_one_that_is_stated(look: str) -> None:
    column = min(list(LOOKS).index(look), 4)
    stated = {name: Style.parse(row[column]) for name, row in (TEXT | OVER | BARS).items()}
    assert {name: drawn(name, *LOOKS[look]) for name in stated} == stated


def test_every_quadrant_and_class_is_stated() -> None:
    assert {*QUADRANTS, *CLASSES} <= set(TEXT)


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_not_taken_yet_looks_like_no_token(look: str) -> None:
    colours, dark = LOOKS[look]
    painter = step_text._GhostPainter(Transcript(), Finder(Transcript()), colours)
    painter.dark = dark
    ghost = painter.style(step_text._GHOST)
    assert ghost
    assert ghost not in [styles.style(name, colours, dark) for name in (*QUADRANTS, *CLASSES)]
    assert painter.style("LEHV") == styles.style("LEHV", colours, dark)


@pytest.mark.parametrize("look", LOOKS)
def test_a_lane_says_which_is_active_and_where_the_cursor_is_without_colour(look: str) -> None:
    colours, dark = LOOKS[look]
    base = Style.parse("none")
    idle, active = (lane.looks("entropy", colours, dark, base, on) for on in (False, True))
    assert (idle.name.reverse, active.name.reverse) == (False, True)
    assert active.cursor.bold
    assert active.cursor.reverse if colours == "none" else active.cursor.color
    assert bool(active.prompt.dim) is (colours != "true"), "fainter than the answer"


@pytest.mark.parametrize("look", LOOKS)
def test_quadrants_are_told_apart_and_none_shouts(look: str) -> None:
    drawn = [styles.style(quadrant, *LOOKS[look]) for quadrant in QUADRANTS]
    assert len({str(style) for style in drawn}) == 4
    assert not any(style.reverse or style.bgcolor or style.underline for style in drawn)
    if LOOKS[look][0] == "none":
        assert all(style.color is None for style in drawn)


@pytest.mark.parametrize("theme", GROUNDS)
def test_quadrants_are_of_even_contrast_and_safe_for_all_eyes(theme: Theme) -> None:
    colours = [cue.color or "" for cue in TRUECOLOR[theme].values()]
    contrasts = [contrast(colour, GROUNDS[theme]) for colour in colours]
    assert min(contrasts) >= 7
    assert max(contrasts) <= 1.3 * min(contrasts)
    assert least_distance(colours) >= 12.5


@pytest.mark.parametrize("look", LOOKS)
def test_the_cursor_is_seen_on_whatever_it_lies(look: str) -> None:
    cursor = styles.cursor_style(*LOOKS[look])
    under = [
        *(styles.style(name, *LOOKS[look]) for name in (*QUADRANTS, *CLASSES)),
        *(styles.highlight_style(level, *LOOKS[look]) for level in (1, 2, 3)),
    ]
    drawn = [below + cursor for below in under]
    on_match = [style + styles.MATCH_UNDER_CURSOR for style in drawn]
    for style in (*drawn, *on_match):
        assert (style.reverse, style.bgcolor) == (cursor.reverse, cursor.bgcolor)
        assert not style.dim
    grounds = {(cursor.reverse, cursor.bgcolor)}
    assert grounds.isdisjoint((below.reverse, below.bgcolor) for below in under)
