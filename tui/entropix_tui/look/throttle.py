"""How often the screen and its instruments repaint, however fast tokens come."""

import time
from collections.abc import Callable

INTERVAL = 0.125
"""Seconds between two repaints: eight a second look alive, thirty cost four times as much."""

SELDOM = 0.28
"""The same, for what is read and not watched. At thirty ticks a second these are every fourth and
every eighth, so that what is painted seldom is painted together with the rest."""


class Pace:
    """Says when the next repaint is due."""

    def __init__(
        self, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._next = -float("inf")

    def due(self) -> bool:
        """Whether it is time; if so, the next time is an interval from now."""
        now = self._clock()
        if now < self._next:
            return False
        # A tick comes early by a hair now and then; it would cost a whole tick to be strict.
        self._next = now + 0.9 * self._interval
        return True


class Share:
    """Says when the screen may show more, so that it takes a share of a core at most.

    A slow machine paints seldom, a fast one as often as it looks. `longest` bounds the seconds
    between two pictures; `cpu` tells the seconds of CPU time that the calling thread has used.
    """

    def __init__(
        self,
        longest: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._longest = longest
        self._clock, self._cpu = clock, cpu
        self._since, self._used = -float("inf"), 0.0

    def due(self, share: float) -> bool:
        """Whether what was used since it was last due is at most that share of the time since."""
        now, used = self._clock(), self._cpu()
        if now - self._since < min((used - self._used) / share, self._longest):
            return False
        self._since, self._used = now, used
        return True
