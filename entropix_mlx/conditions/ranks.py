"""Comparisons with a rank that say nothing, because every token meets them, or none does.

`rank` counts from 1, as screens do; `rank0` from 0, as records do. Whoever mixes them up writes
such a comparison more often than not, so it is refused, with what was meant.
"""

import math

from entropix_mlx.conditions.operands import Field, Literal, Minus, Operand, number_text
from entropix_mlx.conditions.terms import ORDERS, compared

_LEAST = {"rank": 1, "rank0": 0}
_TURNED = dict(zip(ORDERS, (">", ">=", "<", "<="), strict=True))


def senseless(left: Operand, sign: str, right: Operand) -> str | None:
    """What is wrong with a comparison of a rank with a number, and what to write; None where
    there is nothing.
    """
    if isinstance(left, Literal):
        left, sign, right = right, _TURNED.get(sign, sign), left
    if not isinstance(right, Literal):
        return None
    bound = right.value
    if isinstance(left, Minus):
        left, sign, bound = left.operand, _TURNED.get(sign, sign), -float(bound)
    if not isinstance(left, Field) or left.name not in _LEAST or isinstance(bound, str):
        return None
    always = _constant(left.name, sign, bound)
    if always is None:
        return None
    text = (
        f"{left.name} counts from {_LEAST[left.name]}, so {left.name} {sign} {number_text(bound)} "
        f"holds of {'every' if always else 'no'} token"
    )
    if left.name == "rank" and _constant("rank0", sign, bound) is None:
        meant = number_text(bound + 1)
        return f"{text}; write rank {sign} {meant}, or rank0 {sign} {number_text(bound)}"
    return f"{text}; leave it out"


def _constant(name: str, sign: str, bound: float) -> bool | None:
    """Whether every rank that there can be is so, or none is; None if that depends."""
    least = _LEAST[name]
    near = (least, *(math.floor(bound) + n for n in (-1, 0, 1)), math.inf)
    held = {compared(rank, sign, bound) for rank in near if rank >= least}
    return held.pop() if len(held) == 1 else None
