"""The attention entropy of every head, a row a layer: where it collapses, where it drowns."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from entropix_mlx.records.inspection import Attention
from entropix_tui.look import styles
from entropix_tui.widgets.line_view import LineView

COLLAPSED, OVERLOADED = "•", "≈"
"""Signs of a head that looks at one place, and of one that looks everywhere alike."""
_LOW, _HIGH = 0.05, 0.95
_SHADES = "░▒▓█"
_LABEL = 3

State = Literal["collapsed", "overloaded"]


def shares(attention: Attention) -> list[list[float]]:
    """Each head's entropy as a share of the greatest possible, `log2(keys)`, by layer."""
    top = math.log2(attention.keys) if attention.keys > 1 else math.inf
    rows: list[list[float]] = attention.entropy.tolist()
    return [[min(1.0, max(0.0, bits / top)) for bits in row] for row in rows]


def state(attention: Attention, share: float) -> State | None:
    """Whether a head is at an end of the scale; with a single key there is none."""
    if attention.keys < 2 or _LOW <= share <= _HIGH:
        return None
    return "collapsed" if share < _LOW else "overloaded"


class AttentionMap(LineView, can_focus=True):
    """One cell a head, or two where there is room, on the fixed scale 0 to `log2(keys)`."""

    BINDING_GROUP_TITLE = "The map of the heads"
    BINDINGS: ClassVar = [
        Binding("up", "move(-1, 0)", "Layer before", show=False, id="attention.up"),
        Binding("down", "move(1, 0)", "Layer after", show=False, id="attention.down"),
        Binding("left", "move(0, -1)", "Head before", show=False, id="attention.left"),
        Binding("right", "move(0, 1)", "Head after", show=False, id="attention.right"),
        Binding("home", "move(0, -999)", "First head", show=False, id="attention.home"),
        Binding("end", "move(0, 999)", "Last head", show=False, id="attention.end"),
        Binding("pageup", "move(-8, 0)", "Layers up", show=False, id="attention.page_up"),
        Binding("pagedown", "move(8, 0)", "Layers down", show=False, id="attention.page_down"),
    ]
    DEFAULT_CSS = "AttentionMap { overflow-x: auto; }"

    @dataclass
    class HeadChosen(Message):
        """The cursor is on this head."""

        layer: int
        head: int

    def __init__(self) -> None:
        super().__init__()
        self.place = (0, 0)
        """Layer and head under the cursor."""
        self.attention: Attention | None = None
        self._shares: list[list[float]] = []

    def show(self, attention: Attention | None) -> None:
        """Another token's attention; the cursor stays on its head."""
        self.attention = attention
        self._shares = shares(attention) if attention else []
        self._measure()
        if attention:
            self._put(*self.place)
        self.refresh()

    @property
    def shape(self) -> tuple[int, int]:
        """How many layers, and heads in each."""
        return len(self._shares), len(self._shares[0]) if self._shares else 0

    @property
    def cell(self) -> int:
        """Cells a head takes."""
        return 2 if _LABEL + 2 * self.shape[1] <= self.scrollable_content_region.width else 1

    def state_at(self, layer: int, head: int) -> State | None:
        return None if self.attention is None else state(self.attention, self._shares[layer][head])

    def count(self, wanted: State) -> int:
        """How many heads are collapsed, or overloaded."""
        layers, heads = self.shape
        return sum(
            self.state_at(layer, head) == wanted for layer in range(layers) for head in range(heads)
        )

    def go(self, layer: int, head: int) -> None:
        """Put the cursor on a head, or on the nearest there is."""
        self._put(layer, head)
        self.post_message(self.HeadChosen(*self.place))

    def _put(self, layer: int, head: int) -> None:
        layers, heads = self.shape
        layer, head = max(0, min(layer, layers - 1)), max(0, min(head, heads - 1))
        self.place = layer, head
        cell = Region(_LABEL + head * self.cell, layer, self.cell, 1)
        # Forced: what is new here may not have its scroll bars yet.
        self.scroll_to_region(cell, animate=False, immediate=True, force=True)
        self.refresh()

    def action_move(self, layers: int, heads: int) -> None:
        if self._shares:
            self.go(self.place[0] + layers, self.place[1] + heads)

    def on_click(self, event: events.Click) -> None:
        layer = round(self.scroll_y) + event.y
        head = (round(self.scroll_x) + event.x - _LABEL) // self.cell
        layers, heads = self.shape
        if event.x >= _LABEL and layer < layers and head < heads:
            self.go(layer, head)

    def on_resize(self, _event: events.Resize) -> None:
        self._measure()

    def _measure(self) -> None:
        layers, heads = self.shape
        self.measure(layers, _LABEL + heads * self.cell)

    def render_line(self, y: int) -> Strip:
        width, base = self.scrollable_content_region.width, self.base
        layer = round(self.scroll_y) + y
        layers, heads = self.shape
        if not 0 <= layer < layers:
            return Strip.blank(width, base)
        label = Segment(f"{layer:>{_LABEL - 1}} ", base + self.look("note"))
        cells = Strip([self._cell(layer, head, base) for head in range(heads)])
        left = round(self.scroll_x)
        seen = cells.crop_extend(left, left + width - _LABEL, base)
        return Strip([label, *seen]).crop_extend(0, width, base)

    def _cell(self, layer: int, head: int, base: Style) -> Segment:
        share = self._shares[layer][head]
        found = self.state_at(layer, head)
        if (layer, head) == self.place:
            sign = "[]" if self.cell == 2 else "┼"
            mark = self.cursor_look
            bold = Style(bold=True)
            return Segment(sign, base + (mark if self.has_focus else bold))
        if found == "collapsed":
            return Segment(COLLAPSED.ljust(self.cell), base + self.look("LEHV"))
        if found == "overloaded":
            return Segment(OVERLOADED * self.cell, base + self.look("error"))
        shade = _SHADES[min(3, int(4 * (share - _LOW) / (_HIGH - _LOW)))]
        blue = self.series(styles.ENTROPY)
        return Segment(shade * self.cell, base + blue)
