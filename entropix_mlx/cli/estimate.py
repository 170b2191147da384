"""How far counted work is and how long it will take, on standard error."""

import os
import sys
import time

from entropix_mlx.cli.say import tell, tell_over

_OFTEN = 0.2
"""Seconds between two pictures on a terminal."""

_LINES = 20
"""So many at most are written where nothing can be written over."""


class Estimate:
    """A line that is written over on a terminal, else one now and then."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._last = -1
        self._next = 0.0

    def told(self, done: int, tokens: int) -> None:
        """So many of all are done, so many tokens there are."""
        now, part = time.monotonic(), done * _LINES // max(self._total, 1)
        if done >= self._total or (now < self._next if self._terminal else part == self._last):
            return
        self._last, self._next = part, now + _OFTEN
        (tell_over if self._terminal else tell)(self._line(done, tokens, now - self._began))

    def close(self) -> None:
        """Leave the terminal free."""
        if self._terminal:
            tell_over("")

    def _line(self, done: int, tokens: int, seconds: float) -> str:
        parts = [f"{done} of {self._total} {self._what}", f"{tokens} tokens"]
        if tokens and seconds > 0:
            parts.append(f"{tokens / seconds:.1f} tokens/s")
        if done:
            left = seconds / done * (self._total - done)
            parts.append(f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left")
        return " · ".join(parts)
