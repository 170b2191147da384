"""Caches of branches that were left, within a budget: the least recently used go first."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count, takewhile
from typing import NamedTuple

from entropix_models.language_model import Cache, LanguageModel

BUDGET = 2**30
"""Bytes: some 40 branches of 500 tokens of SmolLM2-135M in float32, 60 of Llama-3.2-1B."""


class Kept(NamedTuple):
    """A cache that holds exactly `ids`."""

    ids: list[int]
    cache: Cache
    size: int


class PromptCachePool:
    """Caches by the ids that they hold. A model's own forks share memory until they are written
    to, so what is counted is the most that they can take.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._kept: OrderedDict[int, Kept] = OrderedDict()
        self._numbers = count()

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(kept.size for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, ids: Sequence[int], cache: Cache) -> None:
        """Keep a cache; it must not be written to any more."""
        size = nbytes(cache)
        if size > self.budget:
            return
        self._kept[next(self._numbers)] = Kept(list(ids), cache, size)
        while self.size > self.budget:
            self._kept.popitem(last=False)

    def best(self, ids: Sequence[int]) -> tuple[int, int]:
        """Number of the cache that shares most with `ids`, and how many ids; (-1, 0) for none."""
        shared = [(common(kept.ids, ids), number) for number, kept in self._kept.items()]
        length, number = max(shared, default=(0, -1))
        return (number, length) if length else (-1, 0)

    def look(self, number: int) -> Kept:
        """A cache that stays here."""
        self._kept.move_to_end(number)
        return self._kept[number]

    def take(self, number: int) -> Kept:
        """A cache that goes."""
        return self._kept.pop(number)


def beginning(model: LanguageModel, cache: Cache, length: int) -> Cache:
    """Another cache, that holds the first `length` ids of one; or none, if it can't be cut."""
    cut = model.fork(cache)
    excess = model.cached(cut) - length
    if not length or (excess and not model.trim(cut, excess)):
        return model.new_cache()
    return cut


def nbytes(cache: Cache) -> int:
    """What a cache's arrays take."""
    return sum(int(layer.nbytes) for layer in cache)


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
