"""The models that go by a short name: data, in `catalogue.toml`."""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

CLARIFY = " ..."
"""What a sampler inserts where a model has no text of its own."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model. `size` (bytes) and `sha256` are those of `file`, None where they aren't known.

    origin: the Hub repository, or the package whose wheel (`archive_*`) carries `file`.
    revision: the commit of the repository, or the version of the package.
    gated_original: the licence-gated Hub repository that `origin` is an ungated copy of.
    clarify: what a sampler inserts to make the model think again.
    """

    name: str
    title: str
    family: str
    source: Literal["hub", "wheel"]
    origin: str
    revision: str
    file: str
    context: int
    chat: bool
    quantization: str
    size: int | None = None
    sha256: str | None = None
    archive_size: int | None = None
    archive_sha256: str | None = None
    gated_original: str | None = None
    clarify: str = CLARIFY


@cache
def entries() -> dict[str, Entry]:
    """Every entry by name, in the catalogue's order."""
    text = resources.files("entropix_models").joinpath("catalogue.toml").read_text("utf-8")
    return {name: Entry(name=name, **table) for name, table in tomllib.loads(text).items()}


def find(name: str) -> Entry | None:
    """The entry of that name, upper and lower case alike."""
    return entries().get(name.lower())


def ungated(repository: str) -> Entry | None:
    """The entry that is an ungated copy of a gated Hub repository."""
    wanted = repository.lower()
    return next((e for e in entries().values() if (e.gated_original or "").lower() == wanted), None)


def closest(name: str, others: Iterable[str] = ()) -> list[str]:
    """Up to three names of the catalogue (or of `others`) that `name` may have meant."""
    return difflib.get_close_matches(name.lower(), [*entries(), *others], n=3, cutoff=0.5)
