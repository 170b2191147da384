"""Data sets on the Hugging Face Hub."""

from contextlib import suppress
from pathlib import Path

from entropix_models.errors import DownloadError, one_line
from entropix_models.progress import Progress
from entropix_models.sources.hub import UNREACHED, ask, cache_folder, host

_REASONS = {
    "gated": "it is gated: accept its terms on the Hub and log in with `hf auth login`",
    "missing": "there is no such data set on the Hub",
    "revision": "the Hub has no such revision of it",
    "offline": "it is not in the local cache and HF_HUB_OFFLINE is set; unset it",
    "full": "the disk that holds {cache} is full; free some space, or set HF_HOME to another disk",
    "unwritable": "{cache} cannot be written ({detail}); set HF_HOME to a folder of yours",
    "refused": "the Hub answered with {detail}; try again later",
    "unreachable": "{host} could not be reached ({detail}); check the network",
    "silent": "{host} sent next to nothing for {detail} seconds; check the network",
    "strange": "{host} answered with {detail}, as no Hub does; check HF_ENDPOINT and the network",
    "outside": "{host} would have written outside its place in the cache ({detail}); "
    "check HF_ENDPOINT",
    "broken": "the download failed ({detail}); run the same again",
}


def fetch(repository: str, revision: str, pattern: str, progress: Progress) -> Path:
    """Bring the files that fit a pattern into the Hub's cache; the folder that they are in.

    What is there already is not fetched again. Where the Hub cannot be asked, what is in the cache
    is as good. Raises DownloadError, in one line that says what to do.
    """
    answer = ask(repository, revision, [pattern], progress, "dataset")
    if "path" not in answer:
        if answer["error"] in UNREACHED and (here := _cached(repository, revision, pattern)):
            return here
        reason = _REASONS.get(answer["error"], _REASONS["broken"]).format(
            cache=cache_folder(), host=host(), detail=one_line(answer["detail"])
        )
        raise DownloadError(f"{repository}: {reason}")
    folder = Path(answer["path"])
    if not any(folder.glob(pattern)):
        raise DownloadError(f"{repository}: the Hub has no {pattern} at its revision {revision}")
    return folder


def _cached(repository: str, revision: str, pattern: str) -> Path | None:
    from huggingface_hub import snapshot_download

    with suppress(FileNotFoundError):
        folder = Path(
            snapshot_download(
                repository,
                repo_type="dataset",
                revision=revision,
                cache_dir=cache_folder(),
                allow_patterns=[pattern],
                local_files_only=True,
            )
        )
        if any(folder.glob(pattern)):
            return folder
    return None
