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

_RAMP_CUES: tuple[tuple[str, ...], ...] = ((), (), (), ("underline",), ("bold", "reverse"))


def _ramp(*colours: str | None) -> tuple[Cue, ...]:
    return tuple(Cue(colour, cues) for colour, cues in zip(colours, _RAMP_CUES, strict=True))


RAMP: dict[Theme, tuple[Cue, ...]] = {
    "dark": _ramp("#7A76C6", "#80A4CE", "#0BCFA5", "#D7D540", "#FFFFB5"),
    "light": _ramp("#937001", "#9B2A27", "#6B2952", "#330097", "#190042"),
}
"""Of a measure, from little to much. Contrast grows from class to class; neighbours are at least 12
apart in CIEDE2000, any two as well, over normal, protan, deutan and tritan sight.
"""

RAMP_SIXTEEN: dict[Theme, tuple[Cue, ...]] = {
    "dark": _ramp(None, "cyan", "green", "yellow", None),
    "light": _ramp(None, "blue", "magenta", "red", None),
}

VALLEY = "▾"
FORCED: dict[str, str] = {"clarify": "¿", "user": "†", "exit": "‡"}
"""What is drawn before a token that the model did not choose."""
