"""`entropix-mlx samplers`: the presets and their settings."""

import json
from typing import Any

import click

from entropix_mlx.cli.say import say, tell
from entropix_mlx.sampling.presets import Preset
from entropix_mlx.sampling.settings import Settings, declared, own_presets
from entropix_models.errors import EntropixError


@click.command()
@click.argument("preset", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def samplers(preset: str | None, as_json: bool) -> None:
    """List the sampler presets, yours too, or one preset's settings with their defaults."""
    if preset is not None:
        _show(preset, as_json)
        return
    try:
        own = own_presets()
    except EntropixError as error:
        tell(f"note: {error}")
        own = {}
    if as_json:
        say(json.dumps({name: _values(name) for name in (*declared(), *own)}, indent=2))
        return
    for name, sampler in declared().items():
        say(f"{name:<16} {sampler.summary}")
    for name, mine in own.items():
        say(f"{name:<16} {_about(mine)}")


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
