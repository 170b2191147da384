"""A distribution through each stage of the sampler: what each removed, and what it added."""

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.records.inspection import Stage, Waterfall
from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import metrics

SHOWN = 32
"""How many of the most likely tokens are followed through the stages."""


def waterfall(decoder: Decoder) -> Waterfall:
    """Of the decoder's step under way; forced ids are not drawn, so they do not show here."""
    pending = decoder.pending
    assert pending is not None
    seen = decoder.stages(pending)
    raw = pending.distribution.logits.astype(mx.float32)
    logprobs = np.array(raw - metrics.moments(raw[None]).log_normaliser).astype(np.float64)

    outcome, ids = seen.outcome, np.array(seen.ids)
    drawn = ids[np.array(outcome.drawn)[: int(_number(outcome.looked))]].tolist()
    known = decoder.settings.strategies
    strategy = list(known)[int(_number(outcome.strategy))]
    order = np.argsort(-logprobs, kind="stable")[:SHOWN].tolist()
    followed = [*order, *dict.fromkeys(id for id in drawn if id not in order)]

    p = np.exp(logprobs)
    stages = [Stage("raw", None, p[followed].tolist(), len(p), 0.0)]

    def add(name: str, setting: float, after: npt.NDArray[np.float64]) -> None:
        nonlocal p
        gone = float(p[(p > 0) & (after == 0)].sum())
        p = after
        stages.append(Stage(name, setting, p[followed].tolist(), int((p > 0).sum()), gone))

    if pending.banned:
        left = p.copy()
        left[list(pending.banned)] = 0
        add("banned", len(pending.banned), left / left.sum())
    for stage in seen.stages if known[strategy].random else ():
        left = np.zeros_like(p)
        weights = np.array(stage.weights).astype(np.float64)
        left[np.array(seen.order)] = np.exp(weights - weights.max())
        add(stage.name, _number(stage.setting), left / left.sum())
    final = np.zeros_like(p)
    final[ids] = np.array(outcome.final)
    add("draws", len(drawn), final)
    scores = [float(np.log(max(stages[-2].p[followed.index(id)], 1e-300))) for id in drawn]
    if outcome.scores is not None:
        of = dict(zip(ids.tolist(), np.array(outcome.scores).tolist(), strict=True))
        scores = [of[id] for id in drawn]
    return Waterfall(
        region=REGIONS[int(_number(outcome.region))],
        strategy=strategy,
        tokens=[(id, decoder.model.tokenizer.token_text(id)) for id in followed],
        stages=stages,
        drawn=drawn,
        scores=scores,
        token=int(ids[int(_number(outcome.chosen))]),
    )


def _number(scalar: mx.array) -> float:
    return float(np.array(scalar))
