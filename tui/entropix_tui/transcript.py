"""The conversation as it is drawn: blocks of pieces, their lines, and the way between the two.

A block is one turn or one notice. Answers are built from token records, byte for byte: what no
character has come of yet stands as bytes, special tokens stand as their literal text.
"""

from bisect import bisect_right
from typing import Literal, NamedTuple

from entropix_mlx.records import TokenRecord
from entropix_tui.glyphs import enclosed, hexadecimal
from entropix_tui.wrapping import Layout, Line, Piece

Kind = Literal["user", "answer", "note", "error"]

VALLEY = "▾"
FORCED = {"clarify": "¿", "user": "†", "exit": "‡"}
"""What is drawn before a token that the model did not choose."""

REPLACEMENT = "\ufffd"


class Place(NamedTuple):
    """A piece of a block."""

    block: int
    piece: int


class Row(NamedTuple):
    """What stands on one row of the screen; no line on the empty row above a block."""

    block: "Block"
    line: Line | None


class Block:
    """One turn or notice. `looks` names each piece's appearance: a quadrant, or the kind."""

    def __init__(self, kind: Kind, width: int, breaks: bool) -> None:
        self.kind = kind
        self.lead = 0
        self.layout = Layout(width, breaks=breaks)
        self.looks: list[str] = []

    def add_text(self, text: str) -> None:
        self._add(Piece(text), self.kind)

    def _add(self, piece: Piece, look: str) -> None:
        self.looks.append(look)
        self.layout.add(piece)

    @property
    def height(self) -> int:
        lines = self.layout.lines
        # After a final line break there is a line with nothing on it yet.
        return self.lead + len(lines) - (len(lines) > 1 and not lines[-1].runs)


class Answer(Block):
    """An answer: one piece for each token, in step with `records`."""

    def __init__(self, width: int, breaks: bool) -> None:
        super().__init__("answer", width, breaks)
        self.records: list[TokenRecord] = []
        self._pieces: dict[int, int] = {}  # record index -> piece
        self._unfinished: list[int] = []  # pieces whose bytes wait for the rest of a character

    @property
    def text(self) -> str:
        return "".join(record.text for record in self.records)

    def add(self, record: TokenRecord) -> None:
        """Append a token: constant cost, whatever the length."""
        raw = bytes.fromhex(record.bytes)
        text, shown = record.text, None
        if not text:
            shown = self._without_text(record, raw)
        elif self._unfinished:
            text = self._finish(text, raw)
        if text and not text.strip(REPLACEMENT) and not _is_text(raw):
            shown = hexadecimal(raw)
        mark = FORCED.get(record.forced or "", "")
        self._pieces[record.index] = len(self.records)
        self.records.append(record)
        self._add(Piece(text, mark, shown), record.quadrant or "answer")

    def mark_valley(self, index: int) -> bool:
        """Mark the valley at record `index`; False if it is not in this answer."""
        piece = self._pieces.get(index)
        if piece is None:
            return False
        mark = self.layout.pieces[piece].mark
        if VALLEY not in mark:
            self.layout.change(piece, mark=VALLEY + mark)
        return True

    def piece_of(self, index: int) -> int | None:
        """The piece of the record with this index."""
        return self._pieces.get(index)

    def _without_text(self, record: TokenRecord, raw: bytes) -> str:
        """What to draw for a token that the stream gains nothing from (yet)."""
        if not raw:
            return enclosed(str(record.id))
        if _is_text(raw) and not self._unfinished:
            return raw.decode()
        self._unfinished.append(len(self.records))
        return hexadecimal(raw)

    def _finish(self, text: str, raw: bytes) -> str:
        """Replace the bytes on screen by the character they made; keep those that made none."""
        first, *rest = self._unfinished
        self._unfinished = []
        bad = len(text) - len(text.lstrip(REPLACEMENT))
        if bad and not raw.startswith(REPLACEMENT.encode()):
            self.layout.change(first, text=text[:bad])
            return text[bad:]
        for piece in (first, *rest):
            self.layout.change(piece, shown="")
        return text


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


class Transcript:
    """All blocks, at one width (in cells, at least 2), and their rows from top to bottom."""

    def __init__(self, width: int = 80) -> None:
        self.width = width
        self.breaks = True
        self.blocks: list[Block] = []
        self._tops: list[int] = []
        self.height = 0

    def clear(self) -> None:
        self.blocks.clear()
        self.settle()

    def say(self, text: str, kind: Kind = "user") -> None:
        """Append a block of text that is not the model's."""
        block = Block(kind, self.width, self.breaks)
        block.add_text(text)
        self._append(block)

    def begin_answer(self) -> Answer:
        answer = Answer(self.width, self.breaks)
        self._append(answer)
        return answer

    def _append(self, block: Block) -> None:
        block.lead = int(bool(self.blocks) and block.kind == "user")
        self.blocks.append(block)
        self.settle()

    def settle(self) -> None:
        """Take in how the blocks have grown; to be called after every batch of changes."""
        self._tops.clear()
        self.height = 0
        for block in self.blocks:
            self._tops.append(self.height)
            self.height += block.height

    def resize(self, width: int, *, breaks: bool | None = None) -> bool:
        """Lay everything out anew; False if nothing changes."""
        if breaks is not None:
            self.breaks = breaks
        self.width = width
        changed = [block.layout.resize(width, breaks=self.breaks) for block in self.blocks]
        self.settle()
        return any(changed)

    def row(self, y: int) -> Row | None:
        if not 0 <= y < self.height:
            return None
        index = bisect_right(self._tops, y) - 1
        block = self.blocks[index]
        line = y - self._tops[index] - block.lead
        return Row(block, block.layout.lines[line] if line >= 0 else None)

    def place_of_row(self, y: int) -> Place | None:
        """The first piece that begins on a row, to find it again after a change of width."""
        if not 0 <= y < self.height:
            return None
        index = bisect_right(self._tops, y) - 1
        block = self.blocks[index]
        line = y - self._tops[index] - block.lead
        return Place(index, block.layout.first_begun(line) if line >= 0 else 0)

    def row_of_place(self, place: Place) -> int:
        block = self.blocks[place.block]
        return self._tops[place.block] + block.lead + block.layout.line_of(place.piece)

    def place_at(self, column: int, y: int) -> Place | None:
        """The token drawn at a cell."""
        row = self.row(y)
        if row is None or row.line is None or not isinstance(row.block, Answer):
            return None
        piece = row.line.piece_at(column)
        return None if piece is None else Place(bisect_right(self._tops, y) - 1, piece)

    def record_at(self, place: Place) -> TokenRecord | None:
        block = self.blocks[place.block]
        return block.records[place.piece] if isinstance(block, Answer) else None

    def next_token(self, place: Place | None, step: int) -> Place | None:
        """The token `step` (1 or -1) further; from nowhere, the last one. None past an end."""
        if place is None:
            place, step = Place(len(self.blocks), 0), -1
        block, piece = place.block, place.piece + step
        if place.block < len(self.blocks):
            current = self.blocks[block]
            if isinstance(current, Answer) and 0 <= piece < len(current.records):
                return Place(block, piece)
        block += step
        while 0 <= block < len(self.blocks):
            current = self.blocks[block]
            if isinstance(current, Answer) and current.records:
                return Place(block, 0 if step > 0 else len(current.records) - 1)
            block += step
        return None
