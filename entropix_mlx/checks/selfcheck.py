"""Attention, metrics and the sampler on this device against NumPy in float64, in a second."""

from collections.abc import Iterable
from typing import NamedTuple

import mlx.core as mx
import numpy as np

from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.progress import Progress, quiet

_VOCABULARY = 128_256
_DRAWS = 400
_KEYS = (1023, 1024, 4096, 8192)
"""Fused kernels change their ways at some of these, and have been wrong from there on."""

_QUERIES = (1, 32)
_HEADS, _KV_HEADS, _SIZE = 8, 2, 64


class Check(NamedTuple):
    """One comparison: the greatest difference found and the one allowed."""

    name: str
    difference: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.difference <= self.allowed


def run(progress: Progress = quiet) -> list[Check]:
    """Every check on the default device; inputs are the same on every machine."""
    parts = {
        "metrics": _distribution,
        "attention's metrics": _attention,
        "fused attention": _fused,
        "order of ties": _order,
        "draws": _draws,
    }
    found: list[Check] = []
    for n, (name, checks) in enumerate(parts.items()):
        progress(f"checking numbers: {name}", n, len(parts), unit="parts")
        found += checks()
    progress("checking numbers", len(parts), len(parts), unit="parts")
    return found


def _fused() -> Iterable[Check]:
    """MLX's attention, which a GPU has kernels of its own for, in the types that models have there.

    Each head finds one of the keys, which are spread from the first to the last that all queries
    see; so a part of the keys that is left out, or read twice, is another value.
    """
    gpu = mx.default_device().type == mx.gpu
    for keys in _KEYS:
        for dtype in (mx.float16, mx.bfloat16) if gpu else (mx.float32,):
            name = str(dtype).removeprefix("mlx.core.")
            # Sums of float32, whose result is rounded: of a weight near one, and of the values.
            precision = mx.finfo(dtype).eps * 2 + keys * mx.finfo(mx.float32).eps
            pairs = [_fused_pair(queries, keys, dtype) for queries in _QUERIES]
            difference = max(_difference(ours, expected) for ours, expected in pairs)
            greatest = max(np.abs(expected).max() for _, expected in pairs)
            yield Check(
                f"fused attention over {keys:,} keys, {name}", difference, precision * greatest
            )


def _fused_pair(queries: int, keys: int, dtype: mx.Dtype) -> tuple[mx.array, np.ndarray]:
    """Attention of so many last queries over so many keys: MLX's, and by its definition."""
    rng = np.random.default_rng(keys)
    q = rng.standard_normal((_HEADS, queries, _SIZE))
    q = np.repeat(q[:, :1], queries, axis=1) + 0.1 * q
    k, v = rng.standard_normal((2, _KV_HEADS, keys, _SIZE))
    group = _HEADS // _KV_HEADS
    for head, place in enumerate(np.linspace(0, keys - queries, _HEADS, dtype=int)):
        k[head // group, place] = 2 * q[head, 0]
    given = [mx.array(x.astype(np.float32)[None]).astype(dtype) for x in (q, k, v)]
    scale = _SIZE**-0.5
    mask = "causal" if queries > 1 else None
    ours = mx.fast.scaled_dot_product_attention(*given, scale=scale, mask=mask)
    q, k, v = (np.array(x.astype(mx.float32), np.float64)[0] for x in given)
    k, v = (np.repeat(x, group, axis=0) for x in (k, v))
    scores = q @ k.swapaxes(1, 2) * scale
    future = np.triu(np.ones((queries, keys), bool), keys - queries + 1)
    scores = np.where(future, -np.inf, scores)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return ours[0].astype(mx.float32), p / p.sum(-1, keepdims=True) @ v


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


def _order() -> Iterable[Check]:
    """Equal logits must come in the order of their ids, which rests on a stable sort."""
    logits = np.random.default_rng(3).integers(0, 9, (1, _VOCABULARY)).astype(np.float32)
    ids, _ = metrics.top(mx.array(logits), 128)
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :128]
    yield Check("order of ties (wrong places)", float(np.sum(np.array(ids) != expected)), 0)


def _draws() -> Iterable[Check]:
    """How far the frequency of draws is from the probability that the sampler names."""
    logits = np.full(2048, -30, np.float32)
    logits[:4] = np.log([0.4, 0.3, 0.2, 0.1])
    settings = Settings.make("temperature", {"temperature": "1"})
    sampler = Sampler(settings, PROVISIONAL, Vocabulary(), attention=False)
    device_logits, state = mx.array(logits), sampler.state(())
    drawn = [
        sampler.decide(device_logits, None, 1, state, draw_key(1, i)).token for i in range(_DRAWS)
    ]
    counts = np.bincount(np.array(mx.stack(drawn)), minlength=4)[:4] / _DRAWS
    yield Check("frequency of draws", float(np.abs(counts - [0.4, 0.3, 0.2, 0.1]).max()), 0.1)


def _difference(ours: mx.array, expected: np.ndarray) -> float:
    return float(np.abs(np.array(ours, dtype=np.float64) - expected).max())
