"""Colours of the four quadrants: of even contrast, safe for colour-blind eyes, none of them loud.

A quadrant can be a third of a text, so none is drawn reversed or on a ground of its own: text stays
text, told apart by hue and weight. Against #121212 contrasts (WCAG 2.1) are 8.8 to 10.7, against
white 7.1 to 9.0; the least CIEDE2000 between any two, over normal, protan, deutan and tritan sight,
is 13.6 and 12.6. Sixteen-colour terminals have a set of their own, because these values would
collapse there, and so has a terminal without colours; in both of these no two quadrants have the
same weight and slant.
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
        "LELV": Cue("#B5B8BA"),
        "HELV": Cue("#82B8DF", ("italic",)),
        "LEHV": Cue("#D8C0A1"),
        "HEHV": Cue("#F8A052", ("bold",)),
    },
    "light": {
        "LELV": Cue("#56585B"),
        "HELV": Cue("#364AB5", ("italic",)),
        "LEHV": Cue("#6D3369"),
        "HEHV": Cue("#9B1207", ("bold",)),
    },
}

SIXTEEN: dict[Theme, dict[Quadrant, Cue]] = {
    "dark": {
        "LELV": Cue(None, ("dim",)),
        "HELV": Cue("cyan", ("italic",)),
        "LEHV": Cue("yellow"),
        "HEHV": Cue("magenta", ("bold",)),
    },
    "light": {
        "LELV": Cue(None, ("dim",)),
        "HELV": Cue("blue", ("italic",)),
        "LEHV": Cue("magenta"),
        "HEHV": Cue("red", ("bold",)),
    },
}

_RAMP_CUES: tuple[tuple[str, ...], ...] = ((), (), (), ("underline",), ("bold", "underline"))


def _ramp(*colours: str | None) -> tuple[Cue, ...]:
    return tuple(Cue(colour, cues) for colour, cues in zip(colours, _RAMP_CUES, strict=True))


RAMP: dict[Theme, tuple[Cue, ...]] = {
    "dark": _ramp("#7A76C6", "#80A4CE", "#0BCFA5", "#D7D540", "#FFFFB5"),
    "light": _ramp("#937001", "#9B2A27", "#6B2952", "#330097", "#190042"),
}
"""Of a measure, from little to much. Each class has a WCAG contrast of at least 4.5 against #121212
and white, growing from class to class; any two are at least 10 apart in CIEDE2000, over normal,
protan, deutan and tritan sight. The top two are underlined. Any class can be most of a text, of
some measure, so none is reversed.
"""

RAMP_SIXTEEN: dict[Theme, tuple[Cue, ...]] = {
    "dark": _ramp(None, "cyan", "green", "yellow", None),
    "light": _ramp(None, "blue", "magenta", "red", None),
}
RAMP_PLAIN = tuple(Cue(None, cues) for cues in (("dim",), (), ("italic",), *_RAMP_CUES[3:]))
"""Where colour is not wanted."""

PLAIN: dict[Quadrant, Cue] = {
    "LELV": Cue(None, ("dim",)),
    "HELV": Cue(None, ("italic",)),
    "LEHV": Cue(None),
    "HEHV": Cue(None, ("bold",)),
}
"""Where colour is not wanted."""

VALLEY, FORMING = "▾", "▿"
"""A valley of the entropy; one whose fall no rise has confirmed yet."""

FORCED: dict[str, str] = {"clarify": "¿", "user": "†", "exit": "‡", "pause": "‖"}
"""What is drawn before a token that the model did not choose."""
