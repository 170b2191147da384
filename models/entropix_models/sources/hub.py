"""Models on the Hugging Face Hub: what is in its local cache, and fetching the rest."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from entropix_models.errors import DamagedFileError, DownloadError, ModelNotFoundError, one_line
from entropix_models.progress import Progress
from entropix_models.sources import catalogue
from entropix_models.sources.processes import run_child

PATTERNS = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "chat_template.jinja",
    "model*.safetensors",
    "model.safetensors.index.json",
]
"""The files that a model is made of here; nothing that is code or that unpickles."""

_FETCH = "entropix_models.sources.hub_fetch"
UNREACHED = ("offline", "unreachable", "silent")
"""What keeps the Hub from being asked, where what is in the cache is as good."""
_LARGEST_INDEX = 1 << 25
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_id(name: str) -> bool:
    """Whether a name has the form "organisation/model"."""
    return _ID.fullmatch(name) is not None and len(name) <= 96


def cache_folder() -> Path:
    """The Hub's cache, where the library of that name keeps it."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def cached(repository: str, revision: str) -> Path | None:
    """The repository's folder, which its commit names, if all of it is in the Hub's local cache;
    nothing is asked over the network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    # A missing or partial snapshot is a FileNotFoundError.
    with suppress(FileNotFoundError, HFValidationError):
        path = Path(
            snapshot_download(
                repository,
                revision=revision,
                cache_dir=cache_folder(),
                allow_patterns=PATTERNS,
                local_files_only=True,
            )
        )
        if _has_weights(path) and (path / "tokenizer.json").exists():
            return path
    return None


def fetch(repository: str, revision: str, progress: Progress) -> tuple[Path, bool]:
    """Bring the repository into the cache; its folder, and whether bytes were downloaded.

    What is there already is not fetched again. Where the Hub cannot be asked, a complete snapshot
    in the cache is as good. Raises
    ModelNotFoundError or DownloadError, each in one line that says what to do.
    """
    if _COMMIT.fullmatch(revision) and (here := cached(repository, revision)):
        return here, False
    answer = ask(repository, revision, PATTERNS, progress)
    if "path" not in answer:
        if answer["error"] in UNREACHED and (here := cached(repository, revision)):
            return here, False
        detail = one_line(answer["detail"])
        raise _explained(repository, revision, answer["error"], detail)
    path = Path(answer["path"])
    if not _has_weights(path):
        raise ModelNotFoundError(
            f"{repository} on the Hub has no config.json with model*.safetensors beside it; "
            "name a repository in the format of mlx-lm or transformers"
        )
    return path, answer["done"] > 0


def ask(
    repository: str,
    revision: str,
    patterns: list[str],
    progress: Progress,
    repo_type: str = "model",
) -> dict[str, Any]:
    """Have a process bring the files that fit the patterns into the Hub's cache.

    The answer has `path`, the folder of that revision, and `done`, the bytes that were downloaded;
    or else `error` and `detail`.
    """
    stage = f"fetching {repository}"
    progress(stage, 0, None)
    request = {
        "repo_id": repository,
        "repo_type": repo_type,
        "revision": revision,
        "cache_dir": str(cache_folder()),
        "allow_patterns": patterns,
    }
    answer: dict[str, Any] = {"done": 0, "total": None}

    def tick(lines: list[str]) -> None:
        for line in lines:
            with suppress(ValueError):
                answer.update(json.loads(line))
        progress(stage, answer["done"], answer["total"])

    # Xet's own code fetches and writes where nothing of ours can watch it.
    env = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    _, errors = run_child(_FETCH, [json.dumps(request)], env, tick)
    if "path" not in answer and "error" not in answer:
        last = (errors.strip().splitlines() or ["it ended without a word"])[-1]
        answer.update(error="broken", detail=last[:200])
    return answer


def _has_weights(folder: Path) -> bool:
    if not (folder / "config.json").exists():
        return False
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return any(folder.glob("model*.safetensors"))
    try:
        if index.stat().st_size > _LARGEST_INDEX:
            raise ValueError("absurdly long")
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(
            f"{index} is not an index of weights; remove it and pull again"
        ) from (error)
    return shards <= {path.name for path in folder.glob("model*.safetensors")}


def _explained(repository: str, revision: str, kind: str, detail: str) -> Exception:
    copy = catalogue.ungated(repository)
    instead = f', or use "{copy.name}", an ungated copy of it' if copy else ""
    again = "run the same command again: finished files are kept"
    match kind:
        case "gated":
            return DownloadError(
                f"{repository} is gated: accept its licence at https://huggingface.co/{repository} "
                f"and log in with `hf auth login`{instead}"
            )
        case "missing":
            hints = catalogue.closest(repository.rpartition("/")[2])
            maybe = f"; did you mean {' or '.join(hints)}?" if hints else ""
            return ModelNotFoundError(
                f"{repository}: no such model on the Hub (a private one needs `hf auth login`)"
                f"{maybe or '; `entropix-mlx models list` shows those with short names'}"
            )
        case "revision":
            return ModelNotFoundError(
                f"{repository} on the Hub has no revision {revision}; it was renamed or removed"
            )
        case "offline":
            return DownloadError(
                f"{repository} is not in the local cache and HF_HUB_OFFLINE is set; unset it, or "
                "copy a folder of the model here and name its path"
            )
        case "full":
            return DownloadError(
                f"{repository}: the disk that holds {cache_folder()} is full; free some space, "
                "or set HF_HOME to another disk"
            )
        case "unwritable":
            return DownloadError(
                f"{repository}: {cache_folder()} cannot be written ({detail}); set HF_HOME to a "
                "folder of yours"
            )
        case "refused":
            return DownloadError(f"{repository}: the Hub answered with {detail}; try again later")
        case "unreachable":
            return DownloadError(
                f"{repository}: {host()} could not be reached ({detail}) and the model is not in "
                f"the local cache; check the network and {again}"
            )
        case "silent":
            return DownloadError(
                f"{repository}: {host()} sent next to nothing for {detail} seconds and the model "
                f"is not in the local cache; check the network and {again}"
            )
        case "strange":
            return DownloadError(
                f"{repository}: {host()} answered with {detail}, as no Hub does; check "
                "HF_ENDPOINT and the network, then try again"
            )
        case "outside":
            return DownloadError(
                f"{repository}: {host()} would have written outside the model's place in the "
                f"cache ({detail}), and was stopped; check HF_ENDPOINT, and don't use this model"
            )
        case _:
            return DownloadError(f"{repository}: the download failed ({detail}); {again}")


def host() -> str:
    """Where the Hub is."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
