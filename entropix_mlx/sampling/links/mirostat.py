"""A bound of the surprisal that keeps it at a target on average."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.records.measures import Measure, sampled
from entropix_mlx.sampling.link import At, Drawn, Link, State
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import Past

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.pool import Pool

MU = sampled("mu")


@dataclass(frozen=True, kw_only=True)
class Mirostat(Link):
    """Mirostat 2.0 (Basu and others, 2020, arXiv 2007.14966), as llama.cpp has it: the surprisal
    that is fed back is that of the final draw. Bits. What is forced leaves the bound as it is.
    """

    mirostat_tau: float = number(
        0.1,
        20,
        default=5.0,
        doc="surprisal that is aimed at (bits)",
        step=(0.1, 1.0),
        tune=(1.0, 8.0),
    )
    mirostat_eta: float = number(
        0, 1, default=0.1, doc="how fast the bound follows", step=(0.01, 0.1)
    )

    summary: ClassVar[str] = "a bound of the surprisal that keeps it at a target on average"
    formula: ClassVar[tuple[str, ...]] = (
        "-log2 p <= mu, or the most likely token",
        "mu <- mu - mirostat_eta (-log2 p of the draw - mirostat_tau), from 2 mirostat_tau on",
    )
    last: ClassVar[bool] = True
    measures: ClassVar[tuple[Measure, ...]] = (MU,)
    arrays: ClassVar[int] = 1

    @staticmethod
    def state(values: Mapping[str, Any], path: Sequence[Past]) -> State:
        import mlx.core as mx

        told = (past.measures.get(MU.name) for past in reversed(path))
        mu = next((mu for mu in told if mu is not None), 2 * values["mirostat_tau"])
        return (mx.array(mu, mx.float32),)

    @staticmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        import mlx.core as mx

        (mu,) = at.state
        first = mx.arange(pool.logits.shape[0]) == mx.argmax(pool.logits)
        return pool.keep((-mx.log2(pool.p) <= mu) | first), mu

    @staticmethod
    def remember(entered: "Pool", at: At, drawn: Drawn) -> "tuple[State, tuple[mx.array, ...]]":
        import mlx.core as mx

        del entered
        (mu,) = at.state
        error = -mx.log2(drawn.p) - at.p["mirostat_tau"]
        mu = mx.where(drawn.free, mu - at.p["mirostat_eta"] * error, mu)
        return (mu,), (mu,)
