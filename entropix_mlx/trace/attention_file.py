"""Attention entropy by layer and head, beside a trace: too much for its lines, small in bytes.

The first line is a JSON object; then comes a row for each token: its record's index (little-endian
int32) and `layers * heads` entropies in bits (little-endian float16, layer by layer). Rows are
written whole and flushed before the token's record; a torn last one is passed over.
"""

import os
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from entropix_models.errors import TraceError
from entropix_models.paths import disk_errors

_LONGEST_HEADER = 4096
_MOST = 4096
"""Layers, and heads, beyond which a header is damaged."""


class Header(msgspec.Struct, frozen=True, tag="attention"):
    """The first line."""

    layers: int
    heads: int
    unit: str = "bits"
    row: str = "<i4 index, <f2 [layers, heads]"
    schema: int = 1


class HeadEntropies(NamedTuple):
    """`indices` int32 `[rows]`, the records'; `entropy` float16 `[rows, layers, heads]`, bits."""

    indices: npt.NDArray[np.int32]
    entropy: npt.NDArray[np.float16]


class AttentionWriter:
    """Writes rows to a file. What it held is replaced by the first one; with `append` its whole
    rows are kept, and the others follow them. Raises TraceError.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._path = path
        self._created = not os.path.lexists(path)
        self._shape: tuple[int, ...] | None = None
        whole = 0
        if append and not self._created and path.stat().st_size:
            found = read_attention(path)
            self._shape = found.entropy.shape[1:]
            with path.open("rb") as file:
                first = len(file.readline(_LONGEST_HEADER))
            whole = first + len(found.indices) * _row(*self._shape).itemsize
        try:
            # As a trace: an old one stays until there is something to replace it with.
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            if whole:
                os.ftruncate(self._file, whole)
                os.lseek(self._file, 0, os.SEEK_END)
        except OSError as error:
            raise TraceError(f"cannot write {path}: {error.strerror}; choose another") from error

    def add(self, index: int, entropy: npt.NDArray[np.float32]) -> None:
        """`entropy` `[layers, heads]`, bits, of the token that becomes record `index`."""
        if self._file is None:
            return
        row = np.array(index, "<i4").tobytes() + entropy.astype("<f2").tobytes()
        if self._shape is None:
            self._shape = entropy.shape
            row = msgspec.json.encode(Header(*entropy.shape)) + b"\n" + row
            os.ftruncate(self._file, 0)
        with disk_errors(self._path):
            rest = memoryview(row)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        """Close the file, and remove a new one if nothing came. Can be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if self._shape is None and self._created:
                self._path.unlink(missing_ok=True)


def read_attention(path: Path) -> HeadEntropies:
    """The whole rows of a file. Raises TraceError where it is none."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_HEADER)
            data = file.read()
    except OSError as error:
        raise TraceError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    try:
        header = msgspec.json.decode(line, type=Header)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{path} holds no attention: its first line is no header") from error
    if not (0 < header.layers <= _MOST and 0 < header.heads <= _MOST) or header.schema != 1:
        raise TraceError(f"{path} has a damaged header, or one of a newer program")
    row = _row(header.layers, header.heads)
    rows = np.frombuffer(data, row, count=len(data) // row.itemsize)
    return HeadEntropies(rows["index"], rows["entropy"])


def _row(layers: int, heads: int) -> np.dtype[np.void]:
    return np.dtype([("index", "<i4"), ("entropy", "<f2", (layers, heads))])
