"""Text that is looked for in a transcript: where it stands, and what comes next."""

import re
from bisect import bisect_left
from typing import NamedTuple

from entropix_tui.transcript.transcript import Place, Row, Transcript

_BLOCK = 1 << 40


class Match(NamedTuple):
    """Code points `start` to `end` of a block's text."""

    block: int
    start: int
    end: int


class Finder:
    """All places of a text, whatever its case, across tokens and lines; `current` is one of them.

    The text is what the stream holds, not what is drawn for it.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.query = ""
        self.current: int | None = None
        # A letter is found ten thousands of times: block and start in one number each, since
        # numbers cost a tenth of what objects do.
        self._found: list[int] = []
        self._seen = (0, 0)  # the last block's number and length when it was looked through

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self._found)

    def match(self, number: int) -> Match:
        block, start = divmod(self._found[number], _BLOCK)
        return Match(block, start, start + len(self.query))

    def search(self, query: str) -> None:
        """Look for another text, everywhere; an empty one finds nothing."""
        self.query, self.current = _folded(query), None
        self._found.clear()
        self._look(0, 0)

    def extend(self) -> bool:
        """Look through what has been added at the end since; True if there is something new."""
        number, length = self._seen
        if not self.query or number >= len(self.transcript.blocks):
            return False
        before = self.count
        begin = max(0, length - len(self.query) + 1)
        if before and self.match(before - 1).block == number:
            begin = max(begin, self.match(before - 1).end)
        self._look(number, begin)
        return self.count > before

    def _look(self, first: int, begin: int) -> None:
        if not self.query:
            return
        blocks, pattern = self.transcript.blocks, re.compile(re.escape(self.query))
        for number in range(first, len(blocks)):
            text, origin = blocks[number].tail(begin)
            base = number * _BLOCK + origin
            found = pattern.finditer(_folded(text), begin - origin)
            self._found += [base + match.start() for match in found]
            self._seen = (number, origin + len(text))
            begin = 0

    def go(self, step: int, near: Place | None = None) -> Place | None:
        """Make the next match (`step` 1 or -1) the current one, around the ends; its place.

        The first time it is the first after `near`, or the last before it.
        """
        if not self._found:
            return None
        if self.current is None:
            at = 0
            if near is not None:
                point = self.transcript.blocks[near.block].point_of(near.piece)
                at = bisect_left(self._found, near.block * _BLOCK + point)
            self.current = (at if step > 0 else at - 1) % self.count
        else:
            self.current = (self.current + step) % self.count
        match = self.match(self.current)
        return Place(match.block, self.transcript.blocks[match.block].piece_at(match.start))

    def on(self, row: Row) -> list[tuple[int, int, bool]]:
        """What was found on a row: from and to (code points of its line), and if it's current."""
        if row.line is None:
            return []
        start, base = row.section.before(row.at), row.number * _BLOCK
        first = bisect_left(self._found, base + start - len(self.query) + 1)
        after = bisect_left(self._found, base + start + len(row.line.source))
        found = []
        for number in range(first, after):
            match = self.match(number)
            found.append((match.start - start, match.end - start, number == self.current))
        return found


def _folded(text: str) -> str:
    """Without case, and as long as it was."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)
