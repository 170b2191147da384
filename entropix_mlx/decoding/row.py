"""One sequence that is decoded: by what it is decided, and all that a decision depends on."""

import dataclasses
from collections.abc import Sequence

import mlx.core as mx

from entropix_mlx.records.quadrants import QuadrantSplit
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Sampler
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.language_model import LanguageModel

STATISTICS = len(metrics.ATTENTION)
"""So many statistics come before what is told of the heads."""

State = tuple[mx.array, ...]
"""A sampler's memory, which it alone can read."""


class Row:
    """Settings bound to a model, a seed, and the path on which a sampler's memory depends."""

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        calibration: Calibration,
        seed: int,
        split: QuadrantSplit | None = None,
    ) -> None:
        self._model, self._calibration = model, calibration
        self.split = split or calibration.split_of(settings.quadrants)
        """By which quadrants are told, for as long as the row lives."""
        self._quadrants = settings.quadrants
        self.captures = settings.capture
        self.seed = seed
        self.path: list[Past] = []
        """What the sampler's state follows from."""
        self._vocabulary = Vocabulary.of(model.tokenizer, model.info.clarify)
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Decide by other settings from the next token on.

        Whether to capture, and by which split quadrants are told, stays as it is.
        """
        settings = dataclasses.replace(settings, quadrants=self._quadrants)
        self._layers = settings.layer_indices(self._model.info.layers)
        self.sampler = Sampler(
            settings,
            self._calibration,
            self._vocabulary,
            attention=self.captures,
            split=self.split,
        )
        self.remember(self.path)

    def like(self, seed: int) -> "Row":
        """One that decides alike, from the beginning, by another seed."""
        other = object.__new__(Row)
        other.__dict__ = {**self.__dict__, "seed": seed}
        other.remember(())
        return other

    @property
    def settings(self) -> Settings:
        """Those of the next token, thresholds filled in."""
        return self.sampler.settings

    @property
    def lacks(self) -> str | None:
        """What the settings ask for that this model cannot do, see `Settings.lacks`."""
        return self.settings.lacks(self._vocabulary)

    def remember(self, path: Sequence[Past]) -> None:
        """Be at the end of a path: the sampler's state follows from it alone."""
        self.path = list(path)
        self.state = self.sampler.state(self.path)

    def over_layers(self, attention: mx.array | None) -> mx.array | None:
        """The statistics of `[layers, ...]`, averaged over the layers that the settings name."""
        if attention is None:
            return None
        statistics = attention[..., :STATISTICS]
        return mx.mean(statistics if self._layers is None else statistics[self._layers], axis=0)
