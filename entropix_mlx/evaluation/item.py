"""What is asked of a sampler, and what a judge says of the answer."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question of a task, complete: its line in `items.jsonl` is all that a judge needs.

    `opening`: put into the answer's mouth. `accepted`: the right answers, each in full; `rejected`:
    wrong ones that an answer may settle on. `data`: what only the task's own judge understands.
    """

    id: str
    prompt: str
    kind: str = ""
    opening: str = ""
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    data: dict[str, str] = {}


def guessing(items: Sequence[Item]) -> float | None:
    """The share of right answers that guessing among each item's `accepted` and `rejected` has."""
    shares = [len(item.accepted) / len(item.accepted + item.rejected) for item in items]
    return sum(shares) / len(shares) if shares else None


class Items(NamedTuple):
    """The items of a run, and what of the source could not be used.

    `problems`: a sentence each, of the first `PROBLEMS`; `left_out`: how many there were.
    """

    items: list[Item]
    problems: tuple[str, ...] = ()
    left_out: int = 0


PROBLEMS = 20

TOO_LONG = "context"
"""How an answer ends that has no room in the model's context after its prompt."""


class Verdict(NamedTuple):
    """`given`: the answer that a text settles on, None if it has none; `right`: whether it is the
    right one, None where a task does not judge.
    """

    given: str | None = None
    right: bool | None = None


class Result(msgspec.Struct, frozen=True):
    """One answer, judged: a line of `results.jsonl`.

    `sampler`: as the command line has it. `sample`: from 1, with its `seed`. `text`: the answer
    without the item's opening. `ms`: a step's time over the rows that share it, mean over its
    tokens, as are `entropy` (bits), `varentropy` (bits^2) and `logprob` (nats). `first_fork`: the
    place, from 0, of the first token of high entropy. `repetition`: the share of trigrams of words
    that were there before. `trace`: its file, in the run's folder; empty where nothing was drawn.
    """

    sampler: str
    item: str
    kind: str
    sample: int
    seed: int
    text: str
    given: str | None
    right: bool | None
    finish_reason: str
    tokens: int
    ms: float | None
    entropy: float | None
    varentropy: float | None
    logprob: float | None
    first_fork: int | None
    repetition: float
    trace: str
