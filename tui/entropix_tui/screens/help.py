"""The help screen: keys, marks, and what the colours measure."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from entropix_mlx.palette import CAPTIONS
from entropix_mlx.records import QUADRANTS
from entropix_tui import cues
from entropix_tui.glyphs import enclosed
from entropix_tui.transcript import FORCED, VALLEY

KEYS = (
    ("Enter", "send; Ctrl+J or Shift+Enter begins a new line"),
    ("Esc", "stop generating or loading; otherwise leave the token cursor"),
    ("Up, Down", "in the prompt's first or last line: what was sent before"),
    ("PgUp, PgDn", "scroll the conversation"),
    ("Ctrl+Left, Right", "move by token and show its record (while nothing is being written)"),
    ("Tab", "to the conversation: arrows scroll and move by token there"),
    ("F2 to F5", "a demo prompt, while the conversation is empty"),
    ("Ctrl+Y", "copy the last answer (OSC 52: works over SSH)"),
    ("Ctrl+L", "colours by quadrant on or off"),
    ("Ctrl+G", "letters beside each line that name its quadrants"),
    ("Ctrl+T", "dark or light"),
    ("Ctrl+N", "a new conversation with the same model"),
    ("Ctrl+P", "every command by name"),
    ("Ctrl+Q", "quit"),
)

MEASURES = (
    "Entropy (H, bits) says how undecided the model was about the next token: 0 when it is certain,"
    " 3 when eight tokens would do alike. Varentropy (V, bits²) says how uneven that indecision"
    " is: high when a few clear favourites stand against a long tail. The plane of the two is"
    " split at the model's calibrated centre."
)


class Help(ModalScreen[None]):
    """Over the conversation; any of the keys that open it closes it."""

    BINDINGS: ClassVar = [Binding("escape,f1,question_mark,q", "dismiss", "Close")]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $border; background: $surface; padding: 0 1; scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, colours: cues.Colours) -> None:
        super().__init__()
        self.colours = colours

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            yield Static(self._text())

    def _text(self) -> Text:
        dark = self.app.current_theme.dark
        text = Text()
        for key, meaning in KEYS:
            text.append(f"{key:<20}", "bold").append(f"{meaning}\n")
        text.append("\n")
        for quadrant in QUADRANTS:
            text.append(f" {cues.WORDS[quadrant]} ", cues.style(quadrant, self.colours, dark))
            letter = cues.LETTERS.get(quadrant)
            text.append(f"  {CAPTIONS[quadrant]}")
            text.append(f" (letter {letter})\n" if letter else "\n")
        text.append(f"{VALLEY}  a valley: the entropy's smoothed course had its minimum here\n")
        text.append(f"{FORCED['clarify']}  a token that the sampler inserted to clarify\n")
        text.append(
            f"↵  a line break; {enclosed('E4 B8')} bytes or controls that are no character\n\n"
        )
        return text.append(MEASURES)
