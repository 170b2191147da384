"""Regular expressions that a condition searches texts for, as the library `regex` has them.

A search is given up after `TIMEOUT`, so no expression can hold up an answer.
"""

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entropix_models.errors import UsageError

if TYPE_CHECKING:
    import regex

LONGEST = 200
"""Characters of a pattern."""

REACH = 2_000
"""So many characters at the end of a text are searched."""

TIMEOUT = 0.1
"""Seconds of processor time for one search; those that are meant to end take microseconds."""

_LARGEST = 10_000
"""Bound on a pattern's size with its counted repeats written out, as it is when compiled."""

_COUNTS = re.compile(r"(\)?)\{([0-9]*),?([0-9]*)\}")


class PatternError(ValueError):
    """A pattern that is wrong; `position` counts from 0."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.position = position


class SlowPatternError(UsageError):
    """A search that was given up: whether the pattern is in the text is not known."""


@dataclass(frozen=True)
class Pattern:
    """Raises PatternError for what is no pattern, is over `LONGEST`, or repeats too much."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST:
            raise PatternError(f"a pattern has at most {LONGEST} characters", LONGEST)
        if _size(self.text) > _LARGEST:
            raise PatternError("its repeats come to too much; count less far", 0)
        _compiled(self.text)

    def search(self, text: str) -> bool:
        """Whether it occurs in the last `REACH` characters of a text.

        What lies before them is seen by places (`^`, `\\b`) and by looking behind alone. Raises
        SlowPatternError.
        """
        start = max(len(text) - REACH, 0)
        try:
            return _compiled(self.text).search(text, start, timeout=TIMEOUT) is not None
        except TimeoutError:
            raise SlowPatternError(
                f'the pattern "{self.text}" takes too long to search for; write it with fewer '
                "repeats within repeats"
            ) from None


@functools.lru_cache(maxsize=64)
def _compiled(text: str) -> "regex.Pattern[str]":
    import regex  # what searches for nothing does not wait for it

    try:
        return regex.compile(text)
    except regex.error as error:
        raise PatternError(error.msg, min(error.pos or 0, len(text))) from None
    except (ValueError, RecursionError) as error:  # flags that exclude each other; too many (
        raise PatternError(str(error), 0) from None


def _size(text: str) -> int:
    """No less than the number of a pattern's steps: groups' counts multiply, others' add up."""
    size, times = len(text), 1
    for group, least, most in _COUNTS.findall(text):
        count = max(int(least or 1), int(most or 1))
        if group:
            times *= count
        else:
            size += count
    return size * times
