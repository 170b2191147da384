"""The base of the screens over a conversation: what comes is shown twenty times a second."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget

from entropix_tui.conversation.comparison import Existing, Side
from entropix_tui.conversation.feed import Feed
from entropix_tui.debugger.model import Debugging
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed, Output, TurnRecord
from entropix_tui.screens.conversation.offers import OfferingScreen
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.status import StatusLine, progress

if TYPE_CHECKING:
    from entropix_tui.screens.compare.compare import Compare
    from entropix_tui.screens.step.step import StepScreen

TICK = 1 / 20
"""Seconds between two looks at what has come: faster than anyone reads."""


class ConversationScreen(OfferingScreen):
    """Status, the view of the conversation, a line below it (`below`), keys.

    Subclasses say what is taken in of what comes, what another candidate for a token does (`fork`)
    and what Escape ends (`stop`). `max_tokens`: of an answer that the debugger goes on with.
    """

    DEFAULT_CSS = """
    ConversationScreen {
        layout: vertical; overflow: hidden;
        &.-high TextStage { margin-top: 1; }
        &.-wide ConversationView > #body { layout: horizontal; }
    }
    """

    name_branch: Callable[[int, str], None] | None = None
    """Told a branch's leaf and its new name; None: branches are not named here."""

    class News(Message):
        """Something has come out of the engine."""

    def __init__(
        self,
        engine: Engine,
        view: ConversationView,
        status: StatusLine,
        below: Widget,
        *,
        max_tokens: int,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.view, self.conversation = view, view.conversation
        self.feed = Feed(view.conversation)
        self.status = status
        self.below = below
        self.max_tokens = max_tokens
        self.beside: Compare | None = None
        """The comparison that is on the screen."""
        self.stepping: StepScreen | None = None
        """The debugger's screen, while it is open."""

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.view
        yield self.below
        yield KeyBar()

    def on_mount(self) -> None:
        self.tell()
        self.set_interval(TICK, self.drain)

    @property
    def focus_chain(self) -> list[Widget]:
        """As the Tab key goes: from home to the text, to the panel, to the strips."""
        chain, strips, home = super().focus_chain, self.view.strips, self.view.home
        if strips in chain and home in chain:
            chain.remove(strips)
            chain.insert(chain.index(home), strips)
        return chain

    def focus_next(self, selector: Any = "*") -> Widget | None:
        return self._entered(super().focus_next(selector))

    def focus_previous(self, selector: Any = "*") -> Widget | None:
        return self._entered(super().focus_previous(selector))

    def _entered(self, focused: Widget | None) -> Widget | None:
        """By Tab one comes to the text in order to look at a token."""
        if focused is self.view.tokens:
            self.view.tokens.enter()
        return focused

    @property
    def is_current(self) -> bool:
        """Whether it can be seen. A screen counts as that where another one hides it, too: each
        change of this one would have all of that one painted anew.
        """
        if not super().is_current:
            return False
        stack = self.app.screen_stack
        if self not in stack:  # one that is kept
            return False
        return all(isinstance(screen, ModalScreen) for screen in stack[stack.index(self) + 1 :])

    # What comes out of the engine.

    def coming(self) -> list[Output]:
        """What has come out since the last tick."""
        return self.engine.drain()

    def drain(self) -> None:
        """Take in what has come out since the last tick, as one batch, and show it."""
        self.feed.add(self.coming())
        batch = self.feed.batch()
        for output in batch:
            self.take(output)
        if batch:
            self.show_batch()
        if self.feed.is_for_instruments:
            self.view.flush()
        self.tell_offers()

    def _ring(self) -> None:
        # Only what one waits for, key by key: being woken takes time from the engine's thread.
        if self.stepping is not None:
            self.post_message(self.News())

    def on_conversation_screen_news(self) -> None:
        """A halt of the debugger is shown at once; the record before it needs no picture."""
        self.feed.add(self.coming())
        if not self.feed.is_mid_answer:
            self.drain()

    def take(self, output: Output) -> None:
        """Take in one output, of a batch."""
        self.view.take(output)
        if self.beside is not None and isinstance(output, TurnRecord | Failed):
            self.beside.take(output)
        self.debugger_take(output)

    def show_batch(self) -> None:
        """Show what was taken in."""
        if self.stepping is not None:
            self.stepping.flush()
        self.view.update()
        self.tell()

    def show_turn(self) -> None:
        """A turn has begun, or another branch is in view."""
        self.view.follow()
        self.tell()

    def tell(self) -> None:
        """Say around the view what has changed."""
        self.status.tell()

    # Keys.

    async def action_of(self, part: str, action: str) -> None:
        """An action of one of the parts, wherever the focus is."""
        await self.query_one(part).run_action(action)

    def action_cursor(self, step: int) -> None:
        self.view.tokens.move("token", step)

    def action_leave(self) -> None:
        """Escape: end or close the nearest thing that can be."""
        view, side = self.view, self.view.side
        if side.sampler.has_focus and side.close_sampler():
            return
        if self.stop() or side.close_sampler():
            return
        if view.tokens.cursor is not None:
            view.tokens.move_cursor(None)
        view.home.focus()

    def stop(self) -> bool:
        """End the nearest thing that can be ended; False if there is none."""
        return self.halt()

    def halt(self) -> bool:
        """Stop what runs; False if nothing does."""
        if self.stepping is None:
            return self.halt_answer()
        if self.stepping.debugging.running:
            self.stepping.stop_run()
            return True
        return False

    def halt_answer(self) -> bool:
        """Stop what runs outside of the debugger; False if nothing does."""
        raise NotImplementedError

    def action_export(self, suffix: str) -> None:
        """Write the conversation, or what is on the screen, to a file."""
        from entropix_tui.screens.save_as import save_conversation

        if self.conversation.header is None:
            self.refuse("There is nothing to export yet.")
        else:
            save_conversation(self.app, self.conversation.header, self.conversation.tree, suffix)

    def refuse(self, reason: str) -> None:
        """Say why something cannot be done."""
        self.notify(reason, severity="warning", markup=False)

    # What the view wants.

    def on_inspector_inspection_wanted(self, event: Inspector.InspectionWanted) -> None:
        self.engine.inspect(event.index)

    def on_inspector_candidate_taken(self, event: Inspector.CandidateTaken) -> None:
        self.fork(TokenRef(event.index), event.id)

    def on_conversation_view_vocabulary_known(
        self, event: ConversationView.VocabularyKnown
    ) -> None:
        from entropix_tui.screens.vocabulary import Vocabulary

        if self.is_current:
            screen = Vocabulary(event.record, event.inspection, takes=self.view.takes)
            self.app.push_screen(screen, self.fork_at(TokenRef(event.record.index)))

    def fork(self, ref: TokenRef, id: int) -> None:
        """Another candidate was chosen for a token."""
        raise NotImplementedError

    def fork_at(self, ref: TokenRef) -> Callable[[int | None], None]:
        """What a screen on which a candidate is chosen gives its answer to."""

        def fork(id: int | None) -> None:
            if id is not None:
                self.fork(ref, id)

        return fork

    # Branches.

    def action_branches(self) -> None:
        """List every way that this conversation has gone."""
        from entropix_tui.screens.branches import Branches

        def go(chosen: int | Existing | None) -> None:
            if isinstance(chosen, int):
                self.switch_to(chosen)
            elif chosen is not None:
                self.compare_with(self.conversation.side(chosen.leaf))

        screen = Branches(self.conversation.tree, name=self.name_branch)
        self.app.push_screen(screen, go)

    def switch_to(self, leaf: int) -> None:
        """Show another branch."""
        self.conversation.switch_to(leaf)
        self.show_turn()

    def compare_with(self, other: Side, here: Side | None = None) -> None:
        """Show the present branch, or another one (`here`), beside one more."""
        from entropix_tui.screens.compare.compare import Compare

        tree = self.conversation.tree
        here = here or self.conversation.side(tree.leaf_below(tree.leaf))
        self.beside = Compare(tree, here, other)
        self.app.push_screen(self.beside, self.compared)

    def compared(self, kept: int | None) -> None:
        """Go on with the branch that was kept; with none, the conversation is what it was."""
        self.beside = None
        if kept is not None and kept != self.conversation.tree.leaf:
            self.switch_to(kept)

    # The debugger.

    @property
    def has_session(self) -> bool:
        """Whether a model is there to be asked."""
        return self.conversation.phase not in ("loading", "failed")

    def step(self, lines: Sequence[str]) -> None:
        """Open the debugger; `lines` are its first commands."""
        from entropix_tui.screens.step.step import StepScreen

        conversation = self.conversation
        debugging = Debugging(
            conversation.tree,
            conversation.settings,
            conversation.seed,
            waiting="" if self.has_session else progress(conversation.loading),
        )

        def debug(line: str) -> None:
            self.engine.debug(line, max_tokens=self.max_tokens)

        def left(_: None) -> None:
            self.stepping = None
            self.engine.leave_debugger()

        self.stepping = StepScreen(
            debugging,
            conversation.context,
            lines,
            debug=debug,
            stop=self.engine.stop,
        )
        self.engine.listen(self._ring)
        self.app.push_screen(self.stepping, left)

    def debugger_take(self, output: Output) -> None:
        """Give the debugger's screen what has come, if it is open."""
        if self.stepping is not None:
            self.stepping.take(output)
