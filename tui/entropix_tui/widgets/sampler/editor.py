"""A sampler as it is turned: a preset, what was changed of it, and how far a step moves a value."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from entropix_mlx.records.quadrants import QUADRANTS, above
from entropix_mlx.records.record import RunHeader
from entropix_mlx.sampling.calibration import PROVISIONAL, Calibration, stored
from entropix_mlx.sampling.parameters import GROUPS as GROUPS_OF_ALL
from entropix_mlx.sampling.parameters import OneOf
from entropix_mlx.sampling.regions import names
from entropix_mlx.sampling.rules import STRATEGY_OF
from entropix_mlx.sampling.settings import (
    Settings,
    declared,
    own_presets,
    parameters,
    save_preset,
)
from entropix_models.errors import EntropixError, UsageError

Value = float | int | bool | str | None


THRESHOLDS = tuple(name for corner in QUADRANTS for name in names(corner))
GROUPS = GROUPS_OF_ALL[:-1]
"""What can be changed while a session runs: all but what is measured."""


def about(name: str) -> str:
    """What a setting does, from its declaration."""
    return str(parameters()[name].metadata["doc"])


def note(name: str) -> str:
    """A threshold as the condition that it is part of; nothing for other settings."""
    if name not in THRESHOLDS:
        return ""
    corner = next(corner for corner in QUADRANTS if name in names(corner))
    high, wide = above(corner)
    if name.endswith("_entropy"):
        return f"{STRATEGY_OF[corner]} H{'>' if high else '<'}"
    return f"and V{'>' if wide else '<'}"


def ways(name: str) -> tuple[str, ...]:
    """What a setting can be, if it is one of a few words."""
    kind = parameters()[name].metadata["kind"] if name in parameters() else None
    return kind.values if isinstance(kind, OneOf) else ()


class SamplerEditor:
    """The settings in force, as text over a preset's; every change is checked before it holds.

    `settings` are bound as far as the model's own thresholds are known.
    """

    def __init__(self) -> None:
        self.name = "calibrated"
        """The preset's name: a built-in one or the user's."""
        self.settings = Settings.make()
        self._preset = self.settings
        self._model: dict[str, float] = {}
        self._kept: dict[str, str] = {}  # what is measured, and how: a session's for good

    # What is known.

    @property
    def names(self) -> list[str]:
        """Every preset's name, the built-in ones first. Raises what `own_presets` raises."""
        return [*declared(), *own_presets()]

    def offered(self) -> list[tuple[str, list[str]]]:
        """The groups and settings that this preset has."""
        fields = self.settings.parameters().items()
        groups = (
            (group, [name for name, field in fields if field.metadata["group"] == group])
            for group in GROUPS
        )
        return [(group, names) for group, names in groups if names]

    def value(self, name: str) -> Value:
        """None: the model's threshold, which is not known here."""
        value: Value = getattr(self.settings, name)
        return value

    def is_changed(self, name: str) -> bool:
        return self.value(name) != self._usual(name)

    def _usual(self, name: str) -> Value:
        """What the preset has."""
        value: Value = getattr(self._preset, name)
        return value

    @property
    def changed(self) -> list[str]:
        return [n for _, names in self.offered() for n in names if self.is_changed(n)]

    # What changes it.

    def show(self, settings: Settings, calibration: Calibration | None = None) -> None:
        """Take over the settings that a session has.

        Without its calibration, the thresholds that its preset leaves open are taken for the
        model's own as they stand.
        """
        given = settings.usual()
        source = settings
        open_ = [name for name in THRESHOLDS if given.get(name) is None]
        if calibration is not None:
            source, open_ = Settings.make("greedy").bind(calibration), list(THRESHOLDS)
        found = {name: getattr(source, name) for name in open_}
        self._model = {name: value for name, value in found.items() if value is not None}
        self._kept = {name: _text(getattr(settings, name)) for name in _measured(settings)}
        self.settings = self._bound(settings)
        self.name = self._name_of(self.settings)
        self._preset = self._bound(self._make(self.name))

    def choose(self, name: str) -> None:
        """Switch to a preset; its values hold. Raises UsageError, DamagedFileError."""
        self._preset = self.settings = self._bound(self._make(name))
        self.name = name

    def put(self, name: str, text: str) -> None:
        """Give a setting another value. Raises UsageError, and then nothing has changed."""
        changes = {other: _text(self.value(other)) for other in self.changed if other != name}
        self.settings = self._bound(self._make(self.name, {**changes, name: text}))

    def move(self, name: str, direction: int, *, large: bool = False) -> None:
        """Move a value to the next multiple of its step, within its range. Raises UsageError."""
        value = self.value(name)
        if of := ways(name):
            self.put(name, of[(of.index(str(value)) + direction) % len(of)])
            return
        if value is None:
            raise UsageError(f"{name} is the model's own, not known here: type a number")
        kind = self.settings.parameters()[name].metadata["kind"]
        by = kind.step[large]
        moved = max(kind.low, min(round(float(value) / by + direction) * by, kind.high))
        text = f"{moved:.10g}"
        if text != _text(value):
            self.put(name, text)

    def reset(self, name: str) -> None:
        """Back to the preset's value. Raises UsageError, as another value may forbid it."""
        keep: Iterable[str] = [other for other in self.changed if other != name]
        changes = {other: _text(self.value(other)) for other in keep}
        self.settings = self._bound(self._make(self.name, changes))

    def save(self, name: str) -> None:
        """Keep this as a preset of the user's, and go on under its name.

        Thresholds that are the model's own stay so. Raises what `save_preset` raises.
        """
        usual = self.settings.usual()
        free = {
            threshold: None
            for threshold in THRESHOLDS
            if usual.get(threshold) is None
            and getattr(self.settings, threshold) == self._model.get(threshold)
        }
        measured = {name: usual[name] for name in _measured(self.settings)}  # not the sampler's
        save_preset(name, dataclasses.replace(self.settings, **free, **measured))  # type: ignore[arg-type]
        self.name, self._preset = name, self.settings

    def _make(self, name: str, changes: dict[str, str] | None = None) -> Settings:
        return Settings.make(name, {**self._kept, **(changes or {})})

    def _bound(self, settings: Settings) -> Settings:
        """Thresholds that the preset leaves open become the model's, as far as they are known."""
        missing = {
            name: value for name, value in self._model.items() if getattr(settings, name) is None
        }
        return dataclasses.replace(settings, **missing)  # type: ignore[arg-type]

    def _name_of(self, settings: Settings) -> str:
        """The preset that settings are of: the user's, if it is exactly that, or was chosen."""
        try:
            own = own_presets()
        except EntropixError:
            return settings.preset
        of_base = [name for name, preset in own.items() if preset.base == settings.preset]
        exact = [name for name in of_base if self._bound(self._make(name)) == settings]
        if self._bound(self._make(settings.preset)) == settings:
            exact.insert(0, settings.preset)
        if exact:
            return self.name if self.name in exact else exact[0]
        return self.name if self.name in of_base else settings.preset


def _measured(settings: Settings) -> list[str]:
    parameters = settings.parameters().items()
    return [name for name, field in parameters if field.metadata["group"] == GROUPS_OF_ALL[-1]]


def calibration_of(header: RunHeader) -> Calibration | None:
    """The calibration that a run's thresholds are from; None if it isn't here.

    Raises what `stored` raises.
    """
    if header.calibration is None:
        return PROVISIONAL
    return stored(Path(header.calibration).name)  # a header may come from anywhere


def shown(value: Value) -> str:
    """A value as the panel shows it."""
    if value is None:
        return "model's"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)
