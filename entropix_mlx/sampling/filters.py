"""Temperature and filters: pure functions of logits, branch-free.

They act in the order temperature, min-p, top-k, top-p, each on what the one before it left,
renormalised; the most likely token always stays, as it is first and nothing is before it.
"""

from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.sampling import metrics


class SamplingParams(NamedTuple):
    """Float32 scalars."""

    temperature: mx.array
    top_k: mx.array
    top_p: mx.array
    min_p: mx.array


class Stage(NamedTuple):
    """What something on the way to a draw left: `weights` float32 `[support]`, log-probabilities
    up to a constant, -inf where removed; `setting`: what it was set to.
    """

    name: str
    setting: mx.array
    weights: mx.array


def filtered(logits: mx.array, params: SamplingParams, *, ordered: bool) -> tuple[Stage, ...]:
    """`logits` float32 `[support]`, in descending order if `ordered`; without an order top-k and
    top-p must be off.
    """
    peak = logits[0] if ordered else metrics.greatest(logits)
    scaled = (logits - peak) / params.temperature
    likely = mx.where(scaled >= mx.log(params.min_p), scaled, -mx.inf)
    ranked = nucleus = likely
    if ordered:
        places = mx.arange(logits.shape[0])
        ranked = mx.where((places < params.top_k) | (params.top_k == 0), likely, -mx.inf)
        p = mx.softmax(ranked)
        nucleus = mx.where((mx.cumsum(p) - p < params.top_p) | (params.top_p >= 1), ranked, -mx.inf)
    return (
        Stage("temperature", params.temperature, scaled),
        Stage("min-p", params.min_p, likely),
        Stage("top-k", params.top_k, ranked),
        Stage("top-p", params.top_p, nucleus),
    )


def following(stages: tuple[Stage, ...], may: mx.array) -> Stage:
    """What all of them left of the ids that may follow (bool `[support]`); where none was left, the
    most likely of those that may.
    """
    scaled, left = (mx.where(may, stages[n].weights, -mx.inf) for n in (0, -1))
    best = mx.where(mx.arange(may.shape[0]) == mx.argmax(scaled), 0.0, -mx.inf)
    weights = mx.where(mx.max(left) == -mx.inf, best, left)
    return Stage("what follows", mx.sum(may), weights)


def log_p(stages: tuple[Stage, ...]) -> mx.array:
    """Log-probabilities after all of them, -inf where removed."""
    weights = stages[-1].weights
    return weights - mx.logsumexp(weights)


def best_of(p: mx.array, n: mx.array) -> mx.array:
    """Probability that each token is the most likely of `n` independent draws from `p`.

    `p` `[support]` in descending order. With `S_r` the mass from rank r on, the best of n draws
    has rank r with probability `S_r^n - S_(r+1)^n`.
    """
    tail = mx.minimum(mx.cumsum(p, reverse=True), 1.0)
    powers = tail**n
    return powers - mx.concatenate([powers[1:], mx.zeros(1)])
