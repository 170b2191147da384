"""What draws itself in the looks of the terminal at hand."""

from typing import cast

from rich.style import Style
from textual.widget import Widget

from entropix_mlx.records.quadrants import Quadrant, QuadrantSplit, word
from entropix_tui.look import styles
from entropix_tui.look.themes import ThemedApp


class Styled(Widget):
    """A widget that draws in its application's colours.

    The last among several bases: Textual takes a widget's default styles from the first.
    """

    ALLOW_SELECT = False

    @property
    def colours(self) -> styles.Colours:
        """What the terminal can show."""
        return cast("ThemedApp", self.app).colours

    @property
    def dark(self) -> bool:
        """Whether the theme is a dark one."""
        return cast("ThemedApp", self.app).dark

    @property
    def split(self) -> QuadrantSplit | None:
        """By which the tokens on screen are in their quadrants."""
        return cast("ThemedApp", self.app).split

    @property
    def cursor_look(self) -> Style:
        return styles.cursor_style(self.colours, self.dark)

    def look(self, name: str) -> Style:
        """A look that `styles.style` knows, in the present theme."""
        return styles.style(name, self.colours, self.dark)

    def word(self, quadrant: Quadrant | None) -> str:
        """What is said of a token of a quadrant, or of none."""
        return word(quadrant, self.split)

    def series(self, measure: str) -> Style:
        """The look of a measure's bars."""
        return styles.series_style(measure, self.colours, self.dark)
