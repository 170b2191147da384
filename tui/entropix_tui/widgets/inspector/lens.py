"""The logit lens: what each layer would have said, and how sure of it it was."""

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from entropix_tui.look import styles
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.tokens.measures import ENTROPY
from entropix_tui.widgets.inspector.candidates import bar
from entropix_tui.widgets.rows import Bar, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entropix_mlx.records.inspection import LayerSaid

_FIRST = 22
"""Cells of a row but for its bar and its tokens."""


class LensTable(Rows["LayerSaid"]):
    """A row a layer, the last one at the bottom; entropies on the scale of all entropies."""

    BINDING_GROUP_TITLE = "What each layer would have said"

    def show(self, layers: "Sequence[LayerSaid]") -> None:
        """Others; with as many layers as before the cursor stays where it is."""
        known = len(self.listed) == len(layers)
        self.listed = layers
        self.changed(row=None if known else len(layers) - 1)

    def heading(self, width: int) -> str:
        if not self.listed:
            return ""
        cells = self._bar(width)
        scale = fit(f"0 {'─' * max(0, cells - 5)} {ENTROPY.top:g}", cells)
        return f"layer {scale}  bits    rank  would have said"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        layer, cells = self.listed[row], self._bar(width)
        blue = self.series(styles.ENTROPY)
        bold = base + Style(bold=layer.rank == 0 or None)
        segments = [
            Segment(f"{row:>5} ", base + self.look("note")),
            Bar(bar(layer.entropy / ENTROPY.top, cells), base + blue),
            Segment(f" {layer.entropy:5.2f} {layer.rank + 1:>7,}  ", bold),
        ]
        left = width - _FIRST - cells
        for number, (id_, text, _, p) in enumerate(layer.candidates):
            token = fit(spelling(text, id_), 10)
            if left < 17:
                break
            left -= 17
            segments.append(Segment(token, bold if number == 0 else base))
            segments.append(Segment(f" {percent(p)} ", base + self.look("note")))
        return segments

    def _bar(self, width: int) -> int:
        """Cells of an entropy's bar."""
        return max(8, min(24, width // 5))
