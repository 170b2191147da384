"""The tokens that a model did not expect, the most surprising first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message

from entropix_mlx.analysis.surprise import Surprise
from entropix_mlx.records.measures import class_of
from entropix_tui.look.color_scale import CLASSES
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.tokens.measures import MEASURES
from entropix_tui.widgets.rows import Rows

_SURPRISAL = MEASURES["surprisal"]
_PLACE, _BITS = 5, 6


class Surprises(Rows[Surprise]):
    """A row each: its place in the ranking, the token, its bits, what was expected instead, and
    where there is room the words before it. The cursor is shown without the focus, too.
    """

    BINDING_GROUP_TITLE = "The surprises"
    HELP = "What the model did not expect, the most surprising first; the text's cursor follows."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "To the text", id="surprises.take",
                tooltip="Go on in the text, at this token"),
    ]  # fmt: skip
    DEFAULT_CSS = "Surprises { border-top: solid $border-blurred; }"
    always_marked = True

    @dataclass
    class Moved(Message):
        """The cursor is on another surprise."""

        surprise: Surprise

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._before: list[str] = []
        self.note = ""
        """What is said in place of a list."""

    def show(self, found: Sequence[Surprise], text: str) -> None:
        """The surprises of a text, which `text` is the whole of."""
        self.listed = found
        self._before = [text[max(0, one.at - 200) : one.at] for one in found]
        self.changed(row=0)
        self.scroll_home(animate=False)

    def go(self, row: int) -> None:
        super().go(row)
        if (one := self.current) is not None:
            self.post_message(self.Moved(one))

    def heading(self, width: int) -> str:
        token, expected, before = self._columns(width)
        if not self.count:
            return ""
        where = "  after" if before else ""
        return (
            f"{'':{_PLACE}} {fit('most surprising', token)} {'bits':>{_BITS}}"
            f"  {fit('expected instead', expected + 6)}{where}"
        )

    def nothing(self) -> str:
        return f" {self.note}"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        one, (token, expected, before) = self.listed[row], self._columns(width)
        look = self.look(CLASSES[class_of(_SURPRISAL, one.bits)])
        label = fit(spelling(one.token, one.record.id), token)
        said = label.rstrip()
        segments = [
            Segment(f"{row + 1:>{_PLACE}} ", base + self.look("note")),
            Segment(said, base + look),
            Segment(" " * (len(label) - len(said)), base),
            Segment(f" {one.bits:{_BITS}.2f}  ", base),
            Segment(fit(spelling(one.expected, one.record.candidates[0][0]), expected), base),
            Segment(f" {percent(one.p)}", base),
        ]
        if before:
            words = spelling(self._before[row], 0) if self._before[row] else ""
            segments.append(Segment(f"  {_end(words, before)}", base + self.look("note")))
        return segments

    def _columns(self, width: int) -> tuple[int, int, int]:
        """Cells of the token, of what was expected, and of what stands before it."""
        left = width - _PLACE - _BITS - 10
        token = max(15, min(24, left * 2 // 5))
        expected = max(4, min(18, left - token))
        before = left - token - expected - 2
        return token, expected, before if before >= 12 else 0


def _end(words: str, cells: int) -> str:
    """The last words of them, as many as have room."""
    found = words.replace("␣", " ").split()
    whole = cell_len(" ".join(found)) <= cells
    while len(found) > 1 and cell_len(" ".join(found)) > cells - 2 * (not whole):
        del found[0]
    return fit(("" if whole else "… ") + " ".join(found), cells)
