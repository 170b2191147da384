"""What the user looks at: the token cursor and all that follows it, panels and pages."""

from collections.abc import Callable
from typing import Any

from textual.widget import Widget

from entropix_mlx.records.inspection import Attention, Inspection
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_tui.look import styles
from entropix_tui.screens.chat.turns import TurnActions
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.plane.plane import QuadrantPlane
from entropix_tui.widgets.sampler.panel import SamplerPanel
from entropix_tui.widgets.side import TALL, Page, SidePanel
from entropix_tui.widgets.strips.strips import Strips
from entropix_tui.widgets.text.legend import Legend
from entropix_tui.widgets.text.markdown_view import MarkdownView
from entropix_tui.widgets.text.search import SearchBar
from entropix_tui.widgets.text.token_view import TokenView

GIVEN = "A prompt's token was given, not drawn: e edits the message."


class ViewActions(TurnActions):
    """The half of the chat screen that only looks."""

    colours: styles.Colours
    tokens: TokenView
    strips: Strips
    plane: QuadrantPlane
    inspector: Inspector
    sampler: SamplerPanel
    side: SidePanel
    search: SearchBar
    markdown: MarkdownView
    legend: Legend

    def __init__(self) -> None:
        super().__init__()
        self.ref: TokenRef | None = None
        """The token under the one cursor."""
        self._behind = False  # whether the instruments still show another token
        self._side_wanted: bool | None = None  # what the user has asked for; None: nothing yet
        self._sampler_open = False
        self._vocabulary: int | None = None  # the token whose vocabulary is being computed

    @property
    def home(self) -> Widget:
        """What has the focus unless something else was gone to."""
        return self.prompt

    # The cursor.

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002
    ) -> bool | None:
        """Over a text that is being written, Ctrl+arrows move by word; else by token."""
        writing = self.focused is self.prompt and bool(self.prompt.text)
        return not (action == "cursor" and writing)

    def action_cursor(self, step: int) -> None:
        self.tokens.move("token", step)

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
        said = self.conversation
        record = None if ref is None else lookup.record_at(said.tree, ref)
        self.strips.cursor = self.plane.cursor = ref
        if ref is None or record is None:
            self.inspector.show(None, None, "")
        else:
            settings = said.samplers.settings_at(ref.index)
            before = lookup.text_before(said.tree, ref)
            self.inspector.show(record, settings, before, self.recorded_attention(ref))
        self.show_side()

    def recorded_attention(self, ref: TokenRef) -> Attention | None:  # noqa: ARG002
        """What is known of a token's attention without the model: nothing, where there is one."""
        return None

    # The panel.

    @property
    def page(self) -> Page:
        """What the panel has to show."""
        if self._sampler_open:
            return "sampler"
        return "summary" if self.ref is None else "inspector"

    def show_side(self) -> None:
        """Beside a wide text there is always a panel; under a narrow one, when it is wanted."""
        page = self.page
        wanted = self._side_wanted
        if wanted is None:
            wanted = self.has_class("-wide") or page != "summary"
        self.side.stand(beside=self.has_class("-wide"), tall=self.size.height >= TALL)
        self.side.open(page)
        if self.side.display is not wanted:
            if not wanted and self.focused is not None and self.side in self.focused.ancestors:
                self.tokens.focus()
            self.side.display = wanted

    def action_side(self) -> None:
        """Show or hide the panel."""
        self._side_wanted = not self.side.display
        self.show_side()

    def action_sampler(self) -> None:
        """Open the sampler, or close it."""
        if self._sampler_open:
            self.close_sampler()
            return
        self._sampler_open = True
        if self._side_wanted is False:
            self._side_wanted = None
        self.show_side()
        self.sampler.focus()

    def close_sampler(self) -> bool:
        """Whether it was open."""
        if not self._sampler_open:
            return False
        within = self.focused is self.sampler
        self._sampler_open = False
        self.show_side()
        if within:
            self.home.focus()
        return True

    def on_sampler_panel_changed(self, event: SamplerPanel.Changed) -> None:
        self.engine.use(event.settings)

    # Inspections.

    def on_inspector_inspection_wanted(self, event: Inspector.InspectionWanted) -> None:
        self.engine.inspect(event.index)

    def on_inspector_highlight_wanted(self, event: Inspector.HighlightWanted) -> None:
        self.tokens.highlight(event.weights)
        self.legend.restyle(attention=event.weights is not None)

    def on_inspector_candidate_taken(self, event: Inspector.CandidateTaken) -> None:
        self.fork(TokenRef(event.index), event.id)

    def inspected(self, inspection: Inspection) -> None:
        """An inspection has come: to whoever waits for it."""
        from entropix_tui.screens.candidate_picker import CandidatePicker

        self.inspector.fill(inspection)
        if isinstance(self.app.screen, CandidatePicker):
            self.app.screen.fill(inspection)
        if self._vocabulary == inspection.index:
            self._show_vocabulary(inspection)

    def action_attention(self) -> None:
        """Where the model looked when it drew the token under the cursor."""
        if self._drawn() is not None:
            self.inspector.open_page("attention")
            self._see_inspector()

    def action_vocabulary(self) -> None:
        """The whole vocabulary that the token under the cursor was drawn from."""
        record = self._drawn()
        if record is None:
            return
        known = self.inspector.inspection
        if known is not None and known.index == record.index:
            self._show_vocabulary(known)
        else:
            self._vocabulary = record.index
            self.engine.inspect(record.index)

    def _show_vocabulary(self, inspection: Inspection) -> None:
        from entropix_tui.screens.vocabulary import Vocabulary

        self._vocabulary = None
        ref = TokenRef(inspection.index)
        record = lookup.record_at(self.conversation.tree, ref)
        if record is not None and self.is_current:
            screen = Vocabulary(record, inspection, self.colours)
            self.app.push_screen(screen, self._fork_at(ref))

    def on_token_view_fork_wanted(self, event: TokenView.ForkWanted) -> None:
        self.choose_at(event.ref)

    def choose_at(self, ref: TokenRef) -> None:
        """Choose another candidate for a token."""
        from entropix_tui.screens.candidate_picker import CandidatePicker

        record = self._drawn(ref)
        if record is None:
            return
        known = self.inspector.inspection
        if known is not None and known.index != record.index:
            known = None
        picker = CandidatePicker(record, self.colours, known)
        self.app.push_screen(picker, self._fork_at(ref))
        if known is None:
            self.engine.inspect(record.index)

    def _fork_at(self, ref: TokenRef) -> Callable[[int | None], None]:
        def fork(id: int | None) -> None:
            if id is not None:
                self.fork(ref, id)

        return fork

    def _drawn(self, ref: TokenRef | None = None) -> TokenRecord | None:
        """The token that the model said at a ref, by default at the cursor; else say why not."""
        ref = ref or self.ref
        if ref is None:
            self._refuse("Put the cursor on a token first (Ctrl+Left).")
            return None
        tree = self.conversation.tree
        if ref.index in tree and isinstance(node := tree[ref.index], TokenRecord):
            return node
        self._refuse(GIVEN)
        return None

    def _see_inspector(self) -> None:
        self._sampler_open = False
        if self._side_wanted is False:
            self._side_wanted = None
        self.show_side()
        self.inspector.focus()

    # The text.

    def on_token_view_edit_wanted(self, event: TokenView.EditWanted) -> None:
        node = self.conversation.tree[event.index]
        if isinstance(node, PromptRecord):
            self.edit(node)

    def on_token_view_search_wanted(self) -> None:
        self.action_search()

    def on_token_view_restyled(self) -> None:
        self.legend.restyle(letters=self.tokens.letters, colour=self.tokens.colour)

    async def on_token_view_markdown_wanted(self) -> None:
        await self.action_markdown()

    async def action_markdown(self) -> None:
        """The answer as a document, or its tokens again."""
        if self.markdown.display:
            self.markdown.hide()
            return
        text = self.tokens.answer()
        if text is None:
            self._refuse("There is no answer yet.")
        elif self.conversation.busy:
            self._refuse("The answer is not finished yet.")
        else:
            await self.markdown.show(text)

    def close_markdown(self) -> None:
        """Show the tokens again; the focus stays where it is, unless it was in the document."""
        focused = self.focused
        self.markdown.hide()
        if focused is not None and focused is not self.markdown:
            focused.focus()

    def action_search(self) -> None:
        self.close_markdown()
        self.search.open()

    def on_search_bar_closed(self) -> None:
        self.tokens.focus()

    def action_colour(self, step: int) -> None:
        self.tokens.action_colour(step)

    def action_letters(self) -> None:
        self.tokens.action_letters()

    def action_breaks(self) -> None:
        self.tokens.show_breaks(not self.conversation.transcript.breaks)

    def action_page(self, step: int) -> None:
        target: Widget = self.markdown if self.markdown.display else self.tokens
        move: Any = target.scroll_page_down if step > 0 else target.scroll_page_up
        move(animate=False)
