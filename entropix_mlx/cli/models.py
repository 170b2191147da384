"""`entropix-mlx models`: what there is, what is here, fetching and importing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entropix_mlx.cli.output import columns
from entropix_mlx.cli.say import say

if TYPE_CHECKING:
    from entropix_models.sources.catalogue import Entry
    from entropix_models.sources.sources import ModelFolder


@click.group()
def models() -> None:
    """List, fetch, inspect and import models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def list_models(as_json: bool) -> None:
    """The models with short names, and the imported ones."""
    from entropix_models.sources import catalogue, sources

    here = {folder.name: folder for folder in sources.installed()}
    entries = catalogue.entries()
    rows = [_row(entry, here.get(entry.name)) for entry in entries.values()]
    rows += [_imported_row(folder) for name, folder in here.items() if name not in entries]
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    lines = [("NAME", "TITLE", "WEIGHTS", "SIZE", "INSTALLED")]
    for r in rows:
        installed = "yes" if r["path"] else "-"
        lines.append((r["name"], r["title"] or "-", r["quantization"], _size(r["size"]), installed))
    say("\n".join(columns(lines)))


@models.command()
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Also copy the model into this new folder.",
)
def pull(name: str, out: Path | None) -> None:
    """Download a model: a short name or a Hub id. Prints its folder."""
    from entropix_mlx.cli.progress import stderr_progress
    from entropix_models.sources import sources

    with stderr_progress() as progress:
        folder = sources.pull(name, out, progress=progress)
    say(str(folder.path))


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def show(name: str, as_json: bool) -> None:
    """Everything that is known of a model, without downloading it."""
    from entropix_models.sources import catalogue, sources

    entry = catalogue.find(name)
    folder = sources.locate(name)
    facts: dict[str, Any] = {} if entry is None else _row(entry, folder)
    if folder is None and entry is None:
        facts = {"name": name, "source": f"hub {name}", "path": None}
    elif folder is not None:
        facts |= _facts_of(folder)
    if as_json:
        say(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if value is not None:
            shown = _size(value) if key == "size" else repr(value) if key == "clarify" else value
            say(f"{key.replace('_', ' '):<14} {' '.join(str(shown).split())}")
    if folder is None:
        say(f"{'installed':<14} no; fetch it with `entropix-mlx models pull {name}`")


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The name that it goes by from then on.")
def import_model(file: Path, name: str) -> None:
    """Convert a GGUF file of the Llama family. Prints the new folder."""
    from entropix_mlx.cli.progress import stderr_progress
    from entropix_models.sources import sources

    with stderr_progress() as progress:
        folder = sources.import_file(file, name, progress)
    say(str(folder.path))


def _row(entry: "Entry", folder: "ModelFolder | None") -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family,
        "source": f"{entry.source} {entry.origin}",
        "revision": entry.revision,
        "gated_original": entry.gated_original,
        "quantization": entry.quantization,
        "context": entry.context,
        "chat": entry.chat,
        "size": entry.size,
        "path": None if folder is None else str(folder.path),
    }


def _imported_row(folder: "ModelFolder") -> dict[str, Any]:
    return {
        "name": folder.name,
        "title": None,
        "source": folder.source,
        "revision": folder.revision,
        "quantization": folder.quantization,
        "size": _bytes_of(folder),
        "path": str(folder.path),
    }


def _facts_of(folder: "ModelFolder") -> dict[str, Any]:
    from entropix_models.sources import sources

    config = sources.read_config(folder.path)
    return {
        "name": folder.name,
        "source": folder.source,
        "revision": folder.revision,
        "quantization": folder.quantization,
        "architecture": config.get("model_type"),
        "layers": config.get("num_hidden_layers"),
        "hidden": config.get("hidden_size"),
        "heads": config.get("num_attention_heads"),
        "kv_heads": config.get("num_key_value_heads"),
        "vocabulary": config.get("vocab_size"),
        "context": config.get("max_position_embeddings"),
        "clarify": folder.clarify,
        "size": _bytes_of(folder),
        "path": str(folder.path),
    }


def _bytes_of(folder: "ModelFolder") -> int:
    return sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())


def _size(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
