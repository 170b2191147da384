"""How the time of some work grows with its size: seconds are for benchmarks, orders for tests."""

import time
from collections.abc import Callable
from timeit import timeit

LINEAR = 30
"""What ten times the work may take at most; with the square of its size it would be a hundred."""


def ratio(work: Callable[[], object], base: Callable[[], object], rounds: int = 3) -> float:
    """Processor time of `work` over that of `base`, each the best of its rounds, in turns.

    Of this thread alone: what earlier tests left running is not theirs.
    """
    taken: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        other.append(timeit(base, timer=time.thread_time, number=1))
        taken.append(timeit(work, timer=time.thread_time, number=1))
    return min(taken) / min(other)
