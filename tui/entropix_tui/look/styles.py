"""How each look is drawn: colours for the terminal at hand, and cues that need no colour."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rich.style import Style

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant
from entropix_mlx.terminal.palette import (
    PLAIN,
    RAMP,
    RAMP_PLAIN,
    RAMP_SIXTEEN,
    SIXTEEN,
    TRUECOLOR,
    Theme,
)
from entropix_tui.look import color_scale

Colours = Literal["true", "sixteen", "none"]
"""What the terminal has: at least 256 colours, the sixteen, or colour is not wanted."""

ENTROPY, VARENTROPY = "entropy", "varentropy"
_SERIES: dict[str, tuple[str, str, str, str]] = {
    # measure: (dark, light, sixteen on dark, sixteen on light)
    ENTROPY: ("#73ADF2", "#2F5FBF", "blue", "blue"),
    VARENTROPY: ("#FF8272", "#B3261E", "red", "red"),
    "surprisal": ("#FDB85F", "#8A5200", "yellow", "magenta"),
    "rank": ("#C9A7F5", "#6B3FA0", "magenta", "bright_magenta"),
    "attn entropy": ("#56D4C4", "#00706A", "cyan", "cyan"),
    "attn varentropy": ("#F39ACB", "#A0307A", "bright_magenta", "bright_red"),
    "agreement": ("#9BCB6B", "#3F6B14", "green", "green"),
    "interaction": ("#D9CF8B", "#6A6030", "bright_yellow", "bright_black"),
}

_OTHERS: dict[str, tuple[str, str, str]] = {
    # look: (dark, light, sixteen or none)
    "answer": ("#D6D6D6", "#1A1A1A", "none"),
    "MID": ("#D6D6D6", "#1A1A1A", "none"),
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


@lru_cache(256)
def style(look: str, colours: Colours, dark: bool) -> Style:
    """The style of a look: a quadrant, a class of the ramp, or a kind of block."""
    theme: Theme = "dark" if dark else "light"
    if look in QUADRANTS:
        quadrant: Quadrant = look
        cues = {"true": TRUECOLOR[theme], "sixteen": SIXTEEN[theme], "none": PLAIN}
        return Style.parse(cues[colours][quadrant].style)
    if look in color_scale.CLASSES:
        ramps = {"true": RAMP[theme], "sixteen": RAMP_SIXTEEN[theme], "none": RAMP_PLAIN}
        return Style.parse(ramps[colours][color_scale.CLASSES.index(look)].style)
    of_dark, of_light, plain = _OTHERS[look]
    return Style.parse(plain if colours != "true" else of_dark if dark else of_light)


@lru_cache(8)
def cursor_style(colours: Colours, dark: bool) -> Style:
    """The token cursor: a ground that nothing else has; without colours only it reverses."""
    if colours == "none":
        return Style(bold=True, dim=False, reverse=True)
    if colours == "sixteen":
        return Style.parse("not dim not underline black on green")
    return Style.parse("#101010 on #7BC47F" if dark else "#FFFFFF on #1E6B2E")


@lru_cache(32)
def series_style(series: str, colours: Colours, dark: bool) -> Style:
    """The style of a measure's bars; those of an unknown measure are plain."""
    if colours == "none" or series not in _SERIES:
        return Style.null()
    return Style.parse(_SERIES[series][2 * (colours == "sixteen") + (not dark)])


_HIGHLIGHTS: dict[str, tuple[str, str, str]] = {
    "dark": ("#E4DAFF on #35285A", "#FFFFFF on #6A4CC0", "bold #120820 on #C7A8FF"),
    "light": ("#2A1650 on #E6DCFB", "#1B0A3C on #BFA2F2", "bold #FFFFFF on #5A2FB0"),
    "sixteen": ("underline magenta", "black on magenta", "bold underline black on bright_magenta"),
    "none": ("underline", "bold underline", "bold italic underline"),
}
LEVELS = 3
"""Strengths of a highlight."""


@lru_cache(32)
def highlight_style(level: int, colours: Colours, dark: bool) -> Style:
    """What is laid over a token that is highlighted with strength 1 to `LEVELS`."""
    of = colours if colours != "true" else "dark" if dark else "light"
    return Style.parse(_HIGHLIGHTS[of][level - 1])


@lru_cache(32)
def match_style(current: bool, colours: Colours, dark: bool) -> Style:
    """What is laid over a found text, and over the one that was gone to."""
    if colours == "none":
        return Style.parse(
            "not dim bold underline reverse" if current else "not dim bold underline"
        )
    if colours == "sixteen":
        return Style.parse(f"not dim black on {'bright_yellow' if current else 'yellow'}")
    if dark:
        return Style.parse(f"#101010 on {'#FFE066' if current else '#B59A3C'}")
    return Style.parse("#FFFFFF on #7A5C00" if current else "#101010 on #F0DA8C")


MATCH_UNDER_CURSOR = Style(bold=True, underline=True)
"""The cursor's ground stays where a found text is under it."""
