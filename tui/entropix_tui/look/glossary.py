"""What the signs on the screen mean, and the measures, in one line each."""

from collections.abc import Iterator

from entropix_mlx.terminal.glyphs import enclosed
from entropix_mlx.terminal.palette import FORCED, FORMING, VALLEY
from entropix_tui.tokens.measures import MEASURES

PLANE = (
    "The plane of entropy and varentropy is divided as the colours tell; while the sampler's page"
    " is open, into the sampler's bands, each by the name that its settings have."
)

MARKS: dict[str, str] = {
    VALLEY: "a valley: the entropy, averaged over the last 20 tokens or so, turned here from a fall"
    " into a rise",
    FORMING: "where a valley will be if the entropy rises again",
    "⠤": "the entropy's smoothed course, on which valleys are found",
    "┄": "where a strip's tokens change their quadrant, whatever else they are",
    **{
        sign: meaning
        for kind, meaning in {
            "clarify": "the sampler inserted this token to clarify",
            "user": "you chose this token: a branch began here",
            "exit": "the exit policy put this token in",
            "pause": "the sampler put this token in for the model to think a step longer",
        }.items()
        if (sign := FORCED.get(kind))
    },
    "▸": "the line of the token cursor",
    "↵": "a line break in the model's text",
    enclosed("E4 B8"): "bytes that are no character yet, or a control character by its number",
    "▲": "a value above the strip's scale, in the smoothed course's colour where both are",
    "…": "more than fits",
}


def measures() -> Iterator[tuple[str, str]]:
    """Each measure's name with its symbol, and what it says, with unit and scale."""
    for measure in MEASURES.values():
        scale = f"{measure.unit}, drawn from 0 to {measure.top:g}".removeprefix(", ")
        yield f"{measure.name} ({measure.symbol})", f"{measure.meaning} ({scale})"
