"""Samplers as an evaluation names them: `NAME-OR-CHAIN [KEY=VALUE ...]`."""

import shlex
from collections.abc import Iterable

from entropix_mlx.sampling import own
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError


def settings_of(text: str) -> Settings:
    """`min-p min_p=0.1`: a sampler's name, then settings. One of the user's own is imported.

    Raises UsageError.
    """
    try:
        name, *pairs = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"sampler {text!r}: give a name, then KEY=VALUE ({error})") from error
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"sampler {text!r}: {pair!r} is no KEY=VALUE")
        overrides[key] = value
    return Settings.make(own.chosen(name), overrides)


def samplers_of(texts: Iterable[str]) -> dict[str, Settings]:
    """By their texts, in this order. Raises UsageError, for one that is named twice too."""
    found: dict[str, Settings] = {}
    for text in texts:
        name = " ".join(text.split())
        if name in found:
            raise UsageError(f"sampler {name!r} is named twice")
        found[name] = settings_of(name)
    return found
