"""The metrics and the sampler on this device against NumPy in float64, in a second."""

from typing import NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary

_VOCABULARY = 128_256
_DRAWS = 400


class Check(NamedTuple):
    """One comparison: the greatest difference found and the one allowed."""

    name: str
    difference: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.difference <= self.allowed


def run() -> list[Check]:
    """Every check on the default device; inputs are the same on every machine."""
    return [*_distribution(), *_attention(), _order(), _draws()]


def _distribution() -> list[Check]:
    rng = np.random.default_rng(1)
    logits = (rng.standard_normal((4, _VOCABULARY)) * [[0.1], [1], [3], [9]]).astype(np.float32)
    x = logits.astype(np.float64)
    log_p = x - x.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p, bits = np.exp(log_p), log_p / np.log(2)
    entropy = -(p * bits).sum(1)
    varentropy = (p * (bits + entropy[:, None]) ** 2).sum(1)
    ours = metrics.moments(mx.array(logits))
    return [
        Check("entropy (bits)", _difference(ours.entropy, entropy), 5e-4),
        Check("varentropy (bits^2)", _difference(ours.varentropy, varentropy), 2e-3),
    ]


def _attention() -> list[Check]:
    scores = np.random.default_rng(2).standard_normal((3, 8, 1, 300)).astype(np.float32) * 3
    x = scores.astype(np.float64)
    p = np.exp(x - x.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    entropy = -(p * np.log2(p)).sum(-1)
    distance = np.abs(p - p.mean(1, keepdims=True)).sum(-1)
    expected = {
        "attention entropy (bits)": entropy.mean(1),
        "attention varentropy (bits^2)": entropy.var(1),
        "agreement": 1 - 0.5 * distance.mean(1),
        "interaction strength": np.abs(x).mean((1, 3)),
    }
    device_scores = mx.array(scores)
    weights = mx.softmax(device_scores, axis=-1, precise=True)
    ours = metrics.attention_statistics(device_scores, weights, None)
    return [
        Check(name, _difference(ours[..., i], value), 1e-4)
        for i, (name, value) in enumerate(expected.items())
    ]


def _order() -> Check:
    """Equal logits must come in the order of their ids, which rests on a stable sort."""
    logits = np.random.default_rng(3).integers(0, 9, (1, _VOCABULARY)).astype(np.float32)
    ids, _ = metrics.top(mx.array(logits), 128)
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :128]
    return Check("order of ties (wrong places)", float(np.sum(np.array(ids) != expected)), 0)


def _draws() -> Check:
    """How far the frequency of draws is from the probability that the sampler names."""
    logits = np.full(_VOCABULARY, -30, np.float32)
    logits[:4] = np.log([0.4, 0.3, 0.2, 0.1])
    settings = Settings.make("temperature", {"temperature": "1"})
    sampler = Sampler(settings, PROVISIONAL, Vocabulary(), attention=False)
    device_logits, state = mx.array(logits), sampler.state(())
    drawn = [
        sampler.decide(device_logits, None, 1, state, draw_key(1, i)).token for i in range(_DRAWS)
    ]
    counts = np.bincount(np.array(mx.stack(drawn)), minlength=4)[:4] / _DRAWS
    return Check("frequency of draws", float(np.abs(counts - [0.4, 0.3, 0.2, 0.1]).max()), 0.1)


def _difference(ours: mx.array, expected: np.ndarray) -> float:
    return float(np.abs(np.array(ours, dtype=np.float64) - expected).max())
