"""One row on which a trial temperature is set: what if T were ...?"""

from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.message import Message

from entropix_tui.look.temperature import HIGHEST, LOWEST, STEP, nearest
from entropix_tui.widgets.styled import Styled

_LEFT, _RIGHT = "◂", "▸"
_BEFORE = "what if T = "
_RULE = len(_BEFORE) + 9
"""Column at which the scale begins."""

_TRIAL = Binding.Group("what if T", compact=True)


def trial_keys(owner: str) -> list[BindingType]:
    """Keys for what has an action `warm(step)`, to be rebound as `owner.cooler` and so on."""
    return [
        Binding("left", f"warm({-STEP})", "Cooler", group=_TRIAL, id=f"{owner}.cooler"),
        Binding("right", f"warm({STEP})", "Hotter", group=_TRIAL, id=f"{owner}.hotter"),
        Binding(
            "shift+left", f"warm({-5 * STEP})", "Much cooler", show=False, id=f"{owner}.much_cooler"
        ),
        Binding(
            "shift+right", f"warm({5 * STEP})", "Much hotter", show=False, id=f"{owner}.much_hotter"
        ),
    ]


class TrialBar(Styled):
    """For the mouse: its arrows step, its scale sets, its wheel turns. Keys are the page's.

    `note` stands at the right end: over what the probabilities are normalised.
    """

    DEFAULT_CSS = "TrialBar { height: 1; width: 1fr; }"

    @dataclass
    class Tried(Message):
        """Another temperature is to be tried."""

        temperature: float

    temperature = 1.0
    note = ""

    def put(self, temperature: float, note: str) -> None:
        self.temperature, self.note = temperature, note
        self.refresh()

    def render(self) -> RenderResult:
        faint = self.look("note")
        text = Text(_BEFORE, no_wrap=True, overflow="crop")
        text.append(f"{_LEFT} {self.temperature:4.2f} {_RIGHT} ", Style(bold=True))
        length = self._length
        if length > 1:
            share = (self.temperature - LOWEST) / (HIGHEST - LOWEST)
            at = round(share * (length - 1))
            text.append("─" * at, faint).append("●").append("─" * (length - 1 - at), faint)
        return text.append(f" {self.note}", faint)

    @property
    def _length(self) -> int:
        """Cells of the scale; none where there is no room."""
        return max(0, min(30, self.size.width - _RULE - len(self.note) - 2))

    def _try(self, temperature: float) -> None:
        self.post_message(self.Tried(nearest(temperature)))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        x, length = event.x, self._length
        if x >= _RULE and length > 1:
            share = min(x - _RULE, length - 1) / (length - 1)
            self._try(LOWEST + share * (HIGHEST - LOWEST))
        elif len(_BEFORE) <= x < _RULE:
            self._try(self.temperature + (STEP if x >= len(_BEFORE) + 4 else -STEP))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._try(self.temperature + STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._try(self.temperature - STEP)
