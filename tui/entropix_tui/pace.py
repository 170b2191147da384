"""How often an instrument repaints: a few times a second, however fast tokens come."""

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
