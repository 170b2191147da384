"""How varied a text is, by its words."""

import re

_WORD = re.compile(r"\w+")


def distinct(text: str, n: int) -> float | None:
    """distinct-n: the share of different ones among the runs of n words (whatever their case); None
    for a text that has none.
    """
    words = _WORD.findall(text.lower())
    runs = list(zip(*(words[at:] for at in range(n)), strict=False))
    return len(set(runs)) / len(runs) if runs else None


def repetition(text: str) -> float:
    """The share of the trigrams of words that were there before; 0 where there are none."""
    found = distinct(text, 3)
    return 0.0 if found is None else 1 - found
