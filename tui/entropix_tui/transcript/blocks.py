"""What a conversation is drawn from: one block for each turn or notice, a piece for each token.

Tokens are drawn from their records, byte for byte: what no character has come of yet stands as
bytes, special tokens stand as their literal text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.terminal.glyphs import enclosed, hexadecimal
from entropix_mlx.terminal.palette import FORCED, VALLEY
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.layout import Piece
from entropix_tui.transcript.sections import Frame, Section

Kind = Literal["user", "system", "answer", "note", "error"]

DIVERGENCE = "≠"
REPLACEMENT = "\ufffd"


class Span(NamedTuple):
    """The first and the last record index of a block."""

    first: int
    last: int


class Block:
    """One turn or notice: pieces in sections, from top to bottom. `lead` empty rows come first."""

    def __init__(self, kind: Kind, frame: Frame) -> None:
        self.kind = kind
        self.lead = 0
        self.height = 0
        """In rows, the lead included, as last stacked."""
        self.frame = frame
        self.sections: list[Section[Block]] = [Section(frame, self, 0, 0)]
        self.records: list[TokenRecord] = []
        """Those of the first pieces, one for each: all pieces, or none, are tokens."""
        self.valleys: list[int] = []
        """The pieces marked as valleys, in order."""
        self._tops = [0]  # of the sections, counted from below the lead

    @property
    def span(self) -> Span | None:
        """The records that stand here; None for text that has none (yet)."""
        return None

    def ref(self, piece: int) -> TokenRef:  # noqa: ARG002
        """The name of a token."""
        raise LookupError("no tokens stand here")

    def piece_of(self, ref: TokenRef) -> int | None:  # noqa: ARG002
        """The piece of a token, if it stands here."""
        return None

    @property
    def text(self) -> str:
        return "".join([section.text for section in self.sections])

    def stack(self, *, whole: bool = True) -> None:
        """Take in that sections have changed their heights; not `whole`: only the last has."""
        if whole:
            heights = [section.height for section in self.sections]
            self._tops = list(accumulate(heights[:-1], initial=0))
        self.height = self.lead + self._tops[-1] + self.sections[-1].height

    def section_at(self, row: int) -> tuple["Section[Block]", int]:
        """The section on a row of the block (the lead included) and the row in it."""
        row = max(0, row - self.lead)
        number = bisect_right(self._tops, row) - 1
        return self.sections[number], row - self._tops[number]

    def top_of(self, section: "Section[Block]") -> int:
        """A section's first row, counted from the block's own."""
        number = bisect_left(self.sections, section.start, key=lambda other: other.start)
        return self.lead + self._tops[number]

    def section_of(self, piece: int) -> "Section[Block]":
        return self.sections[bisect_right(self.sections, piece, key=lambda part: part.start) - 1]

    def tail(self, begin: int) -> tuple[str, int]:
        """The text from the section in which code point `begin` stands, and where that begins."""
        number = bisect_right(self.sections, begin, key=lambda section: section.origin) - 1
        text = "".join([section.text for section in self.sections[number:]])
        return text, self.sections[number].origin

    def piece_at(self, point: int) -> int:
        """The piece in which a code point of the text stands."""
        number = bisect_right(self.sections, point, key=lambda section: section.origin) - 1
        section = self.sections[number]
        ends = list(accumulate(len(piece.text) for piece in section.pieces))
        return section.start + bisect_right(ends, point - section.origin)

    def point_of(self, piece: int) -> int:
        """The code point of the text with which a piece begins."""
        section = self.section_of(piece)
        inside = section.pieces[: piece - section.start]
        return section.origin + sum(len(before.text) for before in inside)

    def piece(self, number: int) -> Piece:
        section = self.section_of(number)
        return section.pieces[number - section.start]

    def add_text(self, text: str) -> None:
        """Append text that is no token's."""
        self.sections[-1].add(Piece(text))

    def mark(self, number: int, sign: str, on: bool = True) -> None:
        """Draw a sign before a piece, or no longer."""
        mark = self.piece(number).mark
        if (sign in mark) != on:
            changed = sign + mark if on else mark.replace(sign, "")
            self.section_of(number).change(number, mark=changed)

    def _open(self) -> "Section[Block]":
        """Begin another section."""
        last = self.sections[-1]
        self._tops.append(self._tops[-1] + last.height)
        self.sections.append(Section(self.frame, self, last.stop, last.origin + len(last.text)))
        return self.sections[-1]


