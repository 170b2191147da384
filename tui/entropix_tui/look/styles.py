"""How each look is drawn: colours for the terminal at hand, and cues that need no colour."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rich.style import Style

from entropix_mlx.records.record import QUADRANTS, Quadrant
from entropix_mlx.terminal.palette import SIXTEEN, TRUECOLOR, Cue
from entropix_tui.look import color_scale

Colours = Literal["true", "sixteen", "none"]
"""What the terminal has: at least 256 colours, the sixteen, or colour is not wanted."""

WORDS: dict[Quadrant, str] = {"LELV": "sure", "HELV": "open", "LEHV": "fork", "HEHV": "lost"}
"""One word for each quadrant, for people who have never read about entropy."""

LETTERS: dict[Quadrant, str] = {"HELV": "o", "LEHV": "f", "HEHV": "L"}
"""Letters of the gutter; the sure ones have none."""

ENTROPY, VARENTROPY = "entropy", "varentropy"
_SERIES: dict[tuple[str, bool], str] = {
    (ENTROPY, True): "#73ADF2",
    (VARENTROPY, True): "#FF8272",
    (ENTROPY, False): "#2F5FBF",
    (VARENTROPY, False): "#B3261E",
}
_SERIES_SIXTEEN = {ENTROPY: "blue", VARENTROPY: "red"}

_OTHERS: dict[str, tuple[str, str, str]] = {
    # look: (dark, light, sixteen or none)
    "answer": ("#D6D6D6", "#1A1A1A", "none"),
    "user": ("bold #FFFFFF", "bold #000000", "bold"),
    "system": ("#B4AEA2", "#4A463E", "none"),
    "note": ("#838A91", "#5D5D5D", "none"),
    "error": ("bold #FF8272", "bold #B3261E", "bold"),
}


def detect(system: str | None, environ: Mapping[str, str] = os.environ) -> Colours:
    """The colours to use, by Rich's name of the terminal's colour system."""
    if environ.get("NO_COLOR"):
        return "none"
    return "sixteen" if system in (None, "standard", "windows") else "true"


def is_light(environ: Mapping[str, str]) -> bool:
    """Whether the terminal says that its background is light (`COLORFGBG`, as `15;0`)."""
    return environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


@lru_cache(256)
def style(look: str, colours: Colours, dark: bool) -> Style:
    """The style of a look: a quadrant, a class of the ramp, or a kind of block."""
    theme: Literal["dark", "light"] = "dark" if dark else "light"
    cue: Cue
    if look in QUADRANTS:
        quadrant: Quadrant = look
        cue = (SIXTEEN if colours == "sixteen" else TRUECOLOR)[theme][quadrant]
    elif look in color_scale.CLASSES:
        cue = (color_scale.SIXTEEN if colours == "sixteen" else color_scale.TRUECOLOR)[theme][
            color_scale.CLASSES.index(look)
        ]
    else:
        of_dark, of_light, plain = _OTHERS[look]
        return Style.parse(plain if colours != "true" else of_dark if dark else of_light)
    if colours == "none":
        return Style.parse(" ".join(cue.attributes) or "none")
    return Style.parse(cue.style)


@lru_cache(8)
def cursor_style(colours: Colours, dark: bool) -> Style:
    """The token cursor: a ground that no quadrant has; without colours it reverses."""
    if colours == "none":
        return Style(reverse=True)
    if colours == "sixteen":
        return Style.parse("not reverse not underline black on green")
    return Style.parse(f"not reverse {'#101010 on #7BC47F' if dark else '#FFFFFF on #1E6B2E'}")


@lru_cache(16)
def series_style(series: str, colours: Colours, dark: bool) -> Style:
    """The style of a strip's bars: entropy blue, varentropy red, others as plain text."""
    if colours == "none" or series not in _SERIES_SIXTEEN:
        return Style.null()
    if colours == "sixteen":
        return Style.parse(_SERIES_SIXTEEN[series])
    return Style.parse(_SERIES[series, dark])


_HIGHLIGHTS: dict[str, tuple[str, str, str]] = {
    "dark": ("#E4DAFF on #35285A", "#FFFFFF on #6A4CC0", "bold #120820 on #C7A8FF"),
    "light": ("#2A1650 on #E6DCFB", "#1B0A3C on #BFA2F2", "bold #FFFFFF on #5A2FB0"),
    "sixteen": ("underline magenta", "black on magenta", "bold underline black on bright_magenta"),
    "none": ("underline", "bold underline", "bold reverse"),
}
LEVELS = 3
"""Strengths of a highlight."""


@lru_cache(32)
def highlight_style(level: int, colours: Colours, dark: bool) -> Style:
    """What is laid over a token that is highlighted with strength 1 to `LEVELS`."""
    of = colours if colours != "true" else "dark" if dark else "light"
    return Style.parse("not reverse " * (level < 3 or of != "none") + _HIGHLIGHTS[of][level - 1])


@lru_cache(32)
def match_style(current: bool, colours: Colours, dark: bool) -> Style:
    """What is laid over a found text, and over the one that was gone to."""
    if colours == "none":
        return Style.parse("reverse bold underline" if current else "reverse")
    if colours == "sixteen":
        return Style.parse(f"not reverse black on {'bright_yellow' if current else 'yellow'}")
    if dark:
        return Style.parse(f"not reverse #101010 on {'#FFE066' if current else '#B59A3C'}")
    return Style.parse(f"not reverse {'#FFFFFF on #7A5C00' if current else '#101010 on #F0DA8C'}")
