"""What the signs on the screen mean, and the measures, in one line each."""

from collections.abc import Iterator

from entropix_mlx.terminal.glyphs import enclosed
from entropix_mlx.terminal.palette import FORCED, VALLEY
from entropix_tui.tokens.measures import MEASURES

PLANE = (
    "The plane of entropy and varentropy is split at the model's calibrated centre; its quarters"
    " are the four colours."
)

MARKS: dict[str, str] = {
    VALLEY: "a valley: the entropy's smoothed course had its minimum here",
    **{
        sign: meaning
        for kind, meaning in {
            "clarify": "the sampler inserted this token to clarify",
            "user": "you chose this token: a branch began here",
            "exit": "the exit policy put this token in",
        }.items()
        if (sign := FORCED.get(kind))
    },
    "▸": "the line of the token cursor",
    "↵": "a line break in the model's text",
    enclosed("E4 B8"): "bytes that are no character yet, or a control character by its number",
    "▲": "a value above the strip's scale",
    "…": "more than fits",
}

_MEANINGS = {
    "entropy": "how undecided: 0 when certain, 3 when eight tokens would do alike",
    "varentropy": "how uneven the indecision: high when favourites stand before a long tail",
    "surprisal": "how unexpected the token itself was: 1 for a probability of 1/2, 10 for 1/1024",
    "rank": "the token's place among the candidates; the most likely is 1",
    "attn entropy": "over how much of the text the attention was spread, mean of all heads",
    "attn varentropy": "how uneven that spread was, mean of all heads",
    "agreement": "how alike the heads looked: 1 when all at the same tokens",
    "interaction": "how strongly the attention's scores differ",
    "strategy": "the sampler's rule that drew the token",
}


def measures() -> Iterator[tuple[str, str]]:
    """Each measure's name with its symbol, and what it says, with unit and scale."""
    for measure in MEASURES.values():
        meaning = _MEANINGS.get(measure.name, measure.name)
        scale = f"{measure.unit}, drawn from 0 to {measure.top:g}".removeprefix(", ")
        yield f"{measure.name} ({measure.symbol})", f"{meaning} ({scale})"
