"""What draws itself in the looks of the terminal at hand."""

from rich.style import Style
from textual.widget import Widget

from entropix_tui.look import styles


class Styled(Widget):
    """A widget that knows the terminal's colours."""

    ALLOW_SELECT = False

    def __init__(self, colours: styles.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.colours = colours

    @property
    def dark(self) -> bool:
        """Whether the theme is a dark one."""
        return self.app.current_theme.dark

    def look(self, name: str) -> Style:
        """A look that `styles.style` knows, in the present theme."""
        return styles.style(name, self.colours, self.dark)
