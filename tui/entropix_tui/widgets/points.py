"""The breakpoints: what each waits for, how often it was met, switched and deleted by a key."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from entropix_mlx.debugger.breakpoints import BreakpointInfo
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.rows import Rows

ON, OFF = "●", "○"


class PointsList(Rows[BreakpointInfo]):
    """In the order in which they were made."""

    BINDING_GROUP_TITLE = "The breakpoints"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "On or off", id="step.point_switch",
                tooltip="Enable or disable the breakpoint"),
        Binding("x,delete", "screen.delete_point", "Delete", id="step.point_delete",
                tooltip="Delete the breakpoint"),
        Binding("i", "screen.ignore_point", "Let pass", id="step.point_ignore",
                tooltip="Let so many more hits pass"),
    ]  # fmt: skip

    def show(self, points: Sequence[BreakpointInfo]) -> None:
        """The list as it is now; the cursor stays on its breakpoint."""
        at = self.current
        self.listed = points
        same = [row for row, p in enumerate(points) if at is not None and p.number == at.number]
        self.changed(row=same[0] if same else None)

    def heading(self, width: int) -> str:
        return f"  {fit('no', 4)} {fit('halts at', max(8, width - 28))}  hits  lets pass"

    def nothing(self) -> str:
        return "  Nothing halts it: B adds a breakpoint, such as  entropy > 3 and rank > 1"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        point = self.listed[row]
        faint = base + self.look("note")
        return [
            Segment(f"{ON if point.enabled else OFF} {point.number:<4} ", base),
            Segment(
                fit(one_line(point.line), max(8, width - 28)), base if point.enabled else faint
            ),
            Segment(f" {point.hits:>5}  {point.passes or '-':>9}", faint),
        ]
