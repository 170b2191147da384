"""The tokens of the present branch in one row, as strips show them, and a window on that row."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from entropix_mlx.records.record import CLARIFY, End, Event, PromptRecord, TokenRecord
from entropix_mlx.sampling.valleys import DELTA, Valley
from entropix_tui.tokens.course import Course
from entropix_tui.tokens.token_ref import TokenRef

_NTHS = 1 << 24
"""More ids than any prompt has."""

FREE = 4
"""A full window moves on by a fourth of its width: bars that stand still are easier to read than
running ones, and far cheaper to draw."""


def _key(ref: TokenRef) -> int:
    return ref.index * _NTHS + ref.nth


class Timeline:
    """One column for each token: the scored ones of prompts, and those that were generated.

    Values are read off the records when they are drawn, so that a hundred thousand tokens cost
    nothing until they are looked at. Records come in the order of their indices, as in any path.
    """

    def __init__(self, valley_delta: float = DELTA) -> None:
        self.records: list[TokenRecord] = []
        self.course = Course(self.records, valley_delta)
        self.start = 0
        """First column of the window."""
        self._keys = array("q")
        self.has_inserted = False
        """Whether a sampler inserted any of them to clarify."""
        self._prompts = bytearray()  # by column: whether it is a prompt's
        self._valleys: dict[int, int] = {}  # where it was confirmed, by its minimum, in order

    def __len__(self) -> int:
        return len(self.records)

    def clear(self) -> None:
        self.__init__(self.course.delta)  # type: ignore[misc]

    def add(self, record: PromptRecord | TokenRecord | Event | End) -> None:
        """Take in the next record; what has no column is passed over."""
        match record:
            case TokenRecord():
                if not self._prompts or self._prompts[-1]:
                    self.course.begin()
                self.records.append(record)
                self.has_inserted = self.has_inserted or record.forced == CLARIFY
                self._keys.append(record.index * _NTHS)
                self._prompts.append(0)
            case PromptRecord():
                first, nested = record.index * _NTHS, record.records or ()
                self.course.begin()
                self.records += nested
                self._keys.extend(range(first, first + len(nested)))
                self._prompts += b"\1" * len(nested)
                for at, confirmed in record.valleys or ():
                    self._valleys[first + at] = first + confirmed
            case Event(kind="valley", at=int(at)):
                self._valleys[at * _NTHS] = record.index * _NTHS

    def rebuild(
        self, path: Iterable[PromptRecord | TokenRecord], events: Iterable[Event | End] = ()
    ) -> None:
        """Show another branch."""
        self.clear()
        for record in (*path, *events):
            self.add(record)

    def column_of(self, ref: TokenRef) -> int | None:
        """Where a token stands; None if it isn't in the row."""
        key = _key(ref)
        column = bisect_left(self._keys, key)
        return column if column < len(self._keys) and self._keys[column] == key else None

    def at_hand(self, ref: TokenRef | None) -> TokenRecord | None:
        """The record of a token that is in the row; without a name, the newest."""
        column = len(self) - 1 if ref is None else self.column_of(ref)
        return None if column is None or column < 0 else self.records[column]

    def ref(self, column: int) -> TokenRef:
        return TokenRef(*divmod(self._keys[column], _NTHS))

    @property
    def has_prompts(self) -> bool:
        """Whether any of them is a prompt's."""
        return 1 in self._prompts

    def is_prompt(self, column: int) -> bool:
        return bool(self._prompts[column])

    def answered(self, first: int) -> Iterator[TokenRecord]:
        """The generated tokens among the columns from `first` on."""
        columns = zip(self.records[first:], self._prompts[first:], strict=True)
        return (record for record, is_prompt in columns if not is_prompt)

    def is_valley(self, column: int) -> bool:
        return self._keys[column] in self._valleys

    def valley(self, ref: TokenRef) -> Valley | None:
        """How far the entropy fell to a token and rose after it, if there is a valley."""
        key = _key(ref)
        column, confirmed = self.column_of(ref), self._valleys.get(key)
        last = None if confirmed is None else self.column_of(TokenRef(*divmod(confirmed, _NTHS)))
        if column is None or last is None:
            return None
        earlier = max((k for k in self._valleys if k < key), default=None)
        before = None if earlier is None else bisect_left(self._keys, earlier)
        return self.course.valley(column, last, before)

    # The window.

    def show(self, column: int, width: int) -> bool:
        """Have a column in a window of `width` columns; whether that moved the window."""
        if self.start <= column < self.start + width:
            return False
        self.start = max(0, min(column - width // 2, len(self) - width))
        return True

    def follow(self, width: int) -> bool:
        """Have the newest in the window, with room for what comes next; whether that moved it.

        Where it comes to stand follows from the number of columns, not from when one looked.
        """
        step = max(1, width // FREE)
        before, self.start = self.start, -(-max(0, len(self) - width) // step) * step
        return self.start != before

    def pan(self, step: int, width: int) -> bool:
        """Move the window by `step` columns; whether it moved."""
        before, self.start = self.start, max(0, min(self.start + step, len(self) - width))
        return self.start != before
