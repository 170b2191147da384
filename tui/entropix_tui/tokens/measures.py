"""The measures that are drawn, by the name on screens; what the attention tells comes last."""

from entropix_mlx.records.measures import Scale
from entropix_mlx.sampling.calibration import METRICS
from entropix_mlx.sampling.settings import measures

_OF_ATTENTION = METRICS[2:]
MEASURES: dict[str, Scale] = {
    measure.scale.name: measure.scale
    for measure in sorted(measures().values(), key=lambda measure: measure.name in _OF_ATTENTION)
    if measure.scale
}
ENTROPY, VARENTROPY, RANK = (MEASURES[name] for name in ("entropy", "varentropy", "rank"))
