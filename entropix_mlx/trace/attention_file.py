"""Attention by layer and head, beside a trace: too much for its lines, small in bytes.

The first line is a JSON object; then comes a row for each token: its record's index (little-endian
int32) and `layers * heads` entropies in bits (little-endian float16, layer by layer), after them as
many of each further measure that the first line names (schema 2). Rows are written whole and
flushed before the token's record; a torn last one is passed over.
"""

import os
from collections.abc import Mapping, Sequence
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
    """The first line. `unit` is the entropy's."""

    layers: int
    heads: int
    unit: str = "bits"
    row: str = "<i4 index, <f2 [layers, heads]"
    schema: int = 1
    measures: list[str] | msgspec.UnsetType = msgspec.UNSET
    """In a row's order, from schema 2 on; before, there was the entropy alone."""


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
        self._row: np.dtype[np.void] | None = None
        whole = 0
        if append and not self._created and path.stat().st_size:
            rows = _read(path)
            self._row = rows.dtype
            with path.open("rb") as file:
                whole = len(file.readline(_LONGEST_HEADER)) + rows.nbytes
        try:
            # As a trace: an old one stays until there is something to replace it with.
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            if whole:
                os.ftruncate(self._file, whole)
                os.lseek(self._file, 0, os.SEEK_END)
        except OSError as error:
            raise TraceError(f"cannot write {path}: {error.strerror}; choose another") from error

    def add(
        self,
        index: int,
        entropy: npt.NDArray[np.float32],
        others: Mapping[str, npt.NDArray[np.float32]] = {},
    ) -> None:
        """`entropy` `[layers, heads]`, bits, of the token that becomes record `index`; `others`:
        further measures of the same shape by name, the same ones in every row.
        """
        if self._file is None:
            return
        measures = {"entropy": entropy, **others}
        data = b""
        if self._row is None:
            self._row = _row_of(list(measures), *entropy.shape)
            layers, heads = entropy.shape
            header = Header(layers, heads)
            if others:
                layout = "<i4 index, <f2 [measures, layers, heads]"
                header = Header(layers, heads, row=layout, schema=2, measures=list(measures))
            data = msgspec.json.encode(header) + b"\n"
            os.ftruncate(self._file, 0)
        row = np.zeros((), self._row)
        row["index"] = index
        for name, values in measures.items():
            row[name] = values
        with disk_errors(self._path):
            rest = memoryview(data + row.tobytes())
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        """Close the file, and remove a new one if nothing came. Can be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if self._row is None and self._created:
                self._path.unlink(missing_ok=True)


def read_attention(path: Path) -> HeadEntropies:
    """The whole rows of a file. Raises TraceError where it is none."""
    rows = _read(path)
    return HeadEntropies(rows["index"], rows["entropy"])


def read_heads(path: Path) -> dict[str, npt.NDArray[np.float16]]:
    """Every measure of a file by name, each as `HeadEntropies` has the entropy. Raises TraceError
    where it is none.
    """
    rows = _read(path)
    return {name: rows[name] for name in rows.dtype.names or () if name != "index"}


def _read(path: Path) -> npt.NDArray[np.void]:
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
    names = ["entropy"] if header.schema == 1 else header.measures or []
    row = None
    if 0 < header.layers <= _MOST and 0 < header.heads <= _MOST and header.schema in (1, 2):
        row = _row_of(names, header.layers, header.heads)
    if row is None:
        raise TraceError(f"{path} has a damaged header, or one of a newer program")
    return np.frombuffer(data, row, count=len(data) // row.itemsize)


def _row_of(names: Sequence[str], layers: int, heads: int) -> np.dtype[np.void] | None:
    """None for names that cannot be a row's."""
    if "entropy" not in names or len({"index", "", *names}) != len(names) + 2:
        return None
    return np.dtype([("index", "<i4"), *((name, "<f2", (layers, heads)) for name in names)])
