"""The text of a debugged conversation, with what is proposed at its end."""

from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from entropix_tui.debugger.draft import Draft
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.blocks import Block
from entropix_tui.transcript.painter import Painter
from entropix_tui.transcript.transcript import Place
from entropix_tui.widgets.text.token_view import TokenView

_GHOST = "ghost"
_LOOKS = {
    "dark": "italic #C9D7E6 on #27323D",
    "light": "italic #26323E on #DAE4EE",
    "sixteen": "italic underline cyan",
    "none": "italic underline",
}


class _GhostPainter(Painter):
    """Draws one token as not taken yet."""

    ghost: Place | None = None

    def look(self, block: Block, piece: int) -> str | None:
        ghost = self.ghost
        if ghost is not None and piece == ghost.piece:
            blocks = self.transcript.blocks
            if ghost.block < len(blocks) and blocks[ghost.block] is block:
                return _GHOST
        return super().look(block, piece)

    def style(self, look: str) -> Style:
        if look != _GHOST:
            return super().style(look)
        of = self.colours if self.colours != "true" else "dark" if self.dark else "light"
        return Style.parse(_LOOKS[of])


class StepText(TokenView, inherit_bindings=False):
    """Its cursor is the debugger's: where it goes the debugger says, and a click asks for it."""

    BINDING_GROUP_TITLE = "The debugged text"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "Up", show=False, id="step.text_up"),
        Binding("down", "scroll(1)", "Down", show=False, id="step.text_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="step.text_page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="step.text_page_down"),
        Binding("home", "edge(-1)", "To the top", show=False, id="step.text_top"),
        Binding("end", "edge(1)", "To the end", show=False, id="step.text_end"),
    ]

    @dataclass
    class Chosen(Message):
        """A recorded token is to be looked at; None: the proposal."""

        ref: TokenRef | None

    def __init__(self, draft: Draft, *, id: str | None = None) -> None:
        super().__init__(draft.transcript, id=id)
        self.draft = draft
        self.painter = _GhostPainter(draft.transcript, self.finder)
        self._version = draft.version

    def show(self, cursor: int | None) -> None:
        """The draft as it is now, the cursor on a recorded token; None: at the proposal."""
        painter, ghost = self.painter, self.draft.ghost
        assert isinstance(painter, _GhostPainter)
        if self._version != self.draft.version:
            self._version = self.draft.version
            self.reset()
        if painter.ghost != ghost:
            painter.ghost = ghost
            painter.forget(ghost)
        place = None if cursor is None else self.transcript.place_of(TokenRef(cursor))
        if place is not None:
            if place != self.cursor:
                self.move_cursor(place)
        elif self.cursor is not None:
            self.move_cursor(None)
        self.update()

    def action_scroll(self, step: int) -> None:
        self.scroll_relative(y=step, animate=False)

    def action_edge(self, step: int) -> None:
        (self.scroll_home if step < 0 else self.scroll_end)(animate=False)

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        x, y = event.x - self.painter.gutter, event.y + self.scroll_offset.y
        place = self.transcript.place_at(x, y) if x >= 0 else None
        if place is not None:
            proposed = place == self.draft.ghost
            self.post_message(self.Chosen(None if proposed else self.transcript.ref_at(place)))
