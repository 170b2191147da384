"""One line that says what colour means: which measure, on which scale."""

from itertools import pairwise

from rich.text import Text
from textual.app import RenderResult

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.sampling.settings import declared
from entropix_mlx.terminal.palette import FORCED, VALLEY
from entropix_tui.look import color_scale, styles
from entropix_tui.tokens.measures import MEASURES
from entropix_tui.transcript.painter import LETTERS
from entropix_tui.widgets.styled import Styled

_PLANE = {
    "LELV": "low H, low V",
    "HELV": "high H, low V",
    "LEHV": "low H, high V",
    "HEHV": "high H, high V",
}
_STRENGTHS = ("little", "some", "much")
Sample = tuple[str, str, str]
"""A gutter's letter or none, what is said in the look, and the look."""


class Legend(Styled):
    """What colour says, always in sight."""

    DEFAULT_CSS = "Legend { height: 1; }"

    letters = False
    colour: color_scale.Colour = "quadrant"
    attention = False

    def on_mount(self) -> None:
        self.letters = self.colours == "none"

    def restyle(
        self,
        *,
        letters: bool | None = None,
        colour: color_scale.Colour | None = None,
        attention: bool | None = None,
    ) -> None:
        """Follow the text: its gutter, what it is coloured by, whether it shows attention."""
        self.letters = self.letters if letters is None else letters
        self.colour = self.colour if colour is None else colour
        self.attention = self.attention if attention is None else attention
        self.refresh()

    def render(self) -> RenderResult:
        width = self.size.width
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        if self.attention:
            text.append("attended to: ")
            for level, word in enumerate(_STRENGTHS, 1):
                style = styles.highlight_style(level, self.colours, self.dark)
                text.append(f" {word} ", style).append(" ")
            return text
        said, samples = self._samples(width)
        text.append(said)
        for letter, words, look in samples:
            if self.letters and letter:
                text.append(f"{letter}=")
            text.append(f" {words} ", self.look(look)).append(" ")
        for mark in (f" {VALLEY} valley", f"  {FORCED['clarify']} inserted"):
            if text.cell_len + len(mark) <= width:
                text.append(mark)
        return text

    def _samples(self, width: int) -> tuple[str, list[Sample]]:
        """The measure and its unit, and an example of each look."""
        if self.colour == "plain":
            return "colours are off: Ctrl+L shows how sure the model was of each token", []
        if self.colour == "quadrant":
            wide = width >= 126
            return "next token was " if wide else "", [
                (
                    styles.LETTERS.get(quadrant, ""),
                    styles.WORDS[quadrant] + (f": {_PLANE[quadrant]}" if wide else ""),
                    quadrant,
                )
                for quadrant in QUADRANTS
            ]
        if self.colour == "strategy":
            told = _told()
            letters = {str(look): letter for look, letter in LETTERS["strategy"].items()}
            return "strategy ", [
                (letters.get(look, ""), name, look)
                for name, look in color_scale.STRATEGIES.items()
                if name in told
            ]
        measure = MEASURES[self.colour]
        return f"{measure.name} {_unit(measure.unit)}", [
            (look[-1], words, look)
            for look, words in zip(
                color_scale.CLASSES, _ranges(color_scale.bounds(measure)), strict=True
            )
        ]


def _told() -> set[str]:
    """Strategies that have something to be told apart from."""
    return {
        name
        for sampler in declared().values()
        if len(sampler.strategies) > 1
        for name in sampler.strategies
    }


def _unit(unit: str) -> str:
    """Logarithms are for drawing: what is read are ranks."""
    return "" if not unit or unit == "log2" else f"({unit}) "


def _ranges(bounds: list[str]) -> list[str]:
    """How the classes are said: under the first bound, between two, from the last on."""
    between = [f"{low}-{high}" for low, high in pairwise(bounds)]
    return [f"<{bounds[0]}", *between, f"≥{bounds[-1]}"]
