"""A closer look at one distribution: one forward pass on a forked cache."""

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from entropix_mlx.records.inspection import (
    HEAD,
    STRONGEST,
    TAIL,
    Attention,
    Future,
    Inspection,
    LayerSaid,
)
from entropix_mlx.records.record import Candidate
from entropix_mlx.records.tree import Node, ids_of
from entropix_mlx.sampling import metrics
from entropix_models.attention import Reducer
from entropix_models.errors import UnsupportedError
from entropix_models.language_model import Cache, LanguageModel, Step
from entropix_models.tokenizer.tokenizer import Tokenizer


def inspect(
    model: LanguageModel, index: int, last: int, cache: Cache, path: list[Node]
) -> Inspection:
    """What the token at record `index` was drawn from.

    `cache` holds every id of `path`, the records before it, but for the `last` one, and is left
    as it is. Where the model's attention cannot be captured, the distribution alone is given.
    """
    keys = model.cached(cache) + 1
    ids = mx.array([last])
    attention = None
    try:
        step = model.step(ids, model.fork(cache), _looker(keys))
        assert step.attention is not None
        attention = _attention(step, keys)
    except UnsupportedError:
        step = model.step(ids, model.fork(cache))
    logits = step.logits[-1:]
    normaliser = metrics.moments(logits).log_normaliser
    logprobs = np.array(logits[0].astype(mx.float32) - normaliser)
    order = np.argsort(-logprobs, kind="stable")
    ranked = logprobs[order]
    tail = max(min(HEAD, len(order)), len(order) - TAIL)
    return Inspection(
        index=index,
        logprobs=ranked,
        normaliser=float(np.array(normaliser)[0]),
        head=_spelt(model.tokenizer, order[:HEAD], ranked[:HEAD]),
        tail=_spelt(model.tokenizer, order[tail:], ranked[tail:]),
        attention=attention,
        places=[(node.index, nth) for node in path for nth in range(len(ids_of([node])))],
    )


def lens(model: LanguageModel, last: int, cache: Cache, count: int = 5) -> list[LayerSaid]:
    """What each layer would have said after the id `last`, which `cache` doesn't hold.

    Raises UnsupportedError for architectures whose layers can't be asked.
    """
    logits = model.lens(mx.array([last]), model.fork(cache))
    moments = metrics.moments(logits)
    said = _most_likely(model.tokenizer, logits, moments, count)
    final = mx.full((logits.shape[0],), said[-1][0][0])
    ranks = np.array(metrics.rank(logits, final)).tolist()
    entropies = np.array(moments.entropy).tolist()
    return [LayerSaid(*layer) for layer in zip(entropies, said, ranks, strict=True)]


def futures(model: LanguageModel, cache: Cache, ids: list[int], logits: mx.array) -> list[Future]:
    """One step further for each of `ids`: the distributions after them, in one batched pass.

    `cache` holds everything before them, `logits` `[vocabulary]` is the distribution they are of.
    """
    after = model.futures(ids, cache)
    moments, here = metrics.moments(after), metrics.moments(logits[None])
    own = np.array(logits.astype(mx.float32)[mx.array(ids)] - here.log_normaliser)
    then = _most_likely(model.tokenizer, after, moments, 3)
    entropies, varentropies = np.array(moments.entropy), np.array(moments.varentropy)
    candidates = _spelt(model.tokenizer, np.array(ids), own)
    columns = (candidates, entropies.tolist(), varentropies.tolist(), then)
    return [Future(*row) for row in zip(*columns, strict=True)]


def _most_likely(
    tokenizer: Tokenizer, logits: mx.array, moments: metrics.Moments, count: int
) -> list[list[Candidate]]:
    """The most likely tokens of each row."""
    ids, values = metrics.top(logits, count)
    logprobs = np.array(values - moments.log_normaliser[:, None])
    return [_spelt(tokenizer, *row) for row in zip(np.array(ids), logprobs, strict=True)]


def _spelt(
    tokenizer: Tokenizer, ids: npt.NDArray[np.intp], logprobs: npt.NDArray[np.float32]
) -> list[Candidate]:
    return [
        (id, tokenizer.token_text(id), logprob, float(np.exp(logprob)))
        for id, logprob in zip(ids.tolist(), logprobs.tolist(), strict=True)
    ]


def _looker(keys: int) -> Reducer:
    """A reducer to `[layers, queries, heads * (1 + STRONGEST) + keys + 1]`.

    For each layer: each head's entropy (bits) and most attended positions, the mean head, and
    whether it saw every key. A layer that sees a window only keeps its keys in an order of its
    own, so that its positions are left out (-1, and zeros).
    """

    def reduce(scores: mx.array, weights: mx.array, valid: mx.array | None) -> mx.array:
        del valid  # one query may attend to all that is there
        entropy = metrics.head_entropy(scores, weights, None)
        layers, heads, queries, seen = scores.shape
        strongest = mx.full((layers, heads, queries, STRONGEST), -1.0)
        mean = mx.zeros((layers, queries, keys))
        whole = seen == keys
        if whole:
            n = min(STRONGEST, keys)
            best = mx.argsort(-weights, axis=-1)[..., :n].astype(mx.float32)
            strongest = mx.concatenate([best, strongest[..., n:]], axis=-1)
            mean = mx.mean(weights, axis=1)
        return mx.concatenate(
            [
                mx.swapaxes(entropy, 1, 2),
                mx.swapaxes(strongest, 1, 2).reshape(layers, queries, -1),
                mean,
                mx.full((layers, queries, 1), float(whole)),
            ],
            axis=-1,
        )

    return reduce


def _attention(step: Step, keys: int) -> Attention:
    assert step.attention is not None
    seen = np.array(step.attention[:, -1])
    heads = (seen.shape[1] - keys - 1) // (1 + STRONGEST)
    strongest = seen[:, heads : heads * (1 + STRONGEST)].reshape(-1, heads, STRONGEST)
    whole = seen[:, -1].sum()
    return Attention(
        entropy=seen[:, :heads],
        keys=keys,
        weights=seen[:, -keys - 1 : -1].sum(axis=0) / max(whole, 1),
        strongest=strongest.astype(np.int32),
    )
