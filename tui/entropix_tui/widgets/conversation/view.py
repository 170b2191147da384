"""A conversation looked at: text, strips, figures, and the one cursor that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from entropix_mlx.records.inspection import Attention, Inspection
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import Failed, Inspected, Output
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.side import SidePanel
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.strips.strips import Strips
from entropix_tui.widgets.text.legend import Legend
from entropix_tui.widgets.text.stage import TextStage
from entropix_tui.widgets.text.token_view import TokenView

if TYPE_CHECKING:
    from entropix_tui.look.themes import ThemedApp

NO_TOKEN = "Put the cursor on a token first (Ctrl+Left)."
GIVEN = "A prompt's token was given, not drawn"


class ConversationView(Container):
    """Strips, the text with its panel, the legend. It changes nothing of the conversation but by
    taking in (`take`) what comes out of the engine.

    `home` has the focus when nothing in here is gone to; `empty` is shown while nothing was said.
    `recorded` tells a token's attention where no model can be asked for it. Without `takes` no
    candidate can be put in a token's place.
    """

    DEFAULT_CSS = """
    ConversationView { height: 1fr; layout: vertical; }
    ConversationView > #body { height: 1fr; layout: vertical; }
    ConversationView.-empty > Strips, ConversationView.-empty > Legend { display: none; }
    """

    @dataclass
    class VocabularyKnown(Message):
        """The whole vocabulary that was asked for, of the token that `record` tells of."""

        record: TokenRecord
        inspection: Inspection

    def __init__(
        self,
        conversation: Conversation,
        *,
        home: Widget,
        empty: Widget | None = None,
        recorded: Callable[[TokenRef], Attention | None] = lambda _: None,
        takes: bool = True,
    ) -> None:
        super().__init__(id="view")
        self.conversation = conversation
        self.home = home
        self.strips = Strips()
        self.stage = TextStage(conversation, empty)
        self.set_class(self.stage.is_empty, "-empty")  # before there are parts to be styled
        self.tokens = self.stage.tokens
        self.side = SidePanel(self._text_at, text=self.tokens, home=home)
        self.inspector = self.side.inspector
        self.takes = takes
        if not takes:
            self.tokens.asks -= {"fork", "edit"}
            self.inspector.forbid_taking()
        self.legend = Legend(id="legend")
        self.ref: TokenRef | None = None
        """The token under the one cursor."""
        self.vocabulary: int | None = None
        """The token whose vocabulary is being computed."""
        self._recorded = recorded
        self._instruments = (self.strips, self.side.plane, self.side.summary)
        self._branch = conversation.branch  # the branch that the instruments show
        self._stale = False  # whether the instruments are still to be given the branch in view
        self._behind = False  # whether the instruments still show another token

    def compose(self) -> ComposeResult:
        yield self.strips
        with Container(id="body"):
            yield self.stage
            yield self.side
        yield self.legend

    def on_mount(self) -> None:
        self._show_stage()

    def on_resize(self) -> None:
        self.call_after_refresh(self.side.show)

    def _text_at(self, index: int, nth: int) -> str:
        return lookup.text_of(self.conversation.tree, TokenRef(index, nth))

    # What comes out of the engine.

    def take(self, output: Output) -> None:
        """Take in one output, of a batch; `update` shows it."""
        conversation = self.conversation
        header, settings, aside = conversation.header, conversation.settings, conversation.aside
        conversation.apply(output)
        if conversation.header is not header or conversation.settings is not settings:
            self.use()
        match output:
            case PromptRecord() | TokenRecord() | Event() | End():
                if conversation.branch == self._branch and not (aside or self._stale):
                    for instrument in self._instruments:
                        instrument.take(output)
            case Inspected():
                self._inspected(output.inspection)
            case Failed(scope="aside"):
                self.fail(output.message)

    def update(self) -> None:
        """Show what was taken in; the instruments follow when they are flushed."""
        self._show_branch()
        self.tokens.update()
        self._show_stage()

    def _show_stage(self) -> None:
        """What there is, and no instrument while that is nothing."""
        empty = self.stage.show()
        if self.side.idle is not empty:
            self.side.idle = empty
            self.set_class(empty, "-empty")
            self.side.show()

    def flush(self) -> None:
        """Have the instruments show what was taken in, each if it is time to."""
        for instrument in self._instruments:
            instrument.flush()
        self._tell_legend()

    def follow(self) -> None:
        """Show the branch that is in view now, from its end."""
        self.stage.close_markdown()
        self._show_branch()
        self.tokens.follow = True
        self.update()

    def use(self) -> None:
        """Other settings are in force, or quadrants are told by another split."""
        conversation = self.conversation
        header, settings = conversation.header, conversation.settings
        app = cast("ThemedApp", self.app)
        if header is not None and header.quadrant_split != app.split:
            app.split = header.quadrant_split
            self.legend.refresh()
            self.tokens.redraw()
            self.strips.resplit()
        if conversation.calibration is not None:
            self.strips.timeline.course.confirm_by(conversation.calibration.valley_delta)
        self.side.plane.use(settings)
        self.side.summary.facts(conversation.seed, conversation.context)
        if settings is not None:
            self.side.sampler.show(settings, conversation.calibration)

    def fail(self, message: str) -> None:
        """An inspection that was asked for cannot be had."""
        self.vocabulary = None
        self.inspector.fail(message)

    def _show_branch(self) -> None:
        """Have the instruments show the branch in view, if it is another one."""
        branch = self.conversation.branch
        if branch == self._branch:
            return
        self._branch = branch
        self.stage.close_markdown()
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
            self._tell_legend()

    def _tell_legend(self) -> None:
        timeline, legend = self.strips.timeline, self.legend
        prompts, inserted = timeline.has_prompts, timeline.has_inserted
        if (prompts, inserted) != (legend.prompts, legend.inserted):
            legend.restyle(prompts=prompts, inserted=inserted)

    # The cursor.

    def on_token_view_cursor_moved(self, event: TokenView.CursorMoved) -> None:
        # The cursor is where the eye is: it is painted first, what is told of it right after.
        waiting, self._behind = self._behind, True
        self.ref = event.ref
        if not waiting:
            self.call_after_refresh(self._catch_up)

    def _catch_up(self) -> None:
        if self._behind:
            self.look_at(self.ref)

    def on_strips_picked(self, event: Strips.Picked) -> None:
        self.tokens.move_to(event.ref)

    def on_inspector_spot_chosen(self, event: Inspector.SpotChosen) -> None:
        self.tokens.move_to(event.ref)

    def look_at(self, ref: TokenRef | None) -> None:
        """Have every instrument show this token."""
        self.ref, self._behind = ref, False
        conversation = self.conversation
        record = None if ref is None else lookup.record_at(conversation.tree, ref)
        self.strips.cursor = self.side.plane.cursor = ref
        if ref is None or record is None:
            self.inspector.show(None, None, "")
        else:
            settings = conversation.samplers.settings_at(ref.index)
            before = lookup.text_before(conversation.tree, ref)
            valley = self.strips.timeline.valley(ref)
            self.inspector.scored = not conversation.header or not conversation.header.sampler
            self.inspector.show(record, settings, before, self._recorded(ref), valley)
        self.side.points = ref is not None
        self.side.show()

    def look_again(self) -> None:
        """What could not be known of the token may be known now."""
        self.inspector.show(None, None, "")
        self.look_at(self.ref)

    def on_inspector_highlight_wanted(self, event: Inspector.HighlightWanted) -> None:
        self.tokens.highlight(event.weights)
        self.legend.restyle(attention=event.weights is not None)

    def on_token_view_restyled(self) -> None:
        self.legend.restyle(letters=self.tokens.letters, colour=self.tokens.colour)

    # What is asked about a token.

    def drawn(self, ref: TokenRef | None = None) -> TokenRecord | None:
        """The token that the model said at a ref, by default at the cursor; else say why not."""
        ref = ref or self.ref
        tree = self.conversation.tree
        if ref is None:
            reason = NO_TOKEN
        elif ref.index in tree and isinstance(node := tree[ref.index], TokenRecord):
            return node
        else:
            edits = ": e edits the message" if "edit" in self.tokens.asks else ""
            reason = f"{GIVEN}{edits}."
        self.notify(reason, severity="warning", markup=False)
        return None

    def inspection_of(self, record: TokenRecord) -> Inspection | None:
        """What was found out about a token, if that is known."""
        known = self.inspector.inspection
        return known if known is not None and known.index == record.index else None

    def action_turn(self, step: int) -> None:
        """Another page of what is known of the token under the cursor."""
        if self.ref is None:
            self.notify(NO_TOKEN, severity="warning", markup=False)
        else:
            self.inspector.action_turn(step)
            self.side.show_inspector()

    def action_attention(self) -> None:
        """Where the model looked when it drew the token under the cursor."""
        if self.drawn() is not None:
            self.inspector.open_page("attention")
            self.side.see_inspector()

    def action_vocabulary(self) -> None:
        """The whole vocabulary that the token under the cursor was drawn from."""
        record = self.drawn()
        if record is None:
            return
        known = self.inspection_of(record)
        if known is not None:
            self.post_message(self.VocabularyKnown(record, known))
        else:
            self.vocabulary = record.index
            self.post_message(Inspector.InspectionWanted(record.index))

    def _inspected(self, inspection: Inspection) -> None:
        """An inspection has come: to whoever waits for it."""
        self.inspector.fill(inspection)
        if self.vocabulary == inspection.index:
            self.vocabulary = None
            record = lookup.record_at(self.conversation.tree, TokenRef(inspection.index))
            if record is not None:
                self.post_message(self.VocabularyKnown(record, inspection))
