"""The conversation as it is drawn: all blocks, and the way between rows, places and tokens."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import NamedTuple

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import Node
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.blocks import Answer, Block, Kind, Prompt
from entropix_tui.transcript.layout import Line
from entropix_tui.transcript.sections import Frame, Section


class Place(NamedTuple):
    """A piece of a block."""

    block: int
    piece: int


class Row(NamedTuple):
    """What stands on one row of the screen: a section's line (`at` is its number there); no line
    on an empty row above a block.
    """

    number: int
    block: Block
    section: Section[Block]
    line: Line | None
    at: int


class Transcript:
    """All blocks, at one width (in cells, at least 2), and their rows from top to bottom.

    Rows are exact where `reach` has been; what was never seen has an estimated height.
    """

    def __init__(self, width: int = 80) -> None:
        self._frame = Frame(width, breaks=True)
        self.blocks: list[Block] = []
        self._tops: list[int] = []
        self._pending: int | None = None  # the user's last block, while it is not scored
        self.height = 0
        self.answer: Answer | None = None
        """The answer that the next token belongs to; None: it begins one."""

    @property
    def width(self) -> int:
        return self._frame.width

    @property
    def breaks(self) -> bool:
        """Whether line breaks are drawn."""
        return self._frame.breaks

    # What is said.

    def clear(self) -> None:
        self.blocks.clear()
        self._frame.touched.clear()
        self._pending = self.answer = None
        self._stack()

    def say(self, text: str, kind: Kind = "user") -> None:
        """Append a block of text that no token is known of (yet)."""
        block = Block(kind, self._frame)
        block.add_text(text)
        if kind == "user":
            self._pending = len(self.blocks)
        self._insert(len(self.blocks), block)

    def score(self, prompt: PromptRecord) -> None:
        """Show what the model was told as the tokens it met.

        What the user said last takes this form; what came with it (a system prompt) stands
        before it; a prompt that nobody has said here is appended.
        """
        block = Prompt(prompt, self._frame)
        at = len(self.blocks) if self._pending is None else self._pending
        if self._pending is not None:
            if prompt.role == "user":
                self._frame.touched.difference_update(self.blocks.pop(at).sections)
                self._pending = None
            else:
                self._pending += 1
        self._insert(at, block)

    def begin_answer(self) -> Answer:
        self.answer = answer = Answer(self._frame)
        self._insert(len(self.blocks), answer)
        return answer

    def add(self, *nodes: Node) -> None:
        """One prompt, or tokens that follow each other, at the end of the path that is shown."""
        if isinstance(nodes[0], PromptRecord):
            self.score(nodes[0])
            self.answer = None
        else:
            (self.answer or self.begin_answer()).add(*nodes)  # type: ignore[arg-type]

    def mark_valley(self, index: int) -> bool:
        """Mark the valley at record `index`; False if it is not here."""
        place = self.place_of(TokenRef(index))
        block = None if place is None else self.blocks[place.block]
        return isinstance(block, Answer) and block.mark_valley(index)

    def _insert(self, at: int, block: Block) -> None:
        self._frame.touched.difference_update(block.sections)
        self.settle()
        block.lead = int(at > 0 and block.kind in ("user", "system"))
        block.stack()
        self.blocks.insert(at, block)
        if at + 1 < len(self.blocks):
            following = self.blocks[at + 1]
            following.lead = int(following.kind == "user")
            following.stack()
        self._stack(at)

    # Rows.

    def settle(self) -> None:
        """Take in how the blocks have grown: constant cost while that is at the end."""
        touched = self._frame.touched
        if not touched:
            return
        grown = {section.block for section in touched}
        inside = {s.block for s in touched if s is not s.block.sections[-1]}
        touched.clear()
        for block in grown:
            block.stack(whole=block in inside)
        self._stack(len(self.blocks) - 1 if grown == {self.blocks[-1]} else 0)

    def _stack(self, first: int = 0) -> None:
        """Find the tops of the blocks from number `first` on."""
        top = self._tops[first - 1] + self.blocks[first - 1].height if first else 0
        del self._tops[first:]
        heights = (block.height for block in islice(self.blocks, first, None))
        self._tops += accumulate(heights, initial=top)
        self.height = self._tops.pop()

    def resize(self, width: int, *, breaks: bool | None = None) -> bool:
        """Forget all lines and estimate heights anew; False if nothing changes."""
        breaks = self.breaks if breaks is None else breaks
        if (width, breaks) == (self.width, self.breaks):
            return False
        self._frame.width, self._frame.breaks = width, breaks
        for block in self.blocks:
            block.stack()
        self._stack()
        return True

    def reach(self, y: int, rows: int) -> int:
        """Lay out what stands on `rows` rows from `y` on; returns where that row stands then.

        What was laid out before stays where it is on the screen.
        """
        self.settle()
        while True:
            window = list(self._sections(y, rows))
            fresh = [section for section, _ in window if not section.is_laid_out]
            if not fresh:
                return y
            known = next((found for found in window if found[0].is_laid_out), None)
            fixed, before = known or window[0]
            for section in fresh:
                section.layout  # noqa: B018
            self.settle()
            after, within = self._top_of(fixed), y - before
            y = after + (min(within, fixed.height - 1) if known is None else within)
            y = max(0, min(y, self.height - rows))

    def reach_end(self, rows: int) -> int:
        """Lay out the last `rows` rows; returns the first of them."""
        self.settle()
        while True:
            y = max(0, self.height - rows)
            fresh = [part for part, _ in self._sections(y, rows) if not part.is_laid_out]
            if not fresh:
                return y
            for section in fresh:
                section.layout  # noqa: B018
            self.settle()

    def _sections(self, y: int, rows: int) -> Iterator[tuple[Section[Block], int]]:
        """The sections on rows `y` to `y + rows`, each with its first row."""
        end = min(self.height, y + rows)
        y = max(0, y)
        while y < end:
            number = bisect_right(self._tops, y) - 1
            block, top = self.blocks[number], self._tops[number]
            section, _ = block.section_at(y - top)
            first = top + block.top_of(section)
            yield section, first
            y = max(first + section.height, y + 1)

    def _top_of(self, section: Section[Block]) -> int:
        block = section.block
        number = self.blocks.index(block)
        return self._tops[number] + block.top_of(section)

    def row(self, y: int) -> Row | None:
        if not 0 <= y < self.height:
            return None
        number = bisect_right(self._tops, y) - 1
        block = self.blocks[number]
        within = y - self._tops[number]
        section, at = block.section_at(within)
        lines = section.layout.lines
        if within < block.lead:
            return Row(number, block, section, None, 0)
        at = min(at, len(lines) - 1)
        return Row(number, block, section, lines[at], at)

    def rows(self, y: int, count: int) -> list[Row | None]:
        """What stands on `count` rows from `y` on; None past the end."""
        found: list[Row | None] = []
        while len(found) < count and (row := self.row(y + len(found))) is not None:
            found.append(row)
            if row.line is None:
                continue
            number, block, section, _, at = row
            end = min(section.height, at + 1 + count - len(found))
            lines = section.layout.lines
            found += [Row(number, block, section, lines[n], n) for n in range(at + 1, end)]
        return found + [None] * (count - len(found))

    # Places.

    def place_of_row(self, y: int) -> Place | None:
        """The first piece that begins on a row, to find it again after a change of width."""
        row = self.row(y)
        if row is None:
            return None
        return Place(row.number, row.section.begun(row.at) if row.line is not None else 0)

    def row_of_place(self, place: Place) -> int:
        block = self.blocks[place.block]
        section = block.section_of(place.piece)
        line = section.layout.line_of(place.piece - section.start)
        self.settle()
        return self._tops[place.block] + block.top_of(section) + line

    def place_at(self, column: int, y: int) -> Place | None:
        """The token drawn at a cell."""
        row = self.row(y)
        piece = row.line.piece_at(column) if row and row.line else None
        if row is None or piece is None:
            return None
        place = Place(row.number, row.section.start + piece)
        return None if self.record_at(place) is None else place

    def record_at(self, place: Place) -> TokenRecord | None:
        """The record of a token; None for text without one."""
        if 0 <= place.piece < self.tokens_of(place.block):
            return self.blocks[place.block].records[place.piece]
        return None

    def ref_at(self, place: Place) -> TokenRef | None:
        """The name of a token; None for text without one."""
        return self.blocks[place.block].ref(place.piece) if self.record_at(place) else None

    def place_of(self, ref: TokenRef) -> Place | None:
        """Where a token stands; None if it is not here."""
        low, high = 0, len(self.blocks)
        while low < high:
            middle = at = (low + high) // 2
            while at >= low and self.blocks[at].span is None:
                at -= 1
            block, span = self.blocks[at], self.blocks[at].span
            if at < low or span is None or ref.index > span.last:
                low = middle + 1
            elif ref.index < span.first:
                high = at
            else:
                piece = block.piece_of(ref)
                return None if piece is None else Place(at, piece)
        return None

    def next_token(self, place: Place | None, step: int) -> Place | None:
        """The token `step` (1 or -1) further; from nowhere, the last one. None past an end."""
        if place is None:
            place, step = Place(len(self.blocks), 0), -1
        number, piece = place.block, place.piece + step
        if 0 <= piece < self.tokens_of(number):
            return Place(number, piece)
        number += step
        while 0 <= number < len(self.blocks):
            if count := self.tokens_of(number):
                return Place(number, 0 if step > 0 else count - 1)
            number += step
        return None

    def tokens_of(self, number: int) -> int:
        """How many tokens a block has."""
        return len(self.blocks[number].records) if number < len(self.blocks) else 0
