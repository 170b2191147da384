"""Samplers as an evaluation names them: `NAME-OR-CHAIN [KEY=VALUE ...]`."""

import shlex
from collections.abc import Iterable

from entropix_mlx.sampling import own
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError


def settings_of(text: str, *, asked: bool = True) -> Settings:
    """`min-p min_p=0.1`: a sampler's name, then settings. One of the user's own is imported, but
    only if the user `asked` for it: a folder never causes an import.

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
    if not asked and own.is_code(name):
        raise UsageError(
            f"this run has a sampler of your own: name it again with --sampler {shlex.quote(text)}"
        )
    return Settings.make(own.chosen(name), overrides)


def samplers_of(texts: Iterable[str], there: Iterable[str] = ()) -> dict[str, Settings]:
    """By their texts: those that a folder has, then those that are asked for.

    Raises UsageError, for one that is asked for twice too.
    """
    asked = [" ".join(text.split()) for text in texts]
    found = {name: settings_of(name, asked=name in asked) for name in there}
    twice = [name for name in asked if asked.count(name) > 1]
    if twice:
        raise UsageError(f"sampler {twice[0]!r} is named twice")
    return found | {name: settings_of(name) for name in asked if name not in found}