class Tokens(Block):
    """Pieces from records."""

    def __init__(self, kind: Kind, frame: Frame) -> None:
        super().__init__(kind, frame)
        self._unfinished: list[int] = []  # pieces whose bytes wait for the rest of a character

    def add_records(self, records: Iterable[TokenRecord]) -> None:
        """Append tokens: constant cost for each, whatever the length."""
        for record in records:
            text, shown = record.text, None
            if not text or self._unfinished or REPLACEMENT in text:
                raw = bytes.fromhex(record.bytes)
                if not text:
                    shown = self._without_text(record, raw)
                elif self._unfinished:
                    text = self._finish(text, raw)
                if text and not text.strip(REPLACEMENT) and not _is_text(raw):
                    shown = hexadecimal(raw)
            section = self.sections[-1]
            if not self._unfinished and section.ends_before(text):
                section = self._open()
            self.records.append(record)
            forced = record.forced
            section.add(Piece(text, FORCED.get(forced, "") if forced else "", shown))

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
            self.section_of(first).change(first, text=text[:bad])
            return text[bad:]
        for piece in (first, *rest):
            self.section_of(piece).change(piece, shown="")
        return text


class Answer(Tokens):
    """What the model said."""

    def __init__(self, frame: Frame) -> None:
        super().__init__("answer", frame)
        self._pieces: dict[int, int] = {}  # record index -> piece

    @property
    def span(self) -> Span | None:
        return Span(self.records[0].index, self.records[-1].index) if self.records else None

    def ref(self, piece: int) -> TokenRef:
        return TokenRef(self.records[piece].index)

    def piece_of(self, ref: TokenRef) -> int | None:
        return None if ref.nth else self._pieces.get(ref.index)

    def add(self, *records: TokenRecord) -> None:
        first = len(self.records)
        self._pieces.update((record.index, first + n) for n, record in enumerate(records))
        self.add_records(records)

    def mark_valley(self, index: int) -> bool:
        """Mark the valley at record `index`; False if it is not in this answer."""
        piece = self._pieces.get(index)
        if piece is None:
            return False
        at = bisect_left(self.valleys, piece)
        if self.valleys[at : at + 1] != [piece]:
            self.valleys.insert(at, piece)
            self.mark(piece, VALLEY)
        return True


class Prompt(Tokens):
    """What the model was told: tokens if it is known what they met, otherwise the text."""

    def __init__(self, prompt: PromptRecord, frame: Frame) -> None:
        roles: dict[str, Kind] = {"system": "system", "assistant": "answer"}
        super().__init__(roles.get(prompt.role, "user"), frame)
        self.prompt = prompt
        records = prompt.records or []
        spoken = _overlap(records, prompt.text)
        self._first = spoken.start
        self.add_records(records[nth] for nth in spoken)
        for at, _ in prompt.valleys or ():
            if at in spoken:  # another one lies in the template
                self.valleys.append(at - self._first)
                self.mark(at - self._first, VALLEY)
        if not spoken:
            self.add_text(prompt.text)

    @property
    def span(self) -> Span:
        return Span(self.prompt.index, self.prompt.index)

    def ref(self, piece: int) -> TokenRef:
        return TokenRef(self.prompt.index, self._first + piece)

    def piece_of(self, ref: TokenRef) -> int | None:
        piece = ref.nth - self._first
        known = ref.index == self.prompt.index and 0 <= piece < len(self.records)
        return piece if known else None


def _overlap(records: Sequence[TokenRecord], text: str) -> range:
    """Which tokens spell the text, whole; none if they don't. Templates may trim what they get."""
    raw = [bytes.fromhex(record.bytes) for record in records]
    whole = b"".join(raw)
    ends = list(accumulate(map(len, raw)))
    for said in (text, text.strip()):
        sought = said.encode(errors="replace")
        found = [match.start() for match in re.finditer(b"(?=" + re.escape(sought) + b")", whole)]
        if not sought or not found:
            continue
        # What is said ends at a mark of the template; short words occur in the template itself.
        marked = [at for at in found if _MARK.match(whole, at + len(sought))]
        start = (marked or found)[-1]
        return range(bisect_right(ends, start), bisect_left(ends, start + len(sought)) + 1)
    return range(0)


_MARK = re.compile(rb"\s*(<[^<>\s]+>|\[/?[A-Z_]+\])")
"""The end of a turn as templates write it."""


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
