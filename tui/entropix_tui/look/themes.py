"""The program's themes, and the application that has them."""

from collections.abc import Sequence

from textual import events
from textual.app import App
from textual.filter import LineFilter
from textual.geometry import Size
from textual.theme import Theme

from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_tui.look.styles import Colours
from entropix_tui.terminal.door import Door
from entropix_tui.terminal.size import bounded

# The palette's contrasts are computed against these backgrounds.
DARK = Theme(
    name="entropix-dark",
    primary="#73ADF2",
    accent="#FDB85F",
    foreground="#D6D6D6",
    background="#121212",
    surface="#121212",
    panel="#1E1E1E",
    error="#FF8272",
    warning="#FDB85F",
    success="#7BC47F",
    variables={"border-blurred": "#4A4F55", "scrollbar-background": "#121212"},
    dark=True,
)
LIGHT = Theme(
    name="entropix-light",
    primary="#364491",
    accent="#771908",
    foreground="#1A1A1A",
    background="#FFFFFF",
    surface="#FFFFFF",
    panel="#EDEDED",
    error="#B3261E",
    warning="#771908",
    success="#1E6B2E",
    variables={"border-blurred": "#B9BEC4", "scrollbar-background": "#FFFFFF"},
    dark=False,
)


class ThemedApp(App[None]):
    """Knows what its terminal can show, whether its ground is dark, and what quadrants are called.

    Its screens have classes by their size (`-narrow` or `-wide`, `-low` or `-high`), which has a
    bound.
    """

    # Below, a notice would cover what is being written.
    CSS = """
    ToastRack { dock: top; align: right top; margin: 1 0 0 0; max-height: 50%; }
    Toast { margin: 0 0 1 0; padding: 0 1; }
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012

    def __init__(self, colours: Colours = "true", *, dark: bool = True) -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self.colours: Colours = colours
        self.split: QuadrantSplit | None = PROVISIONAL.split
        """By which the tokens on screen are in their quadrants; None: nobody has said."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.set_dark(dark)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), Door()]

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Resize):  # what is typed may say one, too
            event.size = Size(*bounded(*event.size))
        await super().on_event(event)

    def set_dark(self, dark: bool) -> None:
        self.dark = dark
        family = "entropix" if self.colours == "true" else "ansi"
        self.theme = f"{family}-{'dark' if dark else 'light'}"
