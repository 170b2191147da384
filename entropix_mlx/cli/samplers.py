"""`entropix-mlx samplers`: the presets and their knobs."""

import dataclasses
import json
from typing import Any

import click

from entropix_mlx.sampling.presets import Preset, load
from entropix_mlx.sampling.settings import PRESETS, Settings
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
        own = load()
    except EntropixError as error:
        click.echo(f"note: {error}", err=True)
        own = {}
    if as_json:
        click.echo(json.dumps(PRESETS | {name: _values(name) for name in own}, indent=2))
        return
    for name, about in _ABOUT.items():
        click.echo(f"{name:<16} {about}")
    for name, mine in own.items():
        click.echo(f"{name:<16} {_about(mine)}")


def _show(preset: str, as_json: bool) -> None:
    values = _values(preset)
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    documents = {f.name: f.metadata.get("doc", "") for f in dataclasses.fields(Settings)}
    for name, value in values.items():
        shown = "calibrated" if value is None else str(value).lower()
        click.echo(f"{name:<16} {shown:<11} {documents[name]}")


def _values(preset: str) -> dict[str, Any]:
    """The settings that a preset has, None where the model's calibration fills them in."""
    settings = Settings.make(preset)
    return {name: getattr(settings, name) for name in PRESETS[settings.preset]}


def _about(preset: Preset) -> str:
    changes = ", ".join(f"{name} {text}" for name, text in preset.values.items())
    return f"yours: {preset.base}" + (f" with {changes}" if changes else "")


_ABOUT = {
    "calibrated": "strategies by entropy and varentropy, thresholds of the model (default)",
    "entropixplained": "the guide's fixed thresholds and formulas, to the letter",
    "greedy": "always the most likely token",
    "temperature": "temperature, min-p, top-k, top-p and one draw",
}
