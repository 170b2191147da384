"""Thresholds from what a model does: quantiles of its metrics over text that it wrote itself."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from entropix_mlx.records.record import REGIONS, TokenRecord
from entropix_mlx.sampling.calibration import METRICS, Band, Calibration, Side, thresholds
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.valleys import ALPHA

_ENTROPY = (0.45, 0.50, 0.80)
"""Quantiles of the entropy: below the first a token is sure, above the last it is lost."""

_VARENTROPY: dict[Side, tuple[float, float, float]] = {
    "low": (0.60, 0.50, 0.80),
    "high": (0.15, 0.50, 0.60),
}
"""Quantiles of the varentropy, low and high among the tokens outside the entropy band, mid among
all of that side. They put 27 % of the tokens in LELV, 3 % in HELV (each can interrupt the text with
the clarifying words, so they are few), 9 % in LEHV, 8 % in HEHV and the rest in the middle."""

_SHARE = (0.02, 0.60)
"""What a region's share of held-out text must lie between."""


def fit(
    runs: Sequence[Sequence[TokenRecord]],
    held_out: Sequence[Sequence[TokenRecord]],
    *,
    model: str,
    revision: str | None,
    quantization: str | None,
    source: dict[str, str | int | float],
) -> Calibration:
    """Fit to `runs`, one sequence of records each; the shares are those of `held_out`.

    Raises ValueError if a region's share of the held-out text is not between 2 % and 60 %.
    """
    values = {name: _column(runs, name) for name in METRICS}
    h, v = values["entropy"], values["varentropy"]
    entropy = Band(*map(float, np.quantile(h, _ENTROPY)))
    sides: dict[Side, tuple[np.ndarray, np.ndarray]] = {
        "low": (v[h < entropy.low], v[h < entropy.mid]),
        "high": (v[h > entropy.high], v[h >= entropy.mid]),
    }
    varentropy = {
        side: Band(
            float(np.quantile(outside, _VARENTROPY[side][0])),
            float(np.quantile(whole, _VARENTROPY[side][1])),
            float(np.quantile(outside, _VARENTROPY[side][2])),
        )
        for side, (outside, whole) in sides.items()
    }
    ranges = {
        name: (float(np.quantile(values[name], 0.05)), float(np.quantile(values[name], 0.95)))
        for name in METRICS
    }
    corners = bounds(thresholds(entropy, varentropy))
    regions = Counter(
        region_of(record.entropy or 0.0, record.varentropy or 0.0, corners)
        for run in held_out
        for record in run
    )
    total = sum(regions.values())
    shares: dict[str, float] = {name: round(regions[name] / total, 4) for name in REGIONS}
    for name, share in shares.items():
        if not _SHARE[0] <= share <= _SHARE[1]:
            raise ValueError(f"{name} holds {share:.1%} of the held-out tokens; calibrate on more")
    return Calibration(
        model=model,
        revision=revision,
        quantization=quantization,
        entropy=entropy,
        varentropy=varentropy,
        ranges=ranges,
        valley_delta=valley_delta(runs),
        shares=shares,
        source=source,
    )


def valley_delta(runs: Sequence[Sequence[TokenRecord]]) -> float:
    """The interquartile range of the smoothed entropy within a run, median over runs, in bits.

    A valley then is a dip below what the smoothed entropy does half of the time.
    """
    ranges = []
    for run in runs:
        smoothed, series = None, []
        for record in run:
            h = record.entropy or 0.0
            smoothed = h if smoothed is None else ALPHA * h + (1 - ALPHA) * smoothed
            series.append(smoothed)
        low, high = np.quantile(series, (0.25, 0.75))
        ranges.append(high - low)
    return float(np.median(ranges))


def _column(runs: Sequence[Sequence[TokenRecord]], name: str) -> np.ndarray:
    return np.array([getattr(record, name) for run in runs for record in run], np.float64)
