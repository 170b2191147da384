"""The Dirichlet distribution: gamma functions, likelihood, the fit to mean logarithms; float32."""

import math
from collections.abc import Callable

import mlx.core as mx

_SHIFT = 6
"""Arguments are moved up so far, where a few terms of the asymptotic series do."""

_LANES = 16
"""What a processor computes at once may be rounded otherwise than what is left over, so that rows
that are mapped would differ from rows alone: nothing is left over.
"""

_STEPS = 14
_LEAST_SPREAD = 0.01
"""What is hardly spread has no finite fit: it is fitted as if it were spread so much."""


def digamma(x: mx.array) -> mx.array:
    """The derivative of `log_gamma`, of x > 0."""
    y = x + _SHIFT
    r = 1 / (y * y)
    series = mx.log(y) - 0.5 / y - r * (1 / 12 - r * (1 / 120 - r / 252))
    return series - sum((1 / (x + n) for n in range(_SHIFT)), mx.array(0.0))


def trigamma(x: mx.array) -> mx.array:
    """The derivative of `digamma`, of x > 0."""
    y = x + _SHIFT
    r = 1 / (y * y)
    series = 1 / y + 0.5 * r + (r / y) * (1 / 6 - r * (1 / 30 - r / 42))
    return series + sum((1 / ((x + n) * (x + n)) for n in range(_SHIFT)), mx.array(0.0))


def log_gamma(x: mx.array) -> mx.array:
    """Of x > 0."""
    y = x + _SHIFT
    r = 1 / (y * y)
    series = (y - 0.5) * mx.log(y) - y + 0.5 * math.log(2 * math.pi)
    series = series + (1 / 12 - r * (1 / 360 - r / 1260)) / y
    return series - sum((mx.log(x + n) for n in range(_SHIFT)), mx.array(0.0))


def log_likelihood(alpha: mx.array, log_p: mx.array) -> mx.array:
    """Of probabilities with these logarithms `[k]` under the concentrations `alpha` `[k]`; nats."""
    own, whole = _each(log_gamma, _in_line(alpha))
    log_p = _in_line(log_p)
    return whole - mx.sum(own) + mx.sum((alpha - 1) * log_p)


def fit(mean_log_p: mx.array) -> mx.array:
    """The concentrations `[k]` that are most likely for probabilities whose logarithms have these
    means `[k]`: `digamma(alpha) - digamma(sum alpha) = mean`.

    Newton's method, whose matrix is a diagonal and a constant (Minka 2000); a step changes nothing
    by more than a factor of four.
    """
    k, mean_log_p = mean_log_p.shape[0], _in_line(mean_log_p)
    total = mx.logsumexp(mean_log_p)
    spread = mx.maximum(-total, _LEAST_SPREAD)
    mean_log_p = mean_log_p - mx.maximum(total + spread, 0.0)
    alpha = mx.maximum(mx.softmax(mean_log_p) * ((k - 1) / 2) / spread, 1e-3)
    for _ in range(_STEPS):
        own, whole = _each(digamma, alpha)
        gradient = whole - own + mean_log_p
        curve, constant = _each(trigamma, alpha)
        curve = -curve
        shared = mx.sum(gradient / curve) / (1 / constant + mx.sum(1 / curve))
        alpha = mx.clip(alpha - (gradient - shared) / curve, alpha / 4, alpha * 4)
    return alpha


def filled(x: mx.array, value: float) -> mx.array:
    """As many as are computed at once, `[k]` with that value after its own."""
    return mx.concatenate([x, mx.full((-x.shape[0] % _LANES,), value)])


def _in_line(x: mx.array) -> mx.array:
    """The same `[k]`; where rows are mapped, a row's numbers are next to each other then, as they
    are where it is alone, and their sum is rounded in the same way.
    """
    return mx.stack([x[n] for n in range(x.shape[0])])


def _each(function: Callable[[mx.array], mx.array], alpha: mx.array) -> tuple[mx.array, mx.array]:
    """Of each concentration `[k]`, and of their sum `[]`."""
    k = alpha.shape[0]
    found = function(filled(mx.concatenate([alpha, mx.sum(alpha)[None]]), 1.0))
    return found[:k], found[k]
