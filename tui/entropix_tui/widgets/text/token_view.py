"""The transcript with a cursor: tokens coloured by a measure, gone to by what they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from entropix_mlx.records.record import CLARIFY, TokenRecord
from entropix_tui.look import color_scale
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.blocks import DIVERGENCE, Answer, Prompt
from entropix_tui.transcript.motion import Motion, destination
from entropix_tui.transcript.transcript import Place
from entropix_tui.widgets.text.transcript_view import TranscriptView

STRENGTHS = (0.05, 0.2, 0.5)
"""Shares of the greatest weight from which a highlighted token has strength 1, 2, 3."""


def _motion(
    key: str, kind: Motion, step: int, what: str, show: bool = False, tooltip: str = ""
) -> Binding:
    way = "next" if step > 0 else "previous"
    action, id = f"move('{kind}', {step})", f"tokens.{way}_{kind}"
    return Binding(key, action, what.format(way), show=show, id=id, tooltip=tooltip)


KEYS: list[BindingType] = [
    Binding("delete", "without", "without it", id="tokens.without",
            tooltip="Go on from before a clarifying text, without it: a branch"),
    _motion("left", "token", -1, "{} token"),
    _motion("right", "token", 1, "{} token"),
    _motion("w", "word", 1, "{} word"),
    _motion("b", "word", -1, "{} word"),
    _motion("v", "valley", 1, "{} valley", show=True),
    _motion("V", "valley", -1, "{} valley"),
    _motion("f", "doubt", 1, "{} doubt", show=True,
            tooltip="To a token before which no token had half of the probability"),
    _motion("F", "doubt", -1, "{} doubt"),
    _motion("r", "quadrant", 1, "{} quadrant"),
    _motion("R", "quadrant", -1, "{} quadrant"),
    Binding("up", "line(-1)", "line up", show=False, id="tokens.line_up"),
    Binding("down", "line(1)", "line down", show=False, id="tokens.line_down"),
    Binding("home", "edge(-1)", "to the top", show=False, id="tokens.top"),
    Binding("end", "edge(1)", "to the end", show=False, id="tokens.end"),
    Binding("pageup", "page(-1)", "page up", show=False, id="tokens.page_up"),
    Binding("pagedown", "page(1)", "page down", show=False, id="tokens.page_down"),
    Binding("enter", "fork", "another token", id="tokens.fork"),
    Binding("e", "edit", "edit message", id="tokens.edit"),
    Binding("c", "colour(1)", "colour", id="tokens.next_colour"),
    Binding("C", "colour(-1)", "previous colour", show=False, id="tokens.previous_colour"),
    Binding("l", "letters", "letters", show=False, id="tokens.letters"),
    Binding("m", "markdown", "markdown", id="tokens.markdown"),
    Binding("slash", "search", "search", id="tokens.search"),
    Binding("n", "match(1)", "next match", show=False, id="tokens.next_match"),
    Binding("N", "match(-1)", "previous match", show=False, id="tokens.previous_match"),
]  # fmt: skip


class TokenView(TranscriptView):
    """A transcript whose tokens, of prompts and answers alike, can be gone to and looked at."""

    BINDINGS: ClassVar[list[BindingType]] = KEYS
    asks: frozenset[str] = frozenset({"without", "fork", "edit", "markdown", "search"})
    """Actions that ask the screen for something, as far as that has an answer."""

    @dataclass
    class CursorMoved(Message):
        """The token under the cursor; all None when there is no cursor."""

        place: Place | None
        ref: TokenRef | None
        record: TokenRecord | None

    @dataclass
    class ForkWanted(Message):
        """Another candidate is wanted in place of a token."""

        ref: TokenRef

    @dataclass
    class WithoutWanted(Message):
        """The answer is wanted without the text that a sampler put in at a token."""

        ref: TokenRef

    @dataclass
    class EditWanted(Message):
        """The message at prompt record `index` is to be edited."""

        index: int

    class MarkdownWanted(Message):
        """The answer at the cursor is wanted as a document: see `answer`."""

    class SearchWanted(Message):
        """A text is to be looked for."""

    class Restyled(Message):
        """`colour` or `letters` has changed; a legend has to follow."""

    _diverged: Place | None = None
    _followed = False  # whether the end was followed before there was a cursor

    def reset(self) -> None:
        """Show a transcript that was cleared."""
        self._diverged, self.painter.levels = None, {}
        self.finder.search("")
        had_cursor, self.painter.cursor = self.cursor is not None, None
        self.follow = True
        self.update()
        if had_cursor:
            self.post_message(self.CursorMoved(None, None, None))

    # The cursor.

    @property
    def cursor(self) -> Place | None:
        return self.painter.cursor

    @property
    def ref(self) -> TokenRef | None:
        """The token under the cursor."""
        return None if self.cursor is None else self.transcript.ref_at(self.cursor)

    @property
    def _keys(self) -> tuple[bool, bool]:
        """What keys there are depends on: a cursor, and whether that is on a text put in."""
        record = None if self.cursor is None else self.transcript.record_at(self.cursor)
        return self.cursor is not None, record is not None and record.forced == CLARIFY

    def move_cursor(self, place: Place | None) -> None:
        """Put the cursor on a token, in view, or take it away.

        While there is a cursor the end is not followed, so that it stays in view.
        """
        before, keys = self.cursor, self._keys
        if before is None and place is not None:
            self._followed = self.follow
        for touched in (before, place):
            self.painter.forget(touched)
        self.painter.cursor = place
        if place is not None:
            row = self.transcript.row_of_place(place)
            self.show_row(row)
            self.follow = False
        elif before is not None:
            self.follow = self.follow or self._followed
        self.update()
        if keys != self._keys:
            self.refresh_bindings()
        self.post_message(
            self.CursorMoved(
                place,
                place and self.transcript.ref_at(place),
                place and self.transcript.record_at(place),
            )
        )

    def on_resize(self, event: events.Resize) -> None:
        """A panel that opens under the text, for the token at the cursor, leaves that in view."""
        event.prevent_default()
        width = self.transcript.width
        self.lay_out()
        if self.cursor is not None and width == self.transcript.width:
            self.show_row(self.transcript.row_of_place(self.cursor))

    def move_to(self, ref: TokenRef) -> bool:
        """Put the cursor on a token; False if it is not here."""
        place = self.transcript.place_of(ref)
        if place is not None:
            self.move_cursor(place)
        return place is not None

    def move(self, kind: Motion, step: int) -> bool:
        """Move the cursor forward (1) or back (-1), see `motion.destination`; False if there is
        nothing of the kind.
        """
        place = destination(self.transcript, self.cursor, kind, step)
        if place is not None:
            self.move_cursor(place)
        return place is not None

    def enter(self) -> None:
        """Have a cursor: on the newest token, or where the text was scrolled to."""
        if self.cursor is None:
            place = None if self.follow else self.transcript.place_of_row(self.scroll_offset.y)
            if place is None or self.transcript.ref_at(place) is None:
                place = destination(self.transcript, None, "token", -1)
            if place is not None:
                self.move_cursor(place)

    def action_move(self, kind: Motion, step: int) -> None:
        if not self.move(kind, step):
            self.app.bell()
            if kind in ("valley", "doubt", "quadrant"):  # the text's end can be seen, these can't
                way = "next" if step > 0 else "previous"
                self.app.notify(f"There is no {way} {kind}.", markup=False, timeout=3)

    def action_line(self, step: int) -> None:
        """The token above or below; without a cursor, scroll by a line."""
        place = self.cursor
        if place is None:
            self.scroll_relative(y=step, animate=False)
            return
        y = self.transcript.row_of_place(place)
        row = self.transcript.row(y)
        column = row.section.column(row.at, place.piece) if row is not None else 0
        while 0 <= y + step < self.transcript.height:
            y = self.transcript.reach(y + min(0, step), 2) + max(0, step)
            for x in range(column, -1, -1):
                found = self.transcript.place_at(x, y)
                if found is not None and found != place:
                    self.move_cursor(found)
                    return

    def action_edge(self, step: int) -> None:
        """The first or last token, and the edge of the text."""
        if self.cursor is not None:
            count = len(self.transcript.blocks)
            edge = self.transcript.next_token(Place(-1 if step < 0 else count, 0), step * -1)
            if edge is not None:
                self.move_cursor(edge)
        if step < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)

    def action_page(self, step: int) -> None:
        self.scroll_relative(y=step * max(1, self.size.height - 1), animate=False)

    def on_click(self, event: events.Click) -> None:
        x, y = event.x - self.painter.gutter, event.y + self.scroll_offset.y
        place = self.transcript.place_at(x, y) if x >= 0 else None
        if place is not None:
            self.move_cursor(place)
            if event.chain == 2:
                self.action_fork()

    # What others do with the token under the cursor.

    def check_action(self, action: str, parameters: object) -> bool | None:  # noqa: ARG002
        """Without a cursor, matches or an answer the keys are the screen's."""
        if action in TokenView.asks and action not in self.asks:
            return False
        if action in ("fork", "without"):
            return self._keys[action == "without"]
        return action != "match" or self.finder.count > 0

    def action_fork(self) -> None:
        if (ref := self.ref) is not None:
            self.post_message(self.ForkWanted(ref))

    def action_without(self) -> None:
        if (ref := self.ref) is not None and self._keys[1]:
            self.post_message(self.WithoutWanted(ref))
        else:
            self.app.notify("Put the cursor on a text that was inserted (¿).", markup=False)

    def action_edit(self) -> None:
        """The message that the cursor is in or after; without a cursor, the last."""
        last = len(self.transcript.blocks) - 1 if self.cursor is None else self.cursor.block
        for block in reversed(self.transcript.blocks[: last + 1]):
            if isinstance(block, Prompt) and block.kind == "user":
                self.post_message(self.EditWanted(block.prompt.index))
                return

    def action_markdown(self) -> None:
        self.post_message(self.MarkdownWanted())

    def answer(self) -> str | None:
        """The text of the answer that the cursor is in; without one, of the last."""
        blocks = self.transcript.blocks
        if self.cursor is not None and isinstance(blocks[self.cursor.block], Answer):
            return blocks[self.cursor.block].text
        return next((b.text for b in reversed(blocks) if isinstance(b, Answer)), None)

    # Looks.

    @property
    def colour(self) -> color_scale.Colour:
        """What tokens are coloured by."""
        return self.painter.colour

    @property
    def letters(self) -> bool:
        """Whether a gutter names what was met on each line."""
        return self.painter.letters

    def colour_by(self, colour: color_scale.Colour) -> None:
        """Colour tokens by one of `color_scale.COLOURS`."""
        self.painter.colour = colour
        self.redraw()
        self.post_message(self.Restyled())

    def action_colour(self, step: int) -> None:
        colours = color_scale.COLOURS
        self.colour_by(colours[(colours.index(self.colour) + step) % len(colours)])

    def action_letters(self) -> None:
        self.painter.letters = not self.letters
        self.lay_out()
        self.post_message(self.Restyled())

    def highlight(self, weights: Mapping[TokenRef, float] | None) -> None:
        """Mark tokens by how strong they are beside the strongest; None: none any more."""
        levels: dict[int, dict[int, int]] = {}
        greatest = max(weights.values(), default=0.0) if weights else 0.0
        for ref, weight in (weights or {}).items():
            level = sum(weight >= share * greatest for share in STRENGTHS) if greatest > 0 else 0
            place = self.transcript.place_of(ref) if level else None
            if place is not None:
                levels.setdefault(place.block, {})[place.piece] = level
        self.painter.levels = levels
        self.redraw()

    def mark_divergence(self, ref: TokenRef | None) -> None:
        """Draw `≠` before one token; None: before none any more."""
        place = None if ref is None else self.transcript.place_of(ref)
        for at, on in ((self._diverged, False), (place, True)):
            if at is not None:
                self.transcript.blocks[at.block].mark(at.piece, DIVERGENCE, on)
        self._diverged = place
        self.update()

    # Searching.

    def find(self, query: str) -> int:
        """Look for a text; how often it stands here. An empty one ends the search."""
        self.finder.search(query)
        self.redraw()
        return self.finder.count

    def action_match(self, step: int) -> None:
        """Scroll to the next (1) or previous (-1) place of the text that is looked for."""
        top = self.transcript.place_of_row(self.scroll_offset.y)
        if (place := self.finder.go(step, self.cursor or top)) is not None:
            self.follow = False
            self.show_row(self.transcript.row_of_place(place))
            self.redraw()

    def action_search(self) -> None:
        self.post_message(self.SearchWanted())
