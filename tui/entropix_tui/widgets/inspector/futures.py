"""One step further for each of the most likely tokens: what would come, and how sure of it."""

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from entropix_tui.look import styles
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.tokens.measures import ENTROPY, VARENTROPY
from entropix_tui.widgets.inspector.candidates import CHOSEN, bar
from entropix_tui.widgets.rows import Bar, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entropix_mlx.records.inspection import Future


class FuturesTable(Rows["Future"]):
    """A row a candidate; `▸` stands before the one that is proposed."""

    BINDING_GROUP_TITLE = "One step further"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take", id="step.future_take", tooltip="Take this token")
    ]

    token: int | None = None

    def show(self, futures: "Sequence[Future]", token: int | None) -> None:
        """Others, and the id that is proposed."""
        self.listed, self.token = futures, token
        self.changed()

    def heading(self, width: int) -> str:
        if not self.listed:
            return ""
        token, cells = self._columns(width)
        scale = fit(f"H 0-{ENTROPY.top:g}", cells)
        spread = fit(f"V 0-{VARENTROPY.top:g}", cells)
        return f" {fit('if', token)}     p {scale}  bits {spread} bits²  then"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        future = self.listed[row]
        id_, text, _, p = future.candidate
        token, cells = self._columns(width)
        chosen = id_ == self.token
        label = f"{CHOSEN if chosen else ' '}{fit(spelling(text, id_), token)}"
        segments = [Segment(f"{label} {percent(p)} ", base + Style(bold=chosen or None))]
        for series, measure, value in (
            (styles.ENTROPY, ENTROPY, future.entropy),
            (styles.VARENTROPY, VARENTROPY, future.varentropy),
        ):
            look = base + self.series(series)
            segments += [
                Bar(bar(value / measure.top, cells), look),
                Segment(f" {value:5.2f} ", base),
            ]
        segments.append(Segment(" ", base))
        left = width - token - 22 - 2 * cells
        for number, (other, said, _, share) in enumerate(future.then):
            if left < 15:
                break
            left -= 15
            segments.append(Segment(fit(spelling(said, other), 8), base + Style(bold=not number)))
            segments.append(Segment(f" {percent(share)} ", base + self.look("note")))
        return segments

    def _columns(self, width: int) -> tuple[int, int]:
        """Cells of a candidate, and of a bar."""
        return max(8, min(20, width // 6)), max(5, min(16, width // 9))
