"""Weights as the CPU computes with them, dense and joined, kept in the cache from the first load.

To dequantise a small model takes most of its start, to read what came of it a third of that. Of a
large one the copy is many gigabytes, and a disk reads them no faster than they are made.
"""

import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from safetensors import SafetensorError, safe_open

from entropix_models.paths import atomic_file, cache_root

SMALLEST, LARGEST = 64 << 20, 1 << 30
"""Bytes in float32 from and to which a copy is kept."""

KEPT = 2
"""Copies, of the models that were used last."""

SPARE = 4
"""A disk with less room than for so many copies is left alone."""

LAYOUT = 1
"""Counts up with what the loader makes of the same files."""


def place(folder: Path, size: int) -> Path | None:
    """Where the copy of a folder's weights lies, or would; None where none is kept.

    `size`: bytes in float32. Other files, or another MLX, have another place.
    """
    if not SMALLEST <= size <= LARGEST:
        return None
    told: list[object] = [LAYOUT, importlib.metadata.version("mlx"), str(folder.resolve())]
    for path in sorted((*folder.glob("model*.safetensors"), folder / "config.json")):
        found = path.stat()
        told += [path.name, found.st_size, found.st_mtime_ns]
    digest = hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()
    return cache_root() / "dense" / f"{digest}.safetensors"


def read(network: nn.Module, copy: Path) -> bool:
    """Have a network's weights, which are still to be evaluated, come from a copy.

    False if it is damaged or does not fit: it is removed then.
    """
    try:
        with safe_open(copy, framework="numpy"):  # holds what its header says
            pass
        network.load_weights(str(copy))
        os.utime(copy)
    except (OSError, RuntimeError, SafetensorError, ValueError):
        with suppress(OSError):
            copy.unlink()
        return False
    return True


def write(network: nn.Module, copy: Path) -> None:
    """Keep a network's weights. Nothing needs the copy: a disk that refuses is left alone."""
    weights: dict[str, mx.array] = dict(tree_flatten(network.parameters()))
    try:
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove(copy.parent.glob(".*.part.safetensors"))
        size = sum(array.nbytes for array in weights.values())
        if shutil.disk_usage(copy.parent).free < SPARE * size:
            return
        with atomic_file(copy, ".part.safetensors") as unfinished:
            mx.save_safetensors(str(unfinished), weights)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())  # a file that has its name after a crash has its contents
        copies = sorted(
            copy.parent.glob("[!.]*.safetensors"), key=lambda path: path.stat().st_mtime
        )
        _remove(copies[:-KEPT])
    except (OSError, RuntimeError):
        return


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
