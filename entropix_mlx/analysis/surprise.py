"""What a model did not expect in a text: its tokens by surprisal, each beside what was expected."""

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from entropix_mlx.records.measures import probability, surprisal
from entropix_mlx.records.record import TokenRecord


class Surprise(NamedTuple):
    """A token that was not the most likely one.

    `bits`: its surprisal; `token`: how it is spelt; `at`: how many characters of text come before;
    `expected`: the most likely token in its place, and `p`, its raw probability.
    """

    record: TokenRecord
    bits: float
    token: str
    at: int
    expected: str
    p: float


def surprises(records: Iterable[TokenRecord], most: int = 10, least: float = 0.0) -> list[Surprise]:
    """The `most` surprising tokens of a text, the most surprising first, of at least `least` bits.

    What was the most likely is no surprise, however unlikely it was. Tokens are given in the order
    of the text, which is what their `text` adds up to.
    """
    found = (surprise for surprise in _all(records) if surprise.bits >= least)
    return heapq.nsmallest(most, found, key=lambda one: (-one.bits, one.at))


def _all(records: Iterable[TokenRecord]) -> Iterator[Surprise]:
    at = 0
    for record in records:
        bits = surprisal(record)
        if bits is not None and record.rank and record.candidates:
            # Candidates come in the order of their raw logits.
            _, expected, logprob, _ = record.candidates[0]
            spelt = next((text for id, text, *_ in record.candidates if id == record.id), "")
            yield Surprise(record, bits, record.text or spelt, at, expected, probability(logprob))
        at += len(record.text)
