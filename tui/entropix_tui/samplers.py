"""Which sampler drew which token: the header's, and what was changed since."""

import dataclasses
from typing import Any

from entropix_mlx.records import Event, RunHeader
from entropix_mlx.settings import Settings

_FIELDS = {declared.name for declared in dataclasses.fields(Settings)}


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
            found = dict(self.header.sampler) | {"seed": self.header.seed}
        for event in self._changes:
            if event.index < index:
                found.update(event.detail or {})
        return found

    def settings_at(self, index: int) -> Settings | None:
        """The same as settings; None where nothing says which they were."""
        found = self.at(index)
        if "preset" not in found:
            return None
        unused: dict[str, Any] = dict.fromkeys(_FIELDS)
        return Settings(**(unused | {k: v for k, v in found.items() if k in _FIELDS}))


def changed(settings: Settings, event: Event) -> Settings:
    """The settings after a change."""
    known = {name: value for name, value in (event.detail or {}).items() if name in _FIELDS}
    return dataclasses.replace(settings, **known) if known else settings
