"""`entropix-mlx samplers`: the presets and their settings."""

import json
from typing import Any

import click

from entropix_mlx.cli.say import say, tell
from entropix_mlx.sampling import own
from entropix_mlx.sampling.presets import Preset
from entropix_mlx.sampling.settings import Settings, declared, own_presets
from entropix_models.errors import EntropixError, UsageError


@click.command()
@click.argument("preset", required=False)
@click.argument("checked", required=False, metavar="")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def samplers(preset: str | None, checked: str | None, as_json: bool) -> int:
    """List the sampler presets, yours too, or one preset's settings with their defaults.

    `samplers check PRESET` tells whether one keeps to what every sampler is held to: a class in a
    file (./mine.py:Name), links, or any other. Ends with status 1 if it does not.
    """
    if checked is not None:
        if preset != "check":
            raise UsageError(f"one preset, or check and one: not {preset!r} and {checked!r}")
        return _check(own.chosen(checked))
    if preset is not None:
        _show(own.chosen(preset), as_json)
        return 0
    try:
        yours = own_presets()
    except EntropixError as error:
        tell(f"note: {error}")
        yours = {}
    if as_json:
        say(json.dumps({name: _values(name) for name in (*declared(), *yours)}, indent=2))
        return 0
    width = max(map(len, (*declared(), *yours)))
    for name, sampler in declared().items():
        say(f"{name:<{width}} {sampler.summary}")
    for name, mine in yours.items():
        say(f"{name:<{width}} {_about(mine)}")
    return 0


def _check(preset: str) -> int:
    settings = Settings.make(preset)

    from entropix_mlx.checks.contract import examine

    wrong = 0
    for what, is_wrong in examine(settings):
        say(f"ok     {what}" if is_wrong is None else f"wrong  {what}: {is_wrong}")
        wrong += is_wrong is not None
    return int(wrong > 0)


def _show(preset: str, as_json: bool) -> None:
    settings, values = Settings.make(preset), _values(preset)
    if as_json:
        say(json.dumps(values, indent=2))
        return
    documents = settings.parameters()
    width = max(16, *map(len, values))
    for name, value in values.items():
        shown = "calibrated" if value is None else str(value).lower()
        say(f"{name:<{width}} {shown:<11} {documents[name].metadata['doc']}")
    for line in settings.documentation():
        say(line)


def _values(preset: str) -> dict[str, Any]:
    """The settings that a preset has, None where the model's calibration fills them in."""
    settings = Settings.make(preset)
    return {name: getattr(settings, name) for name in settings.parameters()}


def _about(preset: Preset) -> str:
    changes = ", ".join(f"{name} {text}" for name, text in preset.values.items())
    return f"yours: {preset.base}" + (f" with {changes}" if changes else "")
