"""What the sampler would take and why, and the candidates with the numbers that take them."""

import math
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.strip import Strip

from entropix_mlx.analysis.explain import why
from entropix_mlx.records.measures import probability
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.debugger.model import Debugging
from entropix_tui.look import styles
from entropix_tui.tokens import labels
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.widgets.inspector.candidates import CHOSEN, Candidates, bar
from entropix_tui.widgets.line_view import LineView

NUMBERED = 9
"""Candidates that a digit takes."""
COLUMNS = 70
"""Cells from which on the reasons stand beside the candidates."""
_LOOK = Binding.Group("back/on", compact=True)
_WORDS: dict[str, str] = {str(quadrant): word for quadrant, word in styles.WORDS.items()}


class Numbered(Candidates):
    """The candidates with their numbers; `▸` stands before what is proposed, or was taken."""

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

    def heading(self, width: int) -> str:
        if not self.count:
            return self._nothing
        token, bits, _ = self._columns(width)
        return f"  no {fit('candidate', token)}   raw drawn{'  bits' if bits else ''}"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        id_, text, logprob, final = self.listed[row]
        token, bits, cells = self._columns(width)
        chosen = self.record is not None and id_ == self.record.id
        number = f"{row + 1:>3} "
        surprise = f" {min(99.9, -logprob / math.log(2)):5.2f}" if bits else ""
        blue = styles.series_style(styles.ENTROPY, self.colours, self.app.current_theme.dark)
        bold = base + Style(bold=chosen or None)
        digit = base + (Style(bold=True) if row < NUMBERED else self.look("note"))
        return [
            Segment(CHOSEN if chosen else " ", bold),
            Segment(number, digit),
            Segment(fit(spelling(text, id_), token), bold),
            Segment(f" {percent(probability(logprob))} {percent(final)}{surprise} ", base),
            Segment(bar(final, cells), base + blue),
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

    def __init__(self, colours: styles.Colours) -> None:
        super().__init__(id="proposal")
        self.colours = colours
        self.candidates = Numbered(colours, id="candidates")
        self._why = _Why(colours)
        self._shown: tuple[TokenRecord | None, str] | None = None

    def compose(self) -> ComposeResult:
        yield self._why
        yield self.candidates

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= COLUMNS, "-columns")

    def show(self, said: Debugging) -> None:
        """What is proposed, or was taken where it is looked back at."""
        record = said.record
        if self._shown != (record, said.phase):
            self._shown = record, said.phase
            self.candidates.show(record)
        title = {"halted": "would take", "looking": "took"}.get(said.phase, "proposal")
        if title != self.border_title:
            self.border_title = title
        self._why.show(said)

    def candidate(self, row: int) -> int | None:
        """The id of a listed candidate."""
        listed = self.candidates.listed
        return listed[row][0] if 0 <= row < len(listed) else None


class _Why(LineView, can_focus=False):
    """The reasons, wrapped; scrolled by the mouse where they are too many."""

    DEFAULT_CSS = """
    _Why { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    def __init__(self, colours: styles.Colours) -> None:
        super().__init__()
        self.colours = colours
        self._what: tuple[TokenRecord | None, Settings | None, str, str] = (None, None, "", "")
        self._rows: list[Text] = []

    def show(self, said: Debugging) -> None:
        none = ""
        if said.record is None:
            none = (
                f"the answer is over: {said.finish}"
                if said.phase == "over"
                else "nothing is under way; a asks something"
            )
        what = (said.record, said.settings, said.reason, none)
        if what != self._what:
            self._what = what
            self._wrap()
            self.scroll_home(animate=False)

    def on_resize(self) -> None:
        self._wrap()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self._wrap()

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        self._rows = list(self.reasons().wrap(self.app.console, width)) if width > 0 else []
        self.measure(len(self._rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        if row >= len(self._rows):
            return Strip.blank(self.columns, self.base)
        strip = Strip(
            Segment(segment.text, self.base + (segment.style or Style.null()))
            for segment in self._rows[row].render(self.app.console)
        )
        return strip.crop_extend(0, self.columns, self.base)

    def reasons(self) -> Text:
        """What is proposed, how open it was, what ruled."""
        record, settings, reason, none = self._what
        dark = self.app.current_theme.dark
        if record is None:
            return Text(none)
        faint = styles.style("note", self.colours, dark)
        look = styles.style(record.quadrant or "answer", self.colours, dark)
        text = Text()
        text.append(f"“{labels.token(record)}”", look)
        if record.entropy is not None and record.varentropy is not None:
            text.append(f" H {record.entropy:.2f} V {record.varentropy:.2f}")
        text.append(f" {record.region or ''} {record.strategy or ''}\n", faint)
        if reason:
            text.append(f"{one_line(reason)}\n", "bold")
        lines = why(record, settings, words=_WORDS)
        for number, (kind, line) in enumerate(lines):
            end = "" if number + 1 == len(lines) else "\n"
            text.append(f"{line}{end}", faint if kind == "note" else "none")
        return text
