"""The debugger's screen: the text, what would be taken next, and what is known of the place."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.timer import Timer

from entropix_tui.debugger.model import Debugging
from entropix_tui.engine.outputs import (
    Inspected,
    Loading,
    Output,
    Ready,
    Renewed,
    Restored,
    Scored,
    Unsaved,
)
from entropix_tui.screens.step.actions import ASKS, StepActions
from entropix_tui.screens.step.keys import KEYS, TASKS
from entropix_tui.screens.step.pages import StepBranches
from entropix_tui.screens.step.proposal import Numbered
from entropix_tui.screens.step.status import LogTail
from entropix_tui.screens.step.text import StepText
from entropix_tui.widgets.inspector.attended import Attended
from entropix_tui.widgets.inspector.futures import FuturesTable
from entropix_tui.widgets.inspector.lens import LensTable
from entropix_tui.widgets.inspector.waterfall import WaterfallTable
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.points import PointsList
from entropix_tui.widgets.rows import Rows
from entropix_tui.widgets.status import progress

DEBOUNCE = 0.1
"""Seconds that it stands somewhere before what is costly is asked for."""


class StepScreen(StepActions):
    """The tree of `debugging` is the chat's, which adds each record before it is given to `take`;
    its model reads `context` tokens at most. `debug` sends a line to the debugger, whose outputs
    come to `take`, each batch followed by `flush`; `stop` halts what runs. `first` are the lines
    that are sent at once; without any a prompt is asked for.
    """

    AUTO_FOCUS = "#candidates"
    BINDING_GROUP_TITLE = "The debugger"
    BINDINGS = KEYS
    TASKS = TASKS
    DEFAULT_CSS = """
    StepScreen {
        layout: vertical; overflow: hidden;
        #top { height: 1fr; layout: vertical; }
        #top > StepText { height: 1fr; width: 1fr; }
        #top > Proposal { height: 8; width: 100%; }
        &.-wide #top { layout: horizontal; }
        &.-wide #top > Proposal { width: 62; height: 1fr; margin-left: 1; }
        #tail { height: 1; }
        &.-high #tail { height: 3; }
        Pages { height: 1; }
        &.-paged Pages { height: 1fr; }
        &.-low.-paged #top { display: none; }
        &.-high.-narrow.-paged Pages { height: 18; }
    }
    """

    def __init__(
        self,
        debugging: Debugging,
        context: int | None,
        first: Sequence[str] = (),
        *,
        debug: Callable[[str], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__(debugging, context, debug=debug, stop=stop)
        self.first = first
        self.tail = LogTail(debugging)
        self._timer: Timer | None = None
        self._logged = 0
        self._highlighted: object = None

    def compose(self) -> ComposeResult:
        yield self.status
        with Container(id="top"):
            yield self.text
            yield self.proposal
        yield self.pages
        yield self.tail
        yield self.command
        yield KeyBar()

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        for line in self.first:
            self.send(line)
        if not self.first:
            self.begin(ASKS["ask"])
        if self.has_class("-high"):
            self.open_page("waterfall")
            if self.first:
                self.proposal.candidates.focus()
        self.flush()

    # What comes.

    def take(self, output: Output) -> None:
        """Take in one output; it is shown by `flush`."""
        match output:
            case Ready():
                self.debugging.settings, self.debugging.seed = output.settings, output.header.seed
                self.debugging.waiting, self.status.context = "", output.context
            case Loading():  # of the model, or of the prompt while that is read
                self.debugging.waiting = progress(output)
            case Restored() | Renewed() | Inspected() | Unsaved() | Scored():
                pass
            case told:
                self.debugging.waiting = ""
                self.debugging.take(told)

    def flush(self) -> None:
        """Show what has come, and ask for what the open page needs, once it stands still."""
        if not self.is_mounted:
            return
        debugging = self.debugging
        self.text.show(debugging.cursor)
        self.proposal.show(debugging)
        self.pages.show(debugging)
        self.status.refresh()
        if debugging.logged != self._logged:
            self._tell(debugging.logged - self._logged)
            self._logged = debugging.logged
        self._highlight()
        self._want()
        self.show_vocabulary()
        self.settle_focus()
        self.tell_offers()

    def _tell(self, lines: int) -> None:
        """Show the newest lines; where there is no room for them, on their own page."""
        self.tail.refresh()
        answer = self.focused is self.command.field
        if answer and lines > max(1, self.tail.size.height) and self.pages.page != "log":
            self.open_page("log")

    def _highlight(self) -> None:
        """Mark what was attended to, while its page is open."""
        shown = self.debugging.inspection if self.pages.page == "attention" else None
        if shown is not None and (
            self.debugging.why_not("attention") or not self.debugging.is_fresh("attention")
        ):
            shown = None
        if shown is not self._highlighted:
            self._highlighted = shown
            weights = self.pages.attention.attended.weights
            self.text.highlight(weights if shown is not None else None)

    @property
    def is_about_to_ask(self) -> bool:
        """Whether something costly is asked for if it stands still."""
        return self._timer is not None

    def _want(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        page = self.pages.page
        if page is not None and self.debugging.wants(page) is not None:
            self._timer = self.set_timer(DEBOUNCE, self._ask)

    def _ask(self) -> None:
        self._timer = None
        page = self.pages.page
        line = None if page is None else self.debugging.wants(page)
        if line is not None:
            self.send(line, silent=True)

    def on_resize(self) -> None:
        self.call_after_refresh(self.settle_focus)

    # What its parts want.

    def on_rows_taken(self, event: Rows.Taken) -> None:
        event.stop()
        match event.rows:
            case Numbered():
                self.action_take(event.row + 1)
            case WaterfallTable(listed=tokens):
                self.take_token(*tokens[event.row])
            case LensTable(listed=layers):
                self.take_token(*layers[event.row].candidates[0][:2])
            case FuturesTable(listed=futures):
                self.take_token(*futures[event.row].candidate[:2])
            case StepBranches():
                self.switch_branch()
            case PointsList():
                self.switch_point()
            case Attended() as attended:
                self.look_at(attended.listed[event.row][1])

    def on_step_text_chosen(self, event: StepText.Chosen) -> None:
        event.stop()
        self.look_at(event.ref)
