"""`entropix-mlx samplers`: the presets and their knobs."""

import dataclasses
import json

import click

from entropix_mlx.settings import PRESETS, Settings


@click.command()
@click.argument("preset", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def samplers(preset: str | None, as_json: bool) -> None:
    """List the sampler presets, or one preset's settings with their defaults."""
    if preset is None:
        if as_json:
            click.echo(json.dumps(PRESETS, indent=2))
            return
        for name, about in _ABOUT.items():
            click.echo(f"{name:<17}{about}")
        return
    Settings.make(preset)
    if as_json:
        click.echo(json.dumps(PRESETS[preset], indent=2))
        return
    documents = {f.name: f.metadata.get("doc", "") for f in dataclasses.fields(Settings)}
    for name, value in PRESETS[preset].items():
        shown = "calibrated" if value is None else str(value).lower()
        click.echo(f"{name:<17}{shown:<12}{documents[name]}")


_ABOUT = {
    "calibrated": "strategies by entropy and varentropy, thresholds of the model (default)",
    "entropixplained": "the guide's fixed thresholds and formulas, to the letter",
    "greedy": "always the most likely token",
    "temperature": "temperature, min-p, top-k, top-p and one draw",
}
