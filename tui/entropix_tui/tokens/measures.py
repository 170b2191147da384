"""What can be read off a token's record: each measure with its unit and its one fixed scale.

Colours, strips and legends all use these, so that a height and a colour mean the same everywhere.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from entropix_mlx.records.record import TokenRecord


class Measure(NamedTuple):
    """`value` is drawn from 0 to `top`; `None` where a record doesn't have it.

    `thresholds` are the names of the settings that are levels of this measure.
    """

    name: str
    symbol: str
    unit: str
    top: float
    value: Callable[[TokenRecord], float | None]
    thresholds: tuple[str, ...] = ()


def surprisal(record: TokenRecord) -> float | None:
    """Bits; the infinitely surprising does not occur in a trace."""
    return None if record.logprob is None else -record.logprob / math.log(2)


def rank_bits(record: TokenRecord) -> float | None:
    """`log2` of the rank from 1: the most likely token has 0, the second 1, the 1024th 10."""
    return None if record.rank is None else math.log2(record.rank + 1)


ENTROPY = Measure(
    # Ordinary text stays under 11 bits; 15.6 (49k vocabulary) and 17 (128k) are the ends of the
    # world and would press everything real into the lower half.
    "entropy", "H", "bits", 12.0, lambda r: r.entropy, ("lelv_entropy", "helv_entropy")
)  # fmt: skip
VARENTROPY = Measure(
    # Ordinary text stays under 25 bits^2.
    "varentropy", "V", "bits²", 30.0, lambda r: r.varentropy, ("lelv_varentropy", "hehv_varentropy")
)  # fmt: skip
SURPRISAL = Measure("surprisal", "S", "bits", 16.0, surprisal)
RANK = Measure("rank", "R", "log2", 10.0, rank_bits)
ATTENTION_ENTROPY = Measure("attn entropy", "A", "bits", 8.0, lambda r: r.attn_entropy)
ATTENTION_VARENTROPY = Measure("attn varentropy", "B", "bits²", 6.0, lambda r: r.attn_varentropy)
AGREEMENT = Measure("agreement", "G", "", 1.0, lambda r: r.agreement)
INTERACTION = Measure("interaction", "I", "", 8.0, lambda r: r.interaction_strength)

MEASURES = {
    measure.name: measure
    for measure in (
        ENTROPY,
        VARENTROPY,
        SURPRISAL,
        RANK,
        ATTENTION_ENTROPY,
        ATTENTION_VARENTROPY,
        AGREEMENT,
        INTERACTION,
    )
}
