"""How far several answers to one prompt agree."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations


def most_common(texts: Sequence[str]) -> int:
    """How many answers say what most say, but for case and white space."""
    said = Counter(" ".join(text.split()).casefold() for text in texts)
    return max(said.values(), default=0)


def beginning(answers: Sequence[Sequence[int]]) -> float | None:
    """Tokens that two answers begin with alike, averaged over all pairs; None without a pair."""
    common = [_alike(one, other) for one, other in combinations(answers, 2)]
    return sum(common) / len(common) if common else None


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
