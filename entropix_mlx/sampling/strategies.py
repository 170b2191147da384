"""Which strategy a token's uncertainty calls for, and the temperature and filters it brings.

Formulas and directions are those of the guide "Entropixplained"; what a preset changes is the
thresholds and the scale of the metrics that enter (`settings.PRESETS`). All functions are
branch-free and lazy.
"""

from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.records.record import REGIONS, Strategy
from entropix_mlx.sampling.calibration import METRICS, Calibration
from entropix_mlx.sampling.settings import Settings

STRATEGIES: tuple[Strategy, ...] = (
    "greedy",
    "clarify",
    "explore",
    "resample",
    "adaptive",
    "sample",
)
GREEDY, CLARIFY, EXPLORE, RESAMPLE, ADAPTIVE, SAMPLE = range(len(STRATEGIES))
_MID = REGIONS.index("MID")

_HOT = 1.5
"""The guide's cap on the temperature when clarifying and exploring."""

_THRESHOLDS = tuple(
    f"{corner.lower()}_{metric}" for corner in REGIONS[:4] for metric in ("entropy", "varentropy")
)
_BASE = ("temperature", "top_p", "top_k", "min_p", "min_temperature")

Parameters = dict[str, mx.array]
"""Float32 scalars by name: arguments, so that a changed setting compiles nothing anew."""


def parameters(settings: Settings, calibration: Calibration) -> Parameters:
    """What a bound preset and a model's calibration come to."""
    infinity = float("inf")
    values: dict[str, float] = {name: getattr(settings, name) or 0.0 for name in _THRESHOLDS}
    values |= {name: getattr(settings, name) or 0.0 for name in _BASE}
    values["max_temperature"] = settings.max_temperature or infinity
    values["resample_floor"] = settings.resample_floor or 0.0
    values["rolling"] = settings.rolling or 1.0
    values["h_mid"] = calibration.entropy.mid
    values["v_mid_low"] = calibration.varentropy["low"].mid
    values["v_mid_high"] = calibration.varentropy["high"].mid
    values["ceiling"] = infinity if settings.is_literal else 1.0
    for name in METRICS:
        low, high = calibration.ranges[name]
        literal = settings.is_literal or name == "agreement"
        values[f"{name}_floor"] = 0.0 if literal else low
        values[f"{name}_scale"] = 1.0 if literal else 1 / max(high - low, 1e-6)
    return {name: mx.array(value, mx.float32) for name, value in values.items()}


class SamplingParams(NamedTuple):
    """Float32 scalars, and the strategy as an int32 scalar."""

    strategy: mx.array
    temperature: mx.array
    top_k: mx.array
    top_p: mx.array
    min_p: mx.array


def regions(entropy: mx.array, varentropy: mx.array, p: Parameters) -> mx.array:
    """Index into `records.REGIONS`; strict inequalities, tried in order, the rest is MID."""
    region = mx.array(ADAPTIVE, mx.int32)
    for i in (3, 2, 1, 0):  # the first that holds wins, so it is laid on last
        name = REGIONS[i].lower()
        h, v = p[f"{name}_entropy"], p[f"{name}_varentropy"]
        above = (entropy > h) if name[0] == "h" else (entropy < h)
        wide = (varentropy > v) if name[2] == "h" else (varentropy < v)
        region = mx.where(above & wide, i, region)
    return region


def quadrants(entropy: mx.array, varentropy: mx.array, p: Parameters) -> mx.array:
    """Index into `records.QUADRANTS`: a plain split at the calibrated centre."""
    high = entropy >= p["h_mid"]
    wide = varentropy >= mx.where(high, p["v_mid_high"], p["v_mid_low"])
    return high.astype(mx.int32) + 2 * wide.astype(mx.int32)


def guide_draw(
    region: mx.array, inputs: mx.array, has_attention: bool, p: Parameters
) -> SamplingParams:
    """The guide's formulas; `inputs` float32 `[6]` in the order of `calibration.METRICS`.

    Where attention was not measured, its terms are dropped.
    """
    h, v, attn_h, attn_v, agreement, interaction = (inputs[i] for i in range(6))
    seen = 1.0 if has_attention else 0.0
    t0, k0 = p["temperature"], p["top_k"]
    uncertainty = h + v

    def either(*values: tuple[int, mx.array], otherwise: mx.array) -> mx.array:
        for i, value in values:
            otherwise = mx.where(region == i, value, otherwise)
        return otherwise

    temperature = either(
        (CLARIFY, mx.minimum(_HOT, t0 * (1.3 + 0.2 * attn_h))),
        (EXPLORE, mx.minimum(_HOT, t0 * (1.2 + 0.3 * interaction))),
        (RESAMPLE, mx.maximum(p["resample_floor"], t0 * (2.0 + 0.5 * attn_v))),
        otherwise=t0 * (1 + 0.3 * uncertainty + 0.2 * (attn_h + attn_v) - 0.2 * agreement),
    )
    return SamplingParams(
        strategy=region,  # REGIONS and STRATEGIES are listed in the same order
        temperature=mx.clip(temperature, p["min_temperature"], p["max_temperature"]),
        top_k=either(
            (EXPLORE, mx.maximum(5, mx.round(k0 * (1 + 0.5 * seen * (1 - agreement))))),
            (ADAPTIVE, mx.clip(mx.round(k0 * (1 + 0.3 * interaction - 0.2 * agreement)), 1, 100)),
            otherwise=k0,
        ),
        top_p=either(
            (RESAMPLE, mx.maximum(0.5, p["top_p"] - 0.2 * attn_h)),
            (ADAPTIVE, mx.clip(p["top_p"] * (1 + 0.1 * attn_v), 0.1, 1)),
            otherwise=p["top_p"],
        ),
        min_p=either(
            (ADAPTIVE, mx.clip(p["min_p"] * (1 - 0.5 * uncertainty), 0.01, 0.5)),
            otherwise=p["min_p"],
        ),
    )


def entropix_draw(
    region: mx.array,
    measured: mx.array,
    keys: mx.array,
    p: Parameters,
    *,
    has_attention: bool,
    literal: bool,
) -> SamplingParams:
    """The strategy of a region on metrics scaled as the preset wants them.

    `measured` float32 `[6]` in the order of `calibration.METRICS`; `keys` float32 scalar, how
    many the query attended to. `literal`: the guide's own agreement, `2 (1 - agreement) / keys`.
    """
    floors = mx.stack([p[f"{name}_floor"] for name in METRICS])
    scales = mx.stack([p[f"{name}_scale"] for name in METRICS])
    inputs = mx.clip((measured - floors) * scales, 0.0, p["ceiling"])
    if not has_attention:
        inputs = inputs * mx.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    elif literal:
        agreement = 2 * (1 - measured[4]) / keys
        inputs = mx.concatenate([inputs[:4], agreement[None], inputs[5:]])
    return guide_draw(region, inputs, has_attention, p)
