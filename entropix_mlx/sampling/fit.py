"""Thresholds from what a model does: of its metrics over text that it wrote itself.

The sampler's are quantiles. The split into quadrants is laid where the sentences hold best that are
said of them, and what it is told to say is counted on text that it was not laid by.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from entropix_mlx.records.quadrants import (
    KINDS,
    QUADRANTS,
    Knot,
    Quadrant,
    QuadrantSplit,
    Sentence,
    quadrant_of,
)
from entropix_mlx.records.record import REGIONS, TokenRecord
from entropix_mlx.sampling.calibration import (
    METRICS,
    PROVISIONAL,
    Band,
    Calibration,
    HeldOut,
    Side,
    thresholds,
)
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

_RATE = 0.9
"""Of the held-out tokens in a quadrant, for how many its sentence must hold."""

_KNOTS = 12
"""Of what varentropy is usual: as many bins with as many tokens each."""

_MORE = "calibrate on more prompts, or on longer answers"

PROVISIONAL_RANGES = "provisional ranges"
"""What a file's `source` calls the metrics whose ranges are not the model's own."""

_STEP = 100
"""Places in a bit where entropy can be split, so that the number told is the number used."""


class _Tokens(NamedTuple):
    """Float64 `[tokens]`: entropy (bits), varentropy (bits^2), the three greatest probabilities."""

    h: npt.NDArray[np.float64]
    v: npt.NDArray[np.float64]
    p1: npt.NDArray[np.float64]
    p2: npt.NDArray[np.float64]
    p3: npt.NDArray[np.float64]

    @classmethod
    def of(cls, runs: Sequence[Sequence[TokenRecord]]) -> "_Tokens":
        rows = []
        for record in (record for run in runs for record in run):
            likely = sorted((logprob for _, _, logprob, _ in record.candidates), reverse=True)
            padded = [*likely, -np.inf, -np.inf, -np.inf][:3]
            rows.append((record.entropy, record.varentropy, *np.exp(padded)))
        return cls(*np.array(rows, np.float64).T)

    def holds(self, sentence: Sentence) -> npt.NDArray[np.bool_]:
        """Bool `[tokens]`."""
        return np.asarray(sentence.holds(self.p1, self.p2, self.p3))


def fit(
    runs: Sequence[Sequence[TokenRecord]],
    held_out: Sequence[Sequence[TokenRecord]],
    *,
    model: str,
    revision: str | None,
    quantization: str | None,
    source: dict[str, str | int | float],
) -> Calibration:
    """Fit to `runs`, one sequence of records each; what is counted, is in `held_out`. The range of
    what was not measured, or is no number, is the provisional one, and `source` says of which.

    Raises ValueError, in one line, if a region's share of the held-out text is not between 2 % and
    60 %, or if no sentence of a quadrant holds for nine tenths of its tokens there.
    """
    values = {name: _column(runs, name) for name in METRICS}
    h, v = values["entropy"], values["varentropy"]
    unknown = [name for name in METRICS if not np.isfinite(values[name]).all()]
    if "entropy" in unknown or "varentropy" in unknown:
        raise ValueError("it gives probabilities that are no numbers; are its weights whole?")
    entropy = Band(*map(float, np.quantile(h, _ENTROPY)))
    sides: dict[Side, tuple[np.ndarray, np.ndarray]] = {
        "low": (v[h < entropy.low], v[h < entropy.mid]),
        "high": (v[h > entropy.high], v[h >= entropy.mid]),
    }
    delta = valley_delta(runs)
    if delta <= 0 or not all(part.size for pair in sides.values() for part in pair):
        raise ValueError(f"entropies hardly differ; {_MORE}")
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
        if name not in unknown
    }
    provisional = {name: PROVISIONAL.ranges[name] for name in unknown}
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
            raise ValueError(f"{name} holds {100 * share:.1f} % of the held-out tokens; {_MORE}")
    split, counted = measured(fit_split(runs), held_out)
    return Calibration(
        model=model,
        revision=revision,
        quantization=quantization,
        entropy=entropy,
        varentropy=varentropy,
        ranges=ranges | provisional,
        valley_delta=delta,
        shares=shares,
        source=source | ({PROVISIONAL_RANGES: ", ".join(unknown)} if unknown else {}),
        split=split,
        held_out=counted,
    )


def fit_split(runs: Sequence[Sequence[TokenRecord]]) -> QuadrantSplit:
    """The split under which the worst quadrant's strongest sentence holds for most of its tokens.

    Of equals, that whose high entropies are most nearly those without a favourite (p1 < 1/2).
    """
    tokens = _Tokens.of(runs)
    knots = usual_knots(tokens.h, tokens.v)
    at, levels = np.array(knots).T
    wide = tokens.v >= np.interp(tokens.h, at, levels)
    strongest = [tokens.holds(KINDS[quadrant].sentences[0]) for quadrant in QUADRANTS]
    least, most = np.quantile(tokens.h, (0.02, 0.98))
    best, entropy = (-1.0, -1.0), 0.0
    for place in range(int(least * _STEP), int(most * _STEP) + 2):
        high = tokens.h >= place / _STEP
        number = high + 2 * wide
        rates = [holds[number == n].mean() for n, holds in enumerate(strongest) if n in number]
        worst = min(rates) if len(rates) == len(QUADRANTS) else 0.0
        right = (high == (tokens.p1 < 1 / 2)).mean()
        if (worst, right) > best:
            best, entropy = (worst, right), place / _STEP
    return QuadrantSplit(name="calibrated", entropy=entropy, usual=knots)


def usual_knots(h: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> tuple[Knot, ...]:
    """Medians of entropy and varentropy in bins of equal counts, by growing entropy."""
    bins = np.array_split(np.argsort(h, kind="stable"), _KNOTS)
    medians = [(np.median(h[part]), np.median(v[part])) for part in bins if part.size]
    knots = {round(max(0.0, float(at)), 4): round(float(usual), 4) for at, usual in medians}
    return tuple(knots.items())


def measured(
    split: QuadrantSplit, held_out: Sequence[Sequence[TokenRecord]]
) -> tuple[QuadrantSplit, dict[Quadrant, HeldOut]]:
    """The split with the strongest sentence of each quadrant that holds, and what was counted.

    Raises ValueError where none does.
    """
    tokens = _Tokens.of(held_out)
    found = [quadrant_of(h, v, split) for h, v in zip(tokens.h, tokens.v, strict=True)]
    sentences: dict[Quadrant, str] = {}
    counted: dict[Quadrant, HeldOut] = {}
    for quadrant in QUADRANTS:
        mine = np.array([q == quadrant for q in found])
        count, holds = int(mine.sum()), 0
        for sentence in KINDS[quadrant].sentences:
            holds = int(tokens.holds(sentence)[mine].sum())
            if holds >= _RATE * count > 0:
                break
        else:
            rate = 100 * holds / max(count, 1)
            raise ValueError(
                f"{quadrant} ({KINDS[quadrant].word}): its sentence holds for {holds} of {count} "
                f"held-out tokens ({rate:.1f} %), {100 * _RATE:.0f} % are needed; {_MORE}"
            )
        sentences[quadrant] = sentence.id
        share, rate = round(count / len(found), 4), round(holds / count, 4)
        counted[quadrant] = HeldOut(count, share, holds, rate)
    return msgspec.structs.replace(split, sentences=sentences), counted


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
