"""Another candidate for a token: a list to choose from, over the chat."""

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.measures import probability
from entropix_mlx.records.record import TokenRecord
from entropix_tui.look import styles
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.widgets.inspector.candidates import CHOSEN, bar, ranks
from entropix_tui.widgets.rows import Bar, Rows


class CandidatePicker(ModalScreen[int | None]):
    """Gives the id that is to stand in the token's place, or None.

    The recorded candidates; with an inspection, which may come later (`fill`), the vocabulary's
    whole head. Typing filters by text, `#` and digits by id.
    """

    AUTO_FOCUS = "Input"
    BINDING_GROUP_TITLE = "Choosing a candidate"
    BINDINGS: ClassVar = [
        Binding("escape", "dismiss", "Close", id="picker.close"),
        Binding("up", "move(-1)", "Up", show=False, priority=True, id="picker.up"),
        Binding("down", "move(1)", "Down", show=False, priority=True, id="picker.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, priority=True, id="picker.page_up"),
        Binding(
            "pagedown", "page(1)", "Page down", show=False, priority=True, id="picker.page_down"
        ),
    ]
    DEFAULT_CSS = """
    CandidatePicker { align: center middle; }
    CandidatePicker Vertical {
        width: 64; max-width: 100%; height: 24; max-height: 100%;
        border: round $border; background: $surface; padding: 0 1;
        border-title-color: $foreground;
    }
    CandidatePicker Input { background: $panel; }
    CandidatePicker Rows { height: 1fr; }
    """

    def __init__(self, record: TokenRecord, inspection: Inspection | None = None) -> None:
        super().__init__()
        self.record = record
        self._list = _Candidates(record)
        self._list.always_marked = True
        self._given = inspection

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "another token here"
            box.border_subtitle = "Enter takes it, on a branch of its own; Esc closes"
            yield Input(placeholder="type to filter, #id for an id", compact=True)
            yield self._list

    def on_mount(self) -> None:
        if self._given is not None:
            self.fill(self._given)
        else:
            self._list.filter("")

    def fill(self, inspection: Inspection) -> None:
        """List the vocabulary's head; an inspection of another token is ignored."""
        if inspection.index == self.record.index:
            self._list.extend(inspection)
            self._list.filter(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._list.filter(event.value)

    def on_input_submitted(self) -> None:
        self._list.action_take()

    def on_rows_taken(self, event: Rows.Taken) -> None:
        event.stop()
        self.dismiss(self._list.listed[event.row].id)

    def action_move(self, step: int) -> None:
        self._list.action_move(step)

    def action_page(self, step: int) -> None:
        self._list.action_page(step)


class _Row(NamedTuple):
    """One candidate; `final` is None where the record doesn't say."""

    id: int
    text: str
    p: float
    rank: int
    final: float | None

    def matches(self, wanted: str) -> bool:
        if wanted.startswith("#") and wanted[1:].isdecimal():
            return str(self.id).startswith(wanted[1:])
        return wanted.casefold() in self.text.casefold()


class _Candidates(Rows[_Row], can_focus=False):
    def __init__(self, record: TokenRecord) -> None:
        super().__init__()
        self.record = record
        self._recorded = [
            _Row(id_, text, probability(logprob), rank, final)
            for rank, (id_, text, logprob, final) in zip(
                ranks(record), record.candidates, strict=True
            )
        ]
        self._all = self._recorded
        self.listed = self._all

    def extend(self, inspection: Inspection) -> None:
        """The head, and what was recorded besides."""
        finals = {row.id: row.final for row in self._recorded}
        head = [
            _Row(id_, text, p, rank, finals.get(id_))
            for rank, (id_, text, _, p) in enumerate(inspection.head, 1)
        ]
        listed = {row.id for row in head}
        self._all = head + [row for row in self._recorded if row.id not in listed]

    def filter(self, wanted: str) -> None:
        """The cursor goes to what stands there now, or to the first match."""
        self.listed = [row for row in self._all if row.matches(wanted)]
        now = [n for n, row in enumerate(self.listed) if row.id == self.record.id]
        self.changed(row=now[0] if now and not wanted else 0)

    def heading(self, width: int) -> str:
        names = f"   rank     id {fit('token', self._token_cells(width))}   raw drawn"
        return names if self.count else "   no candidate has this in it"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        one = self.listed[row]
        now = one.id == self.record.id
        cells = self._token_cells(width)
        blue = self.series(styles.ENTROPY)
        drawn = "    -" if one.final is None else percent(one.final)
        mark = CHOSEN if now else " "
        text = f"{mark}{one.rank:>6} {one.id:>6} {fit(spelling(one.text, one.id), cells)}"
        return [
            Segment(text, base + Style(bold=now or None)),
            Segment(f" {percent(one.p)} {drawn} ", base),
            Bar(bar(one.p, max(0, width - cells - 28)), base + blue),
        ]

    def _token_cells(self, width: int) -> int:
        return max(4, min(24, (width - 28) * 2 // 3))
