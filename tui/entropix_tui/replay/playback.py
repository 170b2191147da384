"""A recorded conversation as a film: where it stands, whether it runs, how fast.

It knows no clock and no screen: time is given to it, and what is to be seen is asked of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal

from entropix_mlx.records.record import Event, PromptRecord, TokenRecord
from entropix_tui.engine.outputs import TurnRecord

Unit = Literal["token", "turn", "valley"]

AT_ONCE = float("inf")
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, AT_ONCE)
"""Times as fast as it was recorded."""

UNTIMED = 0.05
"""Seconds of a token of which none are recorded, as of a text that was scored."""
LONGEST = 2.0
"""Seconds of a token at most: a debugger may have halted at it for an hour."""
PROMPT = 0.6
"""Seconds that a prompt stands alone, so that a turn is seen to begin."""
STALL = 0.5
"""Seconds that pass at most between two calls: what could not be drawn is not leapt over."""
NEAR, NEAR_PLAYING = 64, 512
"""So many records are shown one after another; beyond, beginning anew costs less, and instruments
that scroll along show their window's worth.
"""


class Playback:
    """`position`: how many of its prompts and tokens are shown, each with all that happened at it
    (valleys, changed settings, the end of the answer). It begins at the end, paused.
    """

    def __init__(self, records: Iterable[TurnRecord]) -> None:
        self.records: list[TurnRecord] = []
        self.position = 0
        self.playing = False
        self.speed = 1.0
        # By position: how many records are shown there, of which tokens, after how many seconds.
        self._ends = [0]
        self._tokens = [0]
        self._times = [0.0]
        # Positions, in order.
        self._prompts: list[int] = []
        self._valleys: list[int] = []
        self.elapsed = 0.0
        for record in records:
            self._add(record)
        self.seek(self.length)

    def append(self, record: TurnRecord) -> None:
        """One more record at the end; who stands there sees it."""
        at_end = self.is_over
        self._add(record)
        if at_end:
            self.seek(self.length)

    def _add(self, record: TurnRecord) -> None:
        self.records.append(record)
        if isinstance(record, TokenRecord):
            self._ends.append(len(self.records))
            self._tokens.append(self._tokens[-1] + 1)
            seconds = UNTIMED if record.ms is None else record.ms / 1000
            self._times.append(self._times[-1] + min(max(seconds, 0.0), LONGEST))
        elif isinstance(record, PromptRecord):
            self._ends.append(len(self.records))
            self._tokens.append(self._tokens[-1])
            self._times.append(self._times[-1] + PROMPT)
            self._prompts.append(self.length)
        else:
            self._ends[-1] = len(self.records)
            is_valley = isinstance(record, Event) and record.kind == "valley"
            if is_valley and self.length and self._valleys[-1:] != [self.length]:
                self._valleys.append(self.length)

    @property
    def length(self) -> int:
        """The last position."""
        return len(self._ends) - 1

    @property
    def is_over(self) -> bool:
        return self.position == self.length

    @property
    def tokens(self) -> tuple[int, int]:
        """How many are shown, and how many there are."""
        return self._tokens[self.position], self._tokens[-1]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._times[-1]

    @property
    def turns(self) -> list[int]:
        """The positions at which a turn's last prompt has come, and its answer begins."""
        prompts = set(self._prompts)
        return [at for at in self._prompts if at + 1 not in prompts]

    # What is shown.

    @property
    def shown(self) -> list[TurnRecord]:
        return self.records[: self._ends[self.position]]

    def due(self, known: int) -> list[TurnRecord] | None:
        """What to show after the first `known` records; None: begin anew, with all of `shown`."""
        end = self._ends[self.position]
        near = known + (NEAR_PLAYING if self.playing else NEAR)
        return self.records[known:end] if known <= end <= near else None

    # Moving.

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if not self.playing:
            return
        if self.speed == AT_ONCE:
            self.seek(self.length)
        else:
            elapsed = self.elapsed + min(max(seconds, 0.0), STALL) * self.speed
            at = bisect_right(self._times, elapsed) - 1
            self.position = max(self.position, at)
            self.elapsed = min(elapsed, self.duration)
        if self.is_over:
            self.playing = False

    def toggle(self) -> None:
        """Play or pause; at the end, play from the beginning."""
        if not self.playing and self.is_over:
            self.seek(0)
        self.playing = not self.playing and self.length > 0

    def seek(self, position: int) -> None:
        """Go to a position, or the nearest that there is."""
        self.position = max(0, min(position, self.length))
        self.elapsed = self._times[self.position]

    def place(self, share: float) -> int:
        """The position at a share (0 to 1) of the whole."""
        return round(max(0.0, min(share, 1.0)) * self.length)

    def beside(self, unit: Unit, step: int) -> int | None:
        """The next position (1) or the one before (-1) of a kind; None if there is none.

        Turns end at either end of the whole.
        """
        if unit == "token":
            there = self.position + step
            return there if 0 <= there <= self.length else None
        places = self._valleys
        if unit == "turn":
            places = sorted({0, *self.turns, self.length})
        at = bisect_right(places, self.position) if step > 0 else bisect_left(places, self.position)
        at -= step < 0
        return places[at] if 0 <= at < len(places) else None

    def faster(self, step: int) -> None:
        """The next speed (1), or the one before (-1)."""
        at = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[max(0, min(at, len(SPEEDS) - 1))]
