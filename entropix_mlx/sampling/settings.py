"""What every sampler declares, and how one is made by its name.

A sampler is a module of the folder `samplers`, under whose name it is known, with one class in it:
its parameters as fields, its strategies, its state, its step from a distribution to what may be
drawn, its explanation. Imports no MLX, so that a wrong flag is told before a model is loaded.
"""

import dataclasses
import importlib
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from entropix_mlx.records.measures import MEASURES, Measure
from entropix_mlx.records.quadrants import Quadrant
from entropix_mlx.sampling import folder, presets
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.parameters import (
    GROUPS,
    absent,
    choice,
    did_you_mean,
    layer_numbers,
    layers,
    parsed,
    switch,
)
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.presets import Preset
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.errors import DamagedFileError, UsageError

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Outcome, Seen


class Strategy(NamedTuple):
    """Something that a sampler may do with a token: the quadrant whose look it has, if one's, and
    whether temperature and filters take part.
    """

    look: Quadrant | None = None
    random: bool = True


class Support(NamedTuple):
    """How many of the most likely tokens can be drawn (None = all), and whether in order."""

    size: int | None
    ordered: bool = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One sampler, completely. Made by `make`; a setting that only others have is None.

    Thresholds are None where they are the model's own, until `bind` fills them in. A corner of the
    entropy x varentropy plane is met when both of its inequalities hold, strictly, in the order
    LELV, HELV, LEHV, HEHV; the rest is MID.
    """

    lelv_entropy: float | None = absent("corners")
    lelv_varentropy: float | None = absent("corners")
    helv_entropy: float | None = absent("corners")
    helv_varentropy: float | None = absent("corners")
    lehv_entropy: float | None = absent("corners")
    lehv_varentropy: float | None = absent("corners")
    hehv_entropy: float | None = absent("corners")
    hehv_varentropy: float | None = absent("corners")
    capture: bool = switch(True, "measure attention", group="measured")
    layers: str = layers("layers averaged for attention: all, or 0,3-5")
    quadrants: str = choice(
        "calibrated",
        "median",
        "guide",
        doc="split into colours",
    )

    summary: ClassVar[str]
    """In a line, for the list of samplers."""
    called: ClassVar[str] = ""
    """Its name, where that is not its module's."""
    sha256: ClassVar[str] = ""
    """Of the file that it is from, if that is the user's own."""
    strategies: ClassVar[Mapping[str, Strategy]]
    """By name; a step tells which by its number here."""
    takes_best: ClassVar[bool] = False
    """Whether it may make the most likely token impossible."""
    inserts: ClassVar[str | None] = None
    """What a record says forced the ids that `step` puts in place of drawn ones, if it does."""
    measures: ClassVar[tuple[Measure, ...]] = ()
    """What `step` tells beside a token, see `records.measures.sampled`."""

    # What a sampler is, on the host.

    def support(self) -> Support:
        """Which ids a step is to see."""
        return Support(None)

    def fixed(self, vocabulary: Vocabulary) -> Hashable:
        """What a step is compiled for."""
        del vocabulary
        return None

    def scalars(self, calibration: Calibration) -> dict[str, float | list[float]]:
        """What a step is given as arguments: its numbers by name."""
        del calibration
        declared = dataclasses.fields(self)
        values = {field.name: getattr(self, field.name) for field in declared}
        return {k: float(v) for k, v in values.items() if not isinstance(v, bool | str | None)}

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        """The sampler's memory at the end of a path, from what is on it alone."""
        del path, vocabulary  # most remember nothing
        return ()

    def lacks(self, vocabulary: Vocabulary) -> str | None:
        """What is set but cannot be with these ids, in a sentence; None if everything can."""
        del vocabulary
        return None

    def check(self) -> None:
        """Raises UsageError for values that exclude each other."""

    @abstractmethod
    def explain(self, told: Told) -> list[Line]:
        """Why the token came out as it did, the most important first; see `analysis.explain`."""

    # What it does, on the device.

    @classmethod
    @abstractmethod
    def step(cls, seen: "Seen") -> "Outcome":
        """From a distribution to what may be drawn: pure, lazy, without a branch on a value."""

    # What all of them have.

    @classmethod
    def make(cls, preset: str = "calibrated", overrides: Mapping[str, str] = {}) -> "Settings":
        """A sampler with some values replaced, given as text.

        The name is a built-in one, the links of a chain (`top-k=40,min-p`), or the user's, which
        comes to its base and the values that it replaces. Raises UsageError, and what `own_presets`
        raises if a name is not built-in.
        """
        name, values = (preset, {}) if preset in OWN else _chains().spelt(preset)
        if named(name) is None and "," not in name:
            own = own_presets()
            if name not in own:
                known = dict.fromkeys((*declared(), *own))
                raise UsageError(
                    f"unknown sampler {name!r}{did_you_mean(name, known)}; presets: "
                    f"{', '.join(known)}"
                )
            name, values = own[name].base, own[name].values
        return _made(name, {**values, **overrides})

    @classmethod
    @cache
    def parameters(cls) -> Mapping[str, dataclasses.Field[Any]]:
        """What can be set, by name, in the order in which it is shown."""
        return {field.name: field for field in cls._ordered() if "doc" in field.metadata}

    @classmethod
    def usual(cls) -> dict[str, Any]:
        """The parameters' values without any change."""
        return {name: field.default for name, field in cls.parameters().items()}

    @classmethod
    def _ordered(cls) -> list[dataclasses.Field[Any]]:
        return sorted(dataclasses.fields(cls), key=lambda f: GROUPS.index(f.metadata["group"]))

    @classmethod
    def documentation(cls) -> list[str]:
        """Lines on what it does, beside its settings."""
        return []

    @property
    def preset(self) -> str:
        """The sampler's name."""
        return self.called or type(self).__module__.rpartition(".")[2]

    @property
    def is_random(self) -> bool:
        """Whether the seed says what is drawn."""
        return any(strategy.random for strategy in self.strategies.values())

    def bind(self, calibration: Calibration) -> "Settings":
        """Thresholds that are still None become the model's, for baselines too."""
        missing: dict[str, Any] = {
            name: value
            for name, value in calibration.thresholds.items()
            if getattr(self, name) is None
        }
        return dataclasses.replace(self, **missing)

    def to_dict(self) -> dict[str, Any]:
        """For a run's header: every setting that this sampler has."""
        values = {field.name: getattr(self, field.name) for field in self._ordered()}
        told = {"preset": self.preset} | ({"sha256": self.sha256} if self.sha256 else {})
        return told | {k: v for k, v in values.items() if v is not None}

    def layer_indices(self, count: int) -> list[int] | None:
        """The layers to average over, or None for all. Raises UsageError."""
        return None if self.layers == "all" else layer_numbers(self.layers, count)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and is_setting(name):
            return None
        raise AttributeError(f"no sampler has a setting {name!r}")


