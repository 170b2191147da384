"""Which sampler drew which token: the header's, and what was changed since."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from entropix_mlx.records.record import Event, RunHeader
from entropix_mlx.sampling.recorded import can_be, recorded
from entropix_mlx.sampling.settings import Settings, named


class Samplers:
    """Settings over a conversation's records, in the order in which these were made."""

    def __init__(self) -> None:
        self.header: RunHeader | None = None
        self._changes: list[Event] = []

    def add(self, event: Event) -> None:
        if event.kind == "setting" and event.detail:
            self._changes.append(event)

    def at(self, index: int) -> dict[str, Any]:
        """By name, the seed included, what drew the token at record `index`."""
        found: dict[str, Any] = {}
        if self.header is not None:
            found = possible(self.header.sampler) | {"seed": self.header.seed}
        for event in self._changes:
            if event.index < index:
                found.update(possible(event.detail or {}))
        return found

    def settings_at(self, index: int) -> Settings | None:
        """The same as settings; None where nothing says which they were."""
        found = self.at(index)
        if "preset" not in found:
            return None
        return _made(recorded(found))


def changed(settings: Settings, event: Event) -> Settings:
    """The settings after a change."""
    return _made(recorded(settings.to_dict() | possible(event.detail or {})))


def _made(values: Mapping[str, Any]) -> Settings:
    sampler = named(values["preset"])
    assert sampler is not None, "what is possible has a sampler"
    fields = {field.name for field in dataclasses.fields(sampler)}
    return sampler(**{name: value for name, value in values.items() if name in fields})


def possible(sampler: Mapping[str, Any]) -> dict[str, Any]:
    """Without settings (and a seed) whose value cannot be one: a file may say anything."""
    return {name: value for name, value in sampler.items() if _is_possible(name, value)}


def _is_possible(name: str, value: object) -> bool:
    if name == "seed":
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if name == "preset":
        return isinstance(value, str) and named(value) is not None
    return value is None or can_be(name, value)
