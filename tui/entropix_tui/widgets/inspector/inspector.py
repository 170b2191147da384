"""Everything that can be known of one token: three pages, of which one is in sight."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from entropix_mlx.records.inspection import Attention, Inspection
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.valleys import Valley
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.inspector.attended import Attended, TextOf
from entropix_tui.widgets.inspector.attention_map import AttentionMap
from entropix_tui.widgets.inspector.attention_page import AttentionPage
from entropix_tui.widgets.inspector.candidates import Candidates, TrialCandidates
from entropix_tui.widgets.inspector.facts import Facts
from entropix_tui.widgets.inspector.trial import TrialBar
from entropix_tui.widgets.rows import Rows

Page = Literal["token", "candidates", "attention"]
PAGES: tuple[Page, ...] = get_args(Page)
DEBOUNCE = 0.15
"""Seconds that the cursor rests on a token before an inspection of it is asked for."""
COLUMNS = 70
"""Cells from which on a page has two columns."""

PARTS: dict[type[Widget], str] = {
    Facts: "what and why",
    Candidates: "candidates",
    TrialCandidates: "what if T",
    AttentionMap: "heads",
    Attended: "attended to",
}
"""Names of what can have the focus; one stands in the border, so that it is seen."""

GIVEN = "a prompt's token was given, not drawn: it has no inspection of its own"

_PAGE = Binding.Group("page", compact=True)


class Inspector(Container):
    """The panel beside the text, or the drawer under it.

    `text_of` gives the text of a position. An inspection is asked for only while a page that
    shows it is open; `fill` brings it, or `fail` the reason why there is none. A page that is not
    open is told nothing until it is.
    """

    BINDING_GROUP_TITLE = "The inspector"
    BINDINGS: ClassVar = [
        Binding(
            "left_square_bracket", "turn(-1)", "Page before", group=_PAGE, id="inspector.before"
        ),
        Binding("right_square_bracket", "turn(1)", "Page after", group=_PAGE, id="inspector.after"),
    ]
    DEFAULT_CSS = """
    Inspector {
        border: round $border-blurred; padding: 0 1; border-title-color: $foreground;
        border-subtitle-color: $foreground;
        &:focus-within { border: heavy $border; }
        & > Container { display: none; height: 1fr; width: 1fr; }
        & > Container.-open { display: block; }
        #inspector-token { layout: vertical; }
        #inspector-token Facts { height: 1fr; }
        /* A scroll bar that comes and goes would lay out the whole screen. */
        #inspector-token Candidates { height: auto; max-height: 50%; overflow-y: scroll; }
        #inspector-candidates TrialCandidates { height: 1fr; }
        &.-columns #inspector-token {
            layout: horizontal;
            Facts { width: 1fr; }
            Candidates { width: 1fr; height: 1fr; max-height: 100%; margin-left: 1; }
        }
        &.-columns #inspector-candidates TrialCandidates { overflow-y: scroll; }
    }
    """

    @dataclass
    class InspectionWanted(Message):
        """The open page needs an inspection of token record `index`."""

        index: int

    @dataclass
    class HighlightWanted(Message):
        """The tokens that were attended to, with their weights; None: highlight nothing."""

        weights: dict[TokenRef, float] | None

    @dataclass
    class CandidateTaken(Message):
        """Token record `index` is to be replaced by `id`, on a branch of its own."""

        index: int
        id: int

    @dataclass
    class SpotChosen(Message):
        """A token that was attended to, to be gone to."""

        ref: TokenRef

    def __init__(self, text_of: TextOf, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.page: Page = "token"
        self.record: TokenRecord | None = None
        self.inspection: Inspection | None = None
        self.scored = False
        """Whether tokens are a scored text's: each met a distribution, though none was drawn."""
        self._recorded: Attention | None = None
        self._settings: Settings | None = None
        self._before = ""
        self._valley: Valley | None = None
        self._failure = ""
        self._timer: Timer | None = None
        self._asked = False
        self._told: set[Page] = set()
        self._highlighted = False
        self._facts = Facts()
        self._short = Candidates()
        self._trial = TrialCandidates()
        self._bar = TrialBar()
        self._attention = AttentionPage(text_of, id="inspector-attention")

    def compose(self) -> ComposeResult:
        with Container(id="inspector-token"):
            yield self._facts
            yield self._short
        with Container(id="inspector-candidates"):
            yield self._bar
            yield self._trial
        yield self._attention

    def on_mount(self) -> None:
        self._open()
        self._tell()

    # What is shown.

    def show(
        self,
        record: TokenRecord | None,
        settings: Settings | None,
        before: str,
        recorded: Attention | None = None,
        valley: Valley | None = None,
    ) -> None:
        """Another token, or none; the settings in force at it, the text before it, and the valley
        that it is the minimum of, if it is.

        `recorded`: its attention, in case that no inspection can be had.
        """
        again = record is not None and record == self.record
        self._valley = valley
        self.record, self._settings, self._before = record, settings, before
        if again:
            self._told.discard("token")
            self._tell()
            return
        self.inspection, self._asked, self._failure = None, False, ""
        self._recorded = recorded
        self._told.clear()
        self._tell()
        self._highlight()
        self._want()

    def fill(self, inspection: Inspection) -> None:
        """Take in an inspection; one of another token is ignored."""
        if self.record is None or not self.can_inspect or inspection.index != self.record.index:
            return
        self.inspection = inspection
        self._told.clear()
        self._tell()
        self._highlight()

    def fail(self, message: str) -> None:
        """The inspection that was asked for cannot be had."""
        if self._asked and self.inspection is None:
            self._failure = message
            self._told.discard("attention")
            self._tell()

    @property
    def can_inspect(self) -> bool:
        """Whether the token was drawn, put in place of one, or scored: a prompt's are not."""
        record = self.record
        drawn = record is not None and (record.strategy is not None or record.forced is not None)
        return drawn or (record is not None and self.scored and record.entropy is not None)

    def forbid_taking(self) -> None:
        """No candidate can be put in a token's place here."""
        self._short.takes = self._trial.takes = False

    def open_page(self, page: Page) -> None:
        """Turn to a page; the focus goes along if it was in here."""
        inside = self.has_focus_within
        self.page = page
        self._tell()
        self._open()
        if inside:
            self.focus()
        self._highlight()
        self._want()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Focus what the page's keys are for."""
        target: Widget = {
            "token": self._short if self._short.count else self._facts,
            "candidates": self._trial,
            "attention": self._attention.map,
        }[self.page]
        target.focus(scroll_visible)
        return self

    def action_turn(self, step: int) -> None:
        self.open_page(PAGES[(PAGES.index(self.page) + step) % len(PAGES)])

    action_open_page = open_page

    def _open(self) -> None:
        for page in PAGES:
            self.query_one(f"#inspector-{page}").set_class(page == self.page, "-open")
        tabs = [
            Content(f" {page} ")
            .stylize("bold reverse" if page == self.page else "")
            .stylize(f"@click=open_page('{page}')")
            for page in PAGES
        ]
        self.border_title = Content("[").append(Content("│").join(tabs)).append("]")

    def _tell(self) -> None:
        """Have the open page show what is known, if it does not yet."""
        if self.page in self._told:
            return
        self._told.add(self.page)
        match self.page:
            case "token":
                attention = self.inspection.attention if self.inspection else self._recorded
                keys = attention.keys if attention else None
                self._facts.show(self.record, self._settings, self._before, keys, self._valley)
                self._short.show(self.record)
            case "candidates":
                self._trial.show(self.record, self.inspection)
                self._refresh_bar()
            case "attention":
                self._attention.show(self.inspection, self._why_not(), self._recorded)

    def on_resize(self, event: events.Resize) -> None:
        columns = event.size.width >= COLUMNS
        self.set_class(columns, "-columns")
        self._attention.set_class(columns, "-columns")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.border_subtitle = Content(f"▸ {PARTS.get(type(event.widget), 'focus')}")

    def on_descendant_blur(self) -> None:
        self.border_subtitle = Content("")

    # What is asked for.

    def on_show(self) -> None:
        self._want()

    def _needs(self) -> bool:
        return self.page != "token" and self.can_inspect and self.inspection is None

    def _want(self) -> None:
        """Ask for an inspection, once the cursor rests."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._needs() and not self._asked:
            self._timer = self.set_timer(DEBOUNCE, self._ask)

    def _ask(self) -> None:
        if self._needs() and self.display and self.record is not None:
            self._asked = True
            self.post_message(self.InspectionWanted(self.record.index))

    def _why_not(self) -> str:
        if self._failure:
            return self._failure
        if self.record is None:
            return "no token under the cursor"
        return "computing …" if self.can_inspect else GIVEN

    def _highlight(self) -> None:
        weights = self._attention.attended.weights if self.page == "attention" else {}
        if weights or self._highlighted:
            self._highlighted = bool(weights)
            self.post_message(self.HighlightWanted(weights or None))

    # What the pages say.

    def on_trial_bar_tried(self, event: TrialBar.Tried) -> None:
        """From the bar, or from the candidates' keys."""
        event.stop()
        self._trial.try_out(event.temperature)
        self._refresh_bar()

    def _refresh_bar(self) -> None:
        self._bar.put(self._trial.tried, self._trial.scope)

    def on_rows_taken(self, event: Rows.Taken) -> None:
        event.stop()
        match event.rows:
            case Attended() as attended:
                self.post_message(self.SpotChosen(attended.listed[event.row][1]))
            case Candidates() as candidates if self.record is not None and self.can_inspect:
                id_ = candidates.listed[event.row][0]
                if id_ != self.record.id:
                    self.post_message(self.CandidateTaken(self.record.index, id_))
