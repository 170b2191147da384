"""One line that says what colour means: which measure, on which scale."""

from itertools import pairwise

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant, QuadrantSplit, above
from entropix_mlx.sampling.settings import declared
from entropix_mlx.terminal.palette import FORCED, FORMING, VALLEY
from entropix_tui.look import color_scale, styles
from entropix_tui.tokens.measures import MEASURES
from entropix_tui.transcript.painter import letters
from entropix_tui.widgets.styled import Styled

_STRENGTHS = ("little", "some", "much")
WIDE = 140
"""Cells from which on it says where on the plane a quadrant is."""
BAR = "▅"
Sample = tuple[str, str, str]
"""A gutter's letter or none, what is said in the look, and the look."""


class Legend(Styled):
    """What colour says, always in sight."""

    DEFAULT_CSS = "Legend { height: 1; }"

    letters = False
    colour: color_scale.Colour = "quadrant"
    attention = False
    prompts = False
    """Whether tokens of prompts were measured."""
    inserted = False
    """Whether a sampler inserted any."""

    def on_mount(self) -> None:
        self.letters = self.colours == "none"

    def restyle(
        self,
        *,
        letters: bool | None = None,
        colour: color_scale.Colour | None = None,
        attention: bool | None = None,
        prompts: bool | None = None,
        inserted: bool | None = None,
    ) -> None:
        """Follow the text: its gutter, what it is coloured by, whether it shows attention, what
        kinds of tokens it has.
        """
        self.inserted = self.inserted if inserted is None else inserted
        self.prompts = self.prompts if prompts is None else prompts
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
        bar = self.look("note") + Style(dim=self.colours != "true" or None)
        for sign, meaning, drawn in (
            (VALLEY, "valley", Style.null()),
            (FORMING, "forming", Style.null()),
            (FORCED["clarify"], "inserted", Style.null()),
            (BAR, "prompt", bar),
        ):
            if not {"inserted": self.inserted, "prompt": self.prompts}.get(meaning, True):
                continue
            if text.cell_len + len(meaning) + 4 <= width:
                text.append(f" {sign}", drawn).append(f" {meaning} ")
        return text

    def _samples(self, width: int) -> tuple[str, list[Sample]]:
        """The measure and its unit, and an example of each look."""
        if self.colour == "plain":
            return "colours are off: Ctrl+L shows how sure the model was of each token", []
        initials: dict[str, str] = dict(letters(self.colour, self.split).items())
        if self.colour == "quadrant":
            wide = width >= WIDE
            return "the choice was " if wide else "", [
                (
                    initials.get(quadrant, ""),
                    self.word(quadrant) + (f": {_place(quadrant, self.split)}" if wide else ""),
                    quadrant,
                )
                for quadrant in QUADRANTS
            ]
        if self.colour == "strategy":
            told = _told()
            return "strategy ", [
                (initials.get(look, ""), name, look)
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


def _place(quadrant: Quadrant, split: QuadrantSplit | None) -> str:
    """Where on the plane it is, in a few signs."""
    high, wide = above(quadrant)
    if split is not None and quadrant in split.corners:
        h, v = split.corners[quadrant]
        return f"H {'<>'[high]} {h:.3g}, V {'<>'[wide]} {v:.3g}"
    if split is None or split.entropy is None:
        return f"{'high' if high else 'low'} H, {'high' if wide else 'low'} V"
    return f"H {'≥' if high else '<'} {split.entropy:.3g}, V {'wide' if wide else 'usual'}"


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
