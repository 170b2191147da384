"""What records don't hold, computed for one token on demand: the vocabulary, the attention."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from entropix_mlx.records.record import Candidate, Region

if TYPE_CHECKING:  # screens know these values before they need NumPy
    import numpy as np
    import numpy.typing as npt

HEAD, TAIL = 256, 64
"""How many of the most and the least likely tokens are spelt out."""

STRONGEST = 4
"""How many of the positions that a head attends to most are named."""


@dataclass(frozen=True)
class Attention:
    """Of the query that the token was drawn from.

    `entropy` float32 `[layers, heads]`, bits; `keys`: how many could be attended to, so that
    `log2(keys)` is the greatest entropy; `weights` float32 `[keys]`, mean over layers and heads,
    by position in the context; `strongest` int32 `[layers, heads, 4]`: each head's most attended
    positions, -1 where there is none to name. Positions count ids from 0; see `places`. Layers that
    see only a window of the context are left out of positions and weights.
    """

    entropy: "npt.NDArray[np.float32]"
    keys: int
    weights: "npt.NDArray[np.float32]"
    strongest: "npt.NDArray[np.int32]"


@dataclass(frozen=True)
class Inspection:
    """The distribution that the token at record `index` was drawn from, whole.

    `logprobs` float32 `[vocabulary]` in nats, raw, in descending order. `head` and `tail` are the
    `HEAD` most likely and `TAIL` least likely as `(id, text, logprob, p)`, in descending order, `p`
    raw. `places[i]` is the index of the record that position i of the context belongs to and the
    number of the id in it. `attention` is None where it cannot be captured. A raw logit is its
    log-probability plus `normaliser`, the logarithm of the sum of all their exponentials.
    """

    index: int
    logprobs: "npt.NDArray[np.float32]"
    normaliser: float
    head: list[Candidate]
    tail: list[Candidate]
    attention: Attention | None
    places: list[tuple[int, int]]


@dataclass(frozen=True)
class LayerSaid:
    """What a layer would have said (the logit lens): its output through the final norm and head.

    `entropy` in bits; `candidates`: its most likely tokens, `p` raw; `rank` of what the last layer
    says first.
    """

    entropy: float
    candidates: list[Candidate]
    rank: int


@dataclass(frozen=True)
class Future:
    """One step further: what would come after a candidate.

    `candidate`: the token and its raw probability; `entropy` (bits) and `varentropy` (bits^2) of
    the distribution after it, whose most likely tokens are `then`.
    """

    candidate: Candidate
    entropy: float
    varentropy: float
    then: list[Candidate]


@dataclass(frozen=True)
class Stage:
    """`p`: the probabilities of the followed tokens after it, 0 where removed. `kept`: how many
    tokens of the vocabulary are left; `removed`: the probability (before it) of what it removed.
    `name`: raw, banned (if ids are), the sampler's own, draws.
    """

    name: str
    setting: float | int | None
    p: list[float]
    kept: int
    removed: float


@dataclass(frozen=True)
class Waterfall:
    """How the step under way is decided.

    `tokens`: `(id, text)` of those followed, most likely first, the drawn ones after them. `drawn`:
    ids in the order in which they were drawn, of which the best, or the only one, is `token`;
    `scores`: each one's log-probability (nats, after the filters), by which the best is found: the
    guide adds a confidence to them, which all candidates of a step share.
    """

    region: Region
    strategy: str
    tokens: list[tuple[int, str]]
    stages: list[Stage]
    drawn: list[int]
    scores: list[float]
    token: int
