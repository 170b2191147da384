"""The conversation's screen: it drains the engine twenty times a second and shows what came."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.conversation.demos import DEMOS
from entropix_tui.conversation.feed import Feed
from entropix_tui.conversation.history import History
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import (
    Failed,
    Inspected,
    Loading,
    Output,
    Ready,
    Renewed,
    Restored,
    Unsaved,
)
from entropix_tui.look import styles
from entropix_tui.screens.chat.keys import KEYS
from entropix_tui.screens.chat.screens import ScreenActions
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.plane.plane import QuadrantPlane
from entropix_tui.widgets.prompt import Prompt
from entropix_tui.widgets.sampler.panel import SamplerPanel
from entropix_tui.widgets.side import SidePanel
from entropix_tui.widgets.status import StatusLine
from entropix_tui.widgets.strips.strips import Strips
from entropix_tui.widgets.summary import RunSummary
from entropix_tui.widgets.text.legend import Legend
from entropix_tui.widgets.text.markdown_view import MarkdownView
from entropix_tui.widgets.text.search import SearchBar
from entropix_tui.widgets.text.token_view import TokenView
from entropix_tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.screens.step.step import StepScreen

TICK = 1 / 20
"""Seconds between two looks at what has come: faster than anyone reads."""

QUIET = 6
"""After so many ticks without anything new the instruments show the last that came."""


class ChatScreen(ScreenActions):
    """Status, strips, text with its panel, legend, prompt, keys."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012
    AUTO_FOCUS = "#prompt"
    BINDING_GROUP_TITLE = "The conversation"
    BINDINGS = KEYS

    class News(Message):
        """Something has come out of the engine."""

    UNOFFERED: ClassVar[frozenset[str]] = frozenset()
    """Commands of the palette that this screen has no use for."""
    DEFAULT_CSS = """
    ChatScreen {
        layout: vertical;
        #body { height: 1fr; layout: vertical; }
        #stage { height: 1fr; width: 1fr; }
        #stage > TokenView { height: 1fr; }
        &.-high #stage { margin-top: 1; }
        &.-wide #body { layout: horizontal; }
    }
    """

    def __init__(
        self,
        engine: Engine,
        colours: styles.Colours,
        *,
        max_tokens: int,
        archive: "Archive | None" = None,
        history: History | None = None,
        demo: str | None = None,
        step: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.engine = engine
        self.colours = colours
        self.max_tokens = max_tokens
        self.archive = archive
        self.conversation = Conversation()
        self.feed = Feed(self.conversation)
        self.prompt = Prompt(history, id="prompt")
        self.status = StatusLine(self.conversation, id="status")
        self.strips = Strips(colours, id="strips")
        self.welcome = Welcome(self.conversation, colours, id="welcome")
        self.tokens = TokenView(self.conversation.transcript, colours, id="tokens")
        self.markdown = MarkdownView(self.tokens, id="markdown")
        self.search = SearchBar(self.tokens, id="search")
        self.plane = QuadrantPlane(colours, id="plane")
        self.summary = RunSummary(colours, id="summary")
        self.inspector = Inspector(colours, self._text_at, id="inspector")
        self.sampler = SamplerPanel(colours, id="sampler")
        self.side = SidePanel(self.plane, self.summary, self.inspector, self.sampler)
        self.legend = Legend(colours, id="legend")
        self._instruments = (self.strips, self.plane, self.summary)
        self._pending = DEMOS[demo].prompt if demo else None
        self._first_steps = list(step)
        self._branch = self.conversation.branch  # the branch that the instruments show
        self._stale = False  # whether the instruments are still to be given the branch in view
        self._hinted = ""
        self._quiet = 0  # ticks since something came

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.strips
        with Container(id="body"):
            with Vertical(id="stage"):
                yield self.welcome
                yield self.tokens
                yield self.markdown
                yield self.search
            yield self.side
        yield self.legend
        yield self.prompt
        yield KeyBar()

    def on_mount(self) -> None:
        if self._pending:
            self.prompt.put(self._pending)
        self.show_stage()
        self.hint()
        self.engine.listen(self._ring)
        self.begin()
        if self._first_steps:
            self.call_after_refresh(lambda: self.step(self._first_steps))
        self.set_interval(TICK, self.drain)

    def begin(self) -> None:
        # The first paint comes first: loading holds the interpreter for a while.
        self.call_after_refresh(self.engine.start)

    @property
    def focus_chain(self) -> list[Widget]:
        """As the Tab key goes: from the prompt to the text, to the panel, to the strips."""
        chain = super().focus_chain
        if self.strips in chain and self.home in chain:
            chain.remove(self.strips)
            chain.insert(chain.index(self.home), self.strips)
        return chain

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_side)

    def _text_at(self, index: int, nth: int) -> str:
        return lookup.text_of(self.conversation.tree, TokenRef(index, nth))

    # What comes out of the engine.

    def drain(self) -> None:
        """Take in what has come out since the last tick, as one batch."""
        self.feed.add(self.coming())
        batch = self.feed.batch()
        if batch:
            self._take(batch)
        # Instruments repaint together with the text: a picture's price is the number of them.
        self._quiet = 0 if batch else self._quiet + 1
        if (batch and self.feed.is_for_instruments) or self._quiet >= QUIET:
            for instrument in self._instruments:
                instrument.flush()

    def _ring(self) -> None:
        # Only what one waits for, key by key: being woken takes time from the engine's thread.
        if self.stepping is not None:
            self.post_message(self.News())

    def on_chat_screen_news(self) -> None:
        """A halt of the debugger is shown at once; the record before it needs no picture."""
        self.feed.add(self.coming())
        if not self.feed.is_mid_answer:
            self.drain()

    def coming(self) -> list[Output]:
        """What has come out since the last tick."""
        return self.engine.drain()

    def take(self, output: Output) -> None:
        """Take in one output, of a batch."""
        said = self.conversation
        settings = said.settings
        said.apply(output)
        if said.settings is not settings and said.settings is not None:
            self.use()
        match output:
            case PromptRecord() | TokenRecord() | Event() | End():
                if said.branch == self._branch and not self._stale:
                    for instrument in self._instruments:
                        instrument.take(output)
                if self.beside is not None:
                    self.beside.take(output)
            case Ready():
                self.use()
                if output.note and not said.is_empty:
                    self.app.notify(output.note, markup=False)
            case Inspected():
                self.inspected(output.inspection)
            case Unsaved():
                self.app.notify(output.message, severity="warning", markup=False, timeout=15)
            case Failed():
                self.fail(output)
        if self.stepping is not None:
            self._to_debugger(self.stepping, output)

    def _take(self, batch: list[Output]) -> None:
        for output in batch:
            self.take(output)
        if self.stepping is not None:
            self.stepping.flush()
        self._show_branch()
        self.tokens.update()
        self.show_stage()
        self.hint()
        self.go_back()
        self.send_pending()

    @property
    def is_current(self) -> bool:
        """Whether it can be seen. A screen counts as that where another one hides it, too: each
        change of this one would have all of that one painted anew.
        """
        if not super().is_current:
            return False
        stack = self.app.screen_stack
        return all(isinstance(screen, ModalScreen) for screen in stack[stack.index(self) + 1 :])

    def _to_debugger(self, stepping: "StepScreen", output: Output) -> None:
        match output:
            case Ready():
                stepping.begin_session(output)
            case Loading():
                stepping.wait_for(output)
            case Restored() | Renewed() | Inspected() | Unsaved():
                pass  # they are not about what it shows
            case told:
                stepping.take(told)

    def use(self) -> None:
        """Other settings are in force."""
        said = self.conversation
        if said.settings is None:
            return
        self.strips.use(said.settings)
        self.plane.use(said.settings)
        self.summary.facts(said.seed, said.context)
        self.tokens.fork_level = said.settings.helv_entropy
        self.sampler.show(said.settings, said.calibration)

    def fail(self, failed: Failed) -> None:
        self.app.notify(failed.message, severity="error", markup=False)
        if failed.scope == "aside":
            self._vocabulary = None
            self.inspector.fail(failed.message)
        self.take_back_unsent()

    def _show_branch(self) -> None:
        """Have the instruments show the branch in view, if it is another one."""
        said = self.conversation
        if said.branch == self._branch:
            return
        self._branch = said.branch
        self.close_markdown()
        ref = self.ref
        self.tokens.reset()
        if ref is None or not self.tokens.move_to(ref):
            self.look_at(None)
        # The text comes first: it is what one looks for. Its view gets its size with the next
        # refresh and is painted with the one after that.
        self._stale = True
        self.call_after_refresh(self.call_after_refresh, self._rebuild_instruments)

    def _rebuild_instruments(self) -> None:
        if self._stale:
            self._stale = False
            path, events = self.conversation.in_view()
            for instrument in self._instruments:
                instrument.rebuild(path, events)

    def show_turn(self) -> None:
        self.close_markdown()
        self._show_branch()
        self.tokens.follow = True
        self.tokens.update()
        self.show_stage()
        self.hint()

    def show_stage(self) -> None:
        """The text, its document, or what an empty conversation shows."""
        empty = self.conversation.is_empty
        tokens = not empty and not self.markdown.display
        if (self.welcome.display, self.tokens.display) != (empty, tokens):
            self.welcome.display, self.tokens.display = empty, tokens
        if empty:
            self.welcome.tell()

    def hint(self) -> None:
        """Say at the prompt what Enter would do."""
        self.status.tell()
        said = self.conversation
        hint = {
            "loading": "the model is loading: write on, Enter sends when it is ready",
            "reading": "Esc stops",
            "generating": "write on; Esc stops, then Enter sends",
            "failed": "Enter tries to load the model again",
        }.get(said.phase, "")
        if self.waits_to_send:
            hint = "sent as it stands when the model is ready"
        if said.can_go_on:
            hint = "Enter on an empty line continues the answer"
        if hint != self._hinted:
            self.prompt.border_subtitle = self._hinted = hint

    # What the user does.

    def own_commands(self) -> list[tuple[str, str, Callable[[], Any]]]:
        """Commands of the palette that only this screen has."""
        return []

    def on_prompt_submitted(self) -> None:
        self.action_submit()

    def on_welcome_chosen(self, event: Welcome.Chosen) -> None:
        self.send_when_ready(event.prompt)

    def action_demo(self, name: str) -> None:
        if self.conversation.is_empty:
            self.send_when_ready(DEMOS[name].prompt)

    def action_leave(self) -> None:
        """Escape: end or close the nearest thing that can be."""
        if self.focused is self.sampler and self.close_sampler():
            return
        if self.stop_or_leave() or self.close_sampler():
            return
        if self.tokens.cursor is not None:
            self.tokens.move_cursor(None)
        self.home.focus()
