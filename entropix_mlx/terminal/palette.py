"""Colours of the four quadrants, safe for colour-blind eyes, each with a second cue.

Contrast and distances: WCAG against #121212 and white; the least CIEDE2000 between any two,
over normal, deutan, protan and tritan sight, is 17.9 (dark) and 18.2 (light). Sixteen-colour
terminals have a set of their own, because these values would collapse there.
"""

from typing import Literal, NamedTuple

from entropix_mlx.records.quadrants import Quadrant

Theme = Literal["dark", "light"]


class Cue(NamedTuple):
    """A colour (hexadecimal, or one of the sixteen names, or None) and text attributes."""

    color: str | None
    attributes: tuple[str, ...] = ()

    @property
    def style(self) -> str:
        """As a Rich style definition."""
        return " ".join((*self.attributes, *([self.color] if self.color else ()))) or "none"


TRUECOLOR: dict[Theme, dict[Quadrant, Cue]] = {
    "dark": {
        "LELV": Cue("#838A91"),
        "HELV": Cue("#73ADF2", ("italic",)),
        "LEHV": Cue("#FDB85F", ("underline",)),
        "HEHV": Cue("#FCF4D6", ("bold", "reverse")),
    },
    "light": {
        "LELV": Cue("#5D5D5D"),
        "HELV": Cue("#364491", ("italic",)),
        "LEHV": Cue("#771908", ("underline",)),
        "HEHV": Cue("#2A1026", ("bold", "reverse")),
    },
}

SIXTEEN: dict[Theme, dict[Quadrant, Cue]] = {
    "dark": {
        "LELV": Cue(None),
        "HELV": Cue("cyan", ("italic",)),
        "LEHV": Cue("yellow", ("bold", "underline")),
        "HEHV": Cue(None, ("reverse",)),
    },
    "light": {
        "LELV": Cue(None),
        "HELV": Cue("blue", ("italic",)),
        "LEHV": Cue("magenta", ("bold", "underline")),
        "HEHV": Cue(None, ("reverse",)),
    },
}

VALLEY = "▾"
FORCED: dict[str, str] = {"clarify": "¿", "user": "†", "exit": "‡"}
"""What is drawn before a token that the model did not choose."""
