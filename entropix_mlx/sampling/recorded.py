"""What a trace says of a sampler, in the words of today."""

from collections.abc import Mapping
from typing import Any

from entropix_mlx.sampling.parameters import OneOf, admits
from entropix_mlx.sampling.settings import kinds, named


def can_be(name: str, value: object) -> bool:
    """Whether a setting can have a value in some sampler that has it; true for what none has."""
    found = [kind.parameters()[name] for kind in kinds() if name in kind.parameters()]
    return not found or any(admits(parameter, value) for parameter in found)


def recorded(sampler: Mapping[str, Any]) -> dict[str, Any]:
    """A trace's settings as they are called now; what they do not say was as it always was when
    traces began.

    A text was inserted, by every preset that has the setting, as the guide has it; resampling drew
    once, and quadrants were split at medians.
    """
    known = named(str(sampler.get("preset")))
    has = known.parameters() if known else {}
    first = {"clarify": True, "quadrants": "median", "resamples": 1}
    found = {name: first[name] for name in first if name in has} | dict(sampler)
    for name, parameter in has.items():
        kind = parameter.metadata["kind"]
        if isinstance(kind, OneOf) and isinstance(text := found.get(name), str | bool):
            found[name] = kind.also.get(str(text).lower(), text)
    return found
