"""How each look is drawn: colours for the terminal at hand, and cues that need no colour."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rich.style import Style

from entropix_mlx.palette import SIXTEEN, TRUECOLOR
from entropix_mlx.records import QUADRANTS, Quadrant

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
    """The style of a look: a quadrant, "answer", "user", "note" or "error"."""
    theme: Literal["dark", "light"] = "dark" if dark else "light"
    if look in QUADRANTS:
        quadrant: Quadrant = look
        if colours == "true":
            return Style.parse(TRUECOLOR[theme][quadrant].style)
        if colours == "sixteen":
            return Style.parse(SIXTEEN[theme][quadrant].style)
        return Style.parse(" ".join(TRUECOLOR[theme][quadrant].attributes) or "none")
    of_dark, of_light, plain = _OTHERS[look]
    return Style.parse(plain if colours != "true" else of_dark if dark else of_light)


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
    """The style of a strip's bars: entropy blue, varentropy red."""
    if colours == "none":
        return Style.null()
    if colours == "sixteen":
        return Style.parse(_SERIES_SIXTEEN[series])
    return Style.parse(_SERIES[series, dark])
