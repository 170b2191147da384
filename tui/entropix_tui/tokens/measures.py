"""The measures that are drawn, by the name that screens have for them."""

from entropix_mlx.records.measures import Scale
from entropix_mlx.sampling.settings import measures

MEASURES: dict[str, Scale] = {
    measure.scale.name: measure.scale for measure in measures().values() if measure.scale
}
ENTROPY, VARENTROPY, RANK = (MEASURES[name] for name in ("entropy", "varentropy", "rank"))
