"""What would go on with a repetition is made less likely, the more the longer it is."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.sampling import recent
from entropix_mlx.sampling.link import At, Drawn, Link, State
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.vocabulary import Vocabulary

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

BREAKERS = b'\n:"*'
"""A repetition does not go beyond a token with one of these."""

_LONGEST = 64
"""Longer repetitions count as this long: what goes on with one is impossible before."""
_GREATEST = 1e30


@dataclass(frozen=True, kw_only=True)
class Dry(Link):
    """ "Don't repeat yourself", as llama.cpp has it, over the last tokens, the prompt's too."""

    dry_multiplier: float = number(
        0,
        10,
        default=0.8,
        doc="subtracted for a repetition as long as allowed",
        step=(0.1, 0.5),
        tune=(0.1, 2.0),
    )
    dry_base: float = number(
        1, 10, default=1.75, doc="times so much for every token more", step=(0.05, 0.25)
    )
    dry_allowed_length: int = number(
        1, 60, default=2, doc="tokens that may be repeated", step=(1, 4)
    )
    dry_last_n: int = number(8, 1024, default=256, doc="so many tokens back", step=(8, 64))

    summary: ClassVar[str] = "a penalty for going on with a repetition, growing with its length"
    formula: ClassVar[tuple[str, ...]] = (
        "n = the most last tokens that came before, and then this one",
        "logit - dry_multiplier dry_base^(n - dry_allowed_length), where n is as long",
    )
    by_id: ClassVar[bool] = True
    arrays: ClassVar[int] = 1

    @staticmethod
    def fixed(values: Mapping[str, Any], vocabulary: Vocabulary) -> Hashable:
        del values
        return vocabulary.holding(BREAKERS)

    @staticmethod
    def state(values: Mapping[str, Any], path: Sequence[Past]) -> State:
        return (recent.ids(path, values["dry_last_n"]),)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx
        import numpy as np

        (last,) = at.state
        multiplier, allowed = at.p["dry_multiplier"], at.p["dry_allowed_length"]
        back = last[::-1]  # the newest first
        size, longest = back.shape[0], min(_LONGEST, back.shape[0])
        breaks = mx.zeros(size, mx.bool_)
        if at.fixed:
            holding = mx.array(np.frombuffer(at.fixed, np.uint8))
            breaks = holding[mx.clip(back, 0, len(at.fixed) - 1)] == 1
        # `same[k, j]`: whether the token j back is that k + j back.
        places = mx.arange(size)[:, None] + mx.arange(longest)[None, :]
        earlier = back[mx.minimum(places, size - 1)]
        same = (earlier == back[None, :longest]) & (places < size) & (earlier >= 0)
        before_break = mx.cumsum(breaks[:longest].astype(mx.int32)) == 0
        lengths = mx.sum(mx.cumprod((same & before_break).astype(mx.int32), axis=1), axis=1)
        # Where it came before, k >= 1 back, the token after it was k - 1 back.
        after, lengths = back[:-1], lengths[1:]
        one = after[:, None] == after[None, :]
        most = mx.max(mx.where(one, lengths[None, :], 0), axis=1)
        penalty = multiplier * mx.minimum(at.p["dry_base"] ** (most - allowed), _GREATEST)
        penalised = (most >= allowed) & ~breaks[:-1]
        penalty = mx.where(penalised, penalty, 0.0)
        return at.changed(pool, after, lambda logits: logits - penalty), multiplier

    @staticmethod
    def remember(entered: "Pool", at: At, drawn: Drawn) -> "tuple[State, tuple[mx.array, ...]]":
        del entered
        return (recent.with_one_more(at.state[0], drawn.id),), ()
