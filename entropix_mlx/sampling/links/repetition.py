"""Tokens that came a short while ago are made less likely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.sampling import recent
from entropix_mlx.sampling.link import At, Drawn, Link, State
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import Past

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Repetition(Link):
    """The three penalties as llama.cpp adds them up, over the last tokens, the prompt's too. Logits
    are as they come, so it belongs before whatever shifts or scales them.
    """

    repeat_penalty: float = number(
        0.1, 10, default=1.1, doc="positive logits are divided by, others multiplied with",
        step=(0.05, 0.25), tune=(1.0, 1.5),
    )  # fmt: skip
    frequency_penalty: float = number(
        -10, 10.0, default=0.0, doc="subtracted for every time", step=(0.05, 0.25)
    )
    presence_penalty: float = number(
        -10, 10.0, default=0.0, doc="subtracted once", step=(0.05, 0.25)
    )
    repeat_last_n: int = number(1, 1024, default=64, doc="so many tokens back", step=(1, 16))

    summary: ClassVar[str] = "penalties for the tokens that came a short while ago"
    formula: ClassVar[tuple[str, ...]] = (
        "logit / repeat_penalty if it is positive, else logit repeat_penalty",
        "... - count frequency_penalty - presence_penalty, for the last repeat_last_n",
    )
    by_id: ClassVar[bool] = True
    arrays: ClassVar[int] = 1

    @staticmethod
    def state(values: Mapping[str, Any], path: Sequence[Past]) -> State:
        return (recent.ids(path, values["repeat_last_n"]),)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        (last,) = at.state
        penalty = at.p["repeat_penalty"]
        times = mx.sum(last[:, None] == last[None, :], axis=1).astype(mx.float32)

        def lower(logits: mx.array) -> mx.array:
            scaled = mx.where(logits > 0, logits / penalty, logits * penalty)
            return scaled - times * at.p["frequency_penalty"] - at.p["presence_penalty"]

        return at.changed(pool, last, lower), penalty

    @staticmethod
    def remember(entered: "Pool", at: At, drawn: Drawn) -> "tuple[State, tuple[mx.array, ...]]":
        del entered
        return (recent.with_one_more(at.state[0], drawn.id),), ()
