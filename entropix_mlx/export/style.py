"""How tokens look on paper: a letter for each quadrant, colours by theme, texts inside markup."""

import html
from functools import lru_cache

from entropix_mlx.export.passage import Cell, Passage
from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import FORCED
from entropix_mlx.terminal.glyphs import one_line, shown
from entropix_mlx.terminal.palette import TRUECOLOR, Theme

LETTERS: dict[str | None, str] = dict(zip(QUADRANTS, "abcd", strict=True))
"""Names of the quadrants' classes in pages and drawings; `n` has none."""

NONE = "n"
GROUND: dict[Theme, dict[str, str]] = {
    "light": {
        "ground": "#FFFFFF",
        "panel": "#F4F4F2",
        "edge": "#C9C9C4",
        "ink": "#1A1A1A",
        "faint": "#5D5D5D",
        "entropy": "#2F5FBF",
        "varentropy": "#B3261E",
        "cursor": "#1E6B2E",
        "on-cursor": "#FFFFFF",
    },
    "dark": {
        "ground": "#121212",
        "panel": "#1C1D1F",
        "edge": "#43464A",
        "ink": "#D6D6D6",
        "faint": "#9AA0A6",
        "entropy": "#73ADF2",
        "varentropy": "#FF8272",
        "cursor": "#7BC47F",
        "on-cursor": "#101010",
    },
}
"""What is not a quadrant's: names and colours."""


def classes(passage: Passage, cell: Cell) -> str:
    """A token's letter; `v` where there is a valley, `fc`, `fu` or `fe` if it was forced."""
    found = LETTERS.get(cell.token.quadrant, NONE)
    if cell.token.forced in FORCED:
        found += f" f{cell.token.forced[0]}"
    return found + " v" if passage.is_valley(cell) else found


def colours(theme: Theme) -> dict[str, str]:
    """Everything that has a colour, by name: the letters, too."""
    cues = TRUECOLOR[theme]
    letters = {LETTERS[quadrant]: cues[quadrant].color or "" for quadrant in QUADRANTS}
    return GROUND[theme] | letters | {NONE: GROUND[theme]["ink"]}


def attributes(letter: str) -> tuple[str, ...]:
    """The second cue of a quadrant's letter, the same in both themes."""
    return next((TRUECOLOR["dark"][q].attributes for q in QUADRANTS if LETTERS[q] == letter), ())


def text(value: str) -> str:
    """For the inside of an element: line breaks and tabs stay, other controls are shown."""
    return html.escape(shown(value), quote=False)


token = lru_cache(16384)(text)
"""The same for what comes again and again."""


def line(value: object) -> str:
    """A value of any kind on one line, also for an attribute in quotes."""
    return html.escape(one_line(str(value)))
