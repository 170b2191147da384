"""What the sampler would take and why, and the candidates with the numbers that take them."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from entropix_mlx.analysis.explain import why
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.debugger.model import Debugging
from entropix_tui.tokens import labels
from entropix_tui.widgets.inspector.candidates import Candidates
from entropix_tui.widgets.wrapped import WrappedText

NUMBERED = 9
"""Candidates that a digit takes."""
COLUMNS = 70
"""Cells from which on the reasons stand beside the candidates."""
_LOOK = Binding.Group("back/on", compact=True)


class Numbered(Candidates):
    """The candidates with their numbers; `▸` stands before what is proposed, or was taken."""

    PLACE = "no"
    BINDING_GROUP_TITLE = "The candidates of the halt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take", id="step.candidate_take",
                tooltip="Take this candidate; the proposed one as the sampler's own"),
        # Lists scroll by these keys, where there is anything to scroll to.
        Binding("left", "screen.go('back')", "Back", id="step.candidates_back", group=_LOOK,
                tooltip="Look at the token before, without a model call"),
        Binding("right", "screen.forward", "On", id="step.candidates_forward", group=_LOOK,
                tooltip="Look at the token after"),
    ]  # fmt: skip

    def _candidate(
        self, row: int, cells: int, base: Style, *, rank: bool = False
    ) -> Sequence[Segment]:
        (whole,) = super()._candidate(row, cells, base, rank=rank)
        digit = base + (Style(bold=True) if row < NUMBERED else self.look("note"))
        mark, label = whole.text[0], whole.text[1:]
        return [
            Segment(mark, whole.style),
            Segment(f"{row + 1:>3} ", digit),
            Segment(label, whole.style),
        ]


class Proposal(Container):
    """Why, and below or beside it the candidates."""

    DEFAULT_CSS = """
    Proposal {
        layout: vertical; border-top: solid $border-blurred; border-title-color: $foreground;
        padding: 0 1;
        &:focus-within { border-top: heavy $border; }
        _Why { height: 9; }
        Numbered { height: 1fr; }
        &.-columns {
            layout: horizontal;
            _Why { width: 1fr; height: 1fr; }
            Numbered { width: 1fr; height: 1fr; margin-left: 1; }
        }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="proposal")
        self.candidates = Numbered(id="candidates")
        self._why = _Why()
        self._shown: tuple[TokenRecord | None, str] | None = None

    def compose(self) -> ComposeResult:
        yield self._why
        yield self.candidates

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= COLUMNS, "-columns")

    def show(self, debugging: Debugging) -> None:
        """What is proposed, or was taken where it is looked back at."""
        record = debugging.told
        if self._shown != (record, debugging.phase):
            self._shown = record, debugging.phase
            self.candidates.show(record)
        if record is None:
            title = "over" if debugging.phase == "over" else "proposal"
        else:
            title = "would take" if record is debugging.proposal else "took"
        if title != self.border_title:
            self.border_title = title
        self._why.show(debugging)

    def candidate(self, row: int) -> int | None:
        """The id of a listed candidate."""
        listed = self.candidates.listed
        return listed[row][0] if 0 <= row < len(listed) else None


class _Why(WrappedText, can_focus=False):
    """The reasons; scrolled by the mouse where they are too many."""

    _what: tuple[TokenRecord | None, Settings | None, str, str] = (None, None, "", "")

    def show(self, debugging: Debugging) -> None:
        none = ""
        if debugging.told is None:
            if debugging.phase == "over":
                none = "w halts before its last token again; a asks something more"
            elif debugging.waiting or debugging.running:
                none = debugging.why_not("proposal")
            else:
                none = "nothing is under way; a asks something"
        what = (debugging.told, debugging.settings, debugging.reason, none)
        if what != self._what:
            self._what = what
            self.lay_out()
            self.scroll_home(animate=False)

    def text(self) -> Text:
        """What is proposed, how open it was, what ruled."""
        record, settings, reason, none = self._what
        if record is None:
            return Text(none)
        faint = self.look("note")
        text = Text().append(f"“{labels.token(record)}”", self.look(record.quadrant or "answer"))
        if record.entropy is not None and record.varentropy is not None:
            text.append(f" H {record.entropy:.2f} V {record.varentropy:.2f}")
        if record.quadrant:
            text.append(" ").append(self.word(record.quadrant), self.look(record.quadrant))
        text.append(f" {record.strategy or ''}\n", faint)
        if reason:
            text.append(f"{one_line(reason)}\n", "bold")
        lines = why(record, settings)
        for number, (kind, line) in enumerate(lines):
            end = "" if number + 1 == len(lines) else "\n"
            text.append(f"{line}{end}", faint if kind == "note" else "none")
        return text
