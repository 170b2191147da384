"""Temperature and filters: pure functions of sorted logits, branch-free.

They act in the order temperature, min-p, top-k, top-p, each on what the one before it left,
renormalised; the most likely token always stays.
"""

from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.sampling.strategies import SamplingParams


class Filtered(NamedTuple):
    """What each filter left. `scaled` float32 `[support]`: log-probabilities at the temperature, up
    to a constant; the others are bool `[support]`, each contained in the one before it.
    """

    scaled: mx.array
    min_p: mx.array
    top_k: mx.array
    top_p: mx.array

    @property
    def log_p(self) -> mx.array:
        """Log-probabilities after all of them, -inf where removed."""
        kept = mx.where(self.top_p, self.scaled, -mx.inf)
        return kept - mx.logsumexp(kept)


def filtered(logits: mx.array, draw: SamplingParams, *, ordered: bool) -> Filtered:
    """`logits` float32 `[support]`, in descending order if `ordered`; without an order top-k and
    top-p must be off.
    """
    scaled = (logits - mx.max(logits)) / draw.temperature
    likely = scaled >= mx.log(draw.min_p)
    if not ordered:
        return Filtered(scaled, likely, likely, likely)
    places = mx.arange(logits.shape[0])
    first = places == 0
    ranked = likely & ((places < draw.top_k) | (draw.top_k == 0))
    p = mx.softmax(mx.where(ranked, scaled, -mx.inf))
    nucleus = ranked & ((mx.cumsum(p) - p < draw.top_p) | (draw.top_p >= 1))
    return Filtered(scaled, likely | first, ranked | first, nucleus | first)


def best_of(p: mx.array, n: mx.array) -> mx.array:
    """Probability that each token is the most likely of `n` independent draws from `p`.

    `p` `[support]` in descending order. With `S_r` the mass from rank r on, the best of n draws
    has rank r with probability `S_r^n - S_(r+1)^n`.
    """
    tail = mx.minimum(mx.cumsum(p, reverse=True), 1.0)
    powers = tail**n
    return powers - mx.concatenate([powers[1:], mx.zeros(1)])