OWN: dict[str, type["Settings"]] = {}
"""Those that the user has named in this process, and where they are, see `own`."""


@cache
def declared() -> dict[str, type[Settings]]:
    """Every sampler by its name: what is in the folder, and each link of chains alone."""
    found = folder.declared("entropix_mlx.sampling.samplers", Settings)  # type: ignore[type-abstract]
    chains = _chains()
    alone = {name: chains.of((link,)) for name, link in chains.links().items() if name not in found}
    return found | alone


def kinds() -> list[type[Settings]]:
    """All that are known."""
    return [*declared().values(), *OWN.values()]


def named(preset: str) -> type[Settings] | None:
    """The sampler that a preset is of, be it a chain of links; None if there is none."""
    if "," not in preset:
        return OWN.get(preset) or declared().get(preset)
    try:
        return cast("type[Settings]", _chains().chain(tuple(preset.split(","))))
    except UsageError:
        return None


def _chains() -> Any:
    """Chains are samplers, so that they import this; here they are found by name, as samplers."""
    return importlib.import_module("entropix_mlx.sampling.chain")


def strategies() -> dict[str, Strategy]:
    """Everything that samplers may do, by name."""
    return {name: strategy for sampler in kinds() for name, strategy in sampler.strategies.items()}


def measures() -> dict[str, Measure]:
    """Every measure by name: what records hold, and what samplers make themselves."""
    own = (measure for sampler in kinds() for measure in sampler.measures)
    return MEASURES | {measure.name: measure for measure in own}


def is_setting(name: str) -> bool:
    """Whether some sampler has it, if only to record it."""
    return any(name in sampler.__dataclass_fields__ for sampler in kinds())


def parameters() -> dict[str, dataclasses.Field[Any]]:
    """Everything that can be set in any sampler, by name."""
    return {
        name: field for sampler in reversed(kinds()) for name, field in sampler.parameters().items()
    }


def own_presets() -> dict[str, Preset]:
    """The user's presets by name, each checked against what its base can be given.

    Raises DamagedFileError, which names the file and the place, and EntropixError for a file that
    cannot be read.
    """
    return {name: _checked(name, preset) for name, preset in presets.load().items()}


def save_preset(name: str, settings: Settings) -> None:
    """Keep settings under a name, in place of what had it.

    What differs from the base preset is written, a threshold too: settings that were not bound
    keep following the model's calibration. Raises UsageError for a name that cannot be given,
    DamagedFileError rather than write over a damaged file, EntropixError for a disk that refuses.
    """
    _check_name(name)
    usual = settings.usual()
    values = {key: getattr(settings, key) for key in usual}
    changed = {
        key: presets.text(value)
        for key, value in values.items()
        if value is not None and value != usual[key]
    }
    presets.save({**own_presets(), name: Preset(settings.preset, changed)})


def delete_preset(name: str) -> None:
    """Forget a preset. Raises UsageError if there is none of that name, else as `save_preset`."""
    known = own_presets()
    if name not in known:
        raise UsageError(f"there is no preset {name!r} of yours in {presets.file()}")
    presets.save({other: preset for other, preset in known.items() if other != name})


def _check_name(name: str) -> None:
    """Raises UsageError for what cannot be the name of a preset of the user's."""
    if name in declared():
        raise UsageError(f"{name!r} is a built-in preset; choose another name")
    if not presets.NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a preset: up to 40 of a-z, 0-9 and -")


def _checked(name: str, preset: Preset) -> Preset:
    try:
        _check_name(name)
        if named(preset.base) is None:
            raise UsageError(f"base = {preset.base!r}: give one of {', '.join(declared())}")
        settings = _made(preset.base, preset.values)
    except UsageError as error:
        raise DamagedFileError(presets.wrong(name, error)) from error
    values = {key: presets.text(getattr(settings, key)) for key in preset.values}
    return Preset(preset.base, values)


def _made(preset: str, overrides: Mapping[str, str]) -> Settings:
    sampler = named(preset) or _chains().chain(tuple(preset.split(",")))
    known = sampler.parameters()
    values: dict[str, Any] = {}
    for name, text in overrides.items():
        if name not in known:
            raise UsageError(
                f"sampler {preset!r} has no setting {name!r}"
                f"{did_you_mean(name, known)}; it has: {', '.join(known)}"
            )
        values[name] = parsed(known[name], text)
    settings: Settings = sampler(**values)
    settings.check()
    return settings
