"""A distribution through each stage of the sampler: what each removed, and what it added."""

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.records.inspection import Stage, StageName, Waterfall
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.strategies import ADAPTIVE, STRATEGIES

SHOWN = 32
"""How many of the most likely tokens are followed through the stages."""


def waterfall(decoder: Decoder) -> Waterfall:
    """Of the decoder's step under way; forced ids are not drawn, so they do not show here."""
    pending = decoder.pending
    assert pending is not None
    distribution = pending.distribution
    seen = decoder.stages(pending)
    raw = distribution.logits.astype(mx.float32)
    normaliser = metrics.moments(raw[None]).log_normaliser
    logprobs = np.array(raw - normaliser).astype(np.float64)

    ids = np.array(seen.ids)
    drawn = ids[np.array(seen.drawn)].tolist()
    strategy = STRATEGIES[int(_number(seen.draw.strategy))]
    if strategy != STRATEGIES[ADAPTIVE]:
        drawn = drawn[:1]  # the others are not looked at
    order = np.argsort(-logprobs, kind="stable")[:SHOWN].tolist()
    followed = [*order, *dict.fromkeys(id for id in drawn if id not in order)]

    stages: list[Stage] = []

    def add(name: StageName, setting: float | None, p: npt.NDArray[np.float64]) -> None:
        before = current[-1]
        gone = float(before[(before > 0) & (p == 0)].sum())
        current.append(p)
        stages.append(Stage(name, setting, p[followed].tolist(), int((p > 0).sum()), gone))

    current = [np.exp(logprobs)]
    stages.append(Stage("raw", None, current[0][followed].tolist(), len(logprobs), 0.0))
    if pending.banned:
        p = current[0].copy()
        p[list(pending.banned)] = 0
        add("banned", len(pending.banned), p / p.sum())
    if seen.left is not None and strategy != "greedy":
        temperature = _number(seen.draw.temperature)
        with np.errstate(divide="ignore"):
            hot = np.log(current[-1]) / temperature
        p = np.exp(hot - hot.max())
        add("temperature", temperature, p / p.sum())
        filters: tuple[tuple[StageName, mx.array, mx.array], ...] = (
            ("min-p", seen.left.min_p, seen.draw.min_p),
            ("top-k", seen.left.top_k, seen.draw.top_k),
            ("top-p", seen.left.top_p, seen.draw.top_p),
        )
        for name, mask, setting in filters:
            # Ids beyond those that can be drawn fall to min-p, or to top-k at the latest.
            kept = np.zeros(len(p), bool)
            if name == "min-p":
                kept = current[-1] >= _number(setting) * current[-1].max()
            kept[ids] = np.array(mask)
            p = np.where(kept, current[-1], 0)
            add(name, _number(setting), p / p.sum())
    final = np.zeros_like(logprobs)
    final[ids] = np.array(seen.final)
    add("draws", len(drawn), final)
    scores = [float(np.log(max(stages[-2].p[followed.index(id)], 1e-300))) for id in drawn]
    return Waterfall(
        region=REGIONS[int(_number(seen.region))],
        strategy=strategy,
        tokens=[(id, decoder.model.tokenizer.token_text(id)) for id in followed],
        stages=stages,
        drawn=drawn,
        scores=scores,
        token=int(ids[int(_number(seen.chosen))]),
    )


def _number(scalar: mx.array) -> float:
    return float(np.array(scalar))
