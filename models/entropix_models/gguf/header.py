"""The header of a GGUF file: metadata and the table of tensors, read with every bound checked.

Only this reader decides whether a file is well formed; the tensors' data is left to MLX, which
would follow a hostile offset or count out of the file.
"""

import struct
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import NamedTuple

from entropix_models.errors import DamagedFileError, UnsupportedError

Value = int | float | bool | str | list[int] | list[float] | list[bool] | list[str]

TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
"""Tensor types: `id: (name, values per block, bytes per block)`."""

_SCALARS = ("B", "b", "H", "h", "I", "i", "f", "?", "-", "-", "Q", "q", "d")
_STRING, _ARRAY = 8, 9
_MAX_STRING = 1 << 24
_MAX_NAME = 256
_MAX_ITEMS = 1 << 23
_MAX_HEADER = 1 << 28
_MAX_ENTRIES = 1 << 16


class TensorInfo(NamedTuple):
    """One tensor: `shape` with the rows first, `offset` and `size` in bytes of the file."""

    shape: tuple[int, ...]
    type: str
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]


def read_header(path: Path) -> Header:
    """Raises DamagedFileError for a truncated, inconsistent or hostile file, UnsupportedError
    for what this version of the format does not say."""
    with path.open("rb") as file:
        file.seek(0, 2)
        reader = _Reader(path, file, file.tell())
        return reader.read()


def damaged(file: Path, what: str) -> DamagedFileError:
    """The error for a file that is truncated, inconsistent or hostile."""
    return DamagedFileError(f"{file} is damaged: {what}; download it again")


def shown(value: object) -> str:
    """A value of the file as part of a message: one line, not long, no control characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class _Reader:
    def __init__(self, path: Path, file: BufferedReader, size: int) -> None:
        self.path, self.file, self.size = path, file, size
        self.position = self.items = 0
        file.seek(0)

    def read(self) -> Header:
        if self.size < 24 or self.take(4) != b"GGUF":
            raise DamagedFileError(f"{self.path} is not a GGUF file; give one that a model is in")
        version = self.number("I")
        if version not in (2, 3):
            raise UnsupportedError(
                f"{self.path}: GGUF version {version} is not read here (2 and 3 are); convert it "
                "anew with current tools"
            )
        tensor_count, value_count = self.number("Q"), self.number("Q")
        if tensor_count > _MAX_ENTRIES or value_count > _MAX_ENTRIES:
            raise damaged(self.path, "it claims an absurd number of entries")
        metadata: dict[str, Value] = {}
        for _ in range(value_count):
            key = self.string(_MAX_NAME)
            if key in metadata:
                raise damaged(self.path, f"{shown(key)} is there twice")
            metadata[key] = self.value(key, self.number("I"))
        infos = [self.tensor_info() for _ in range(tensor_count)]
        return Header(metadata, self.placed(infos, metadata))

    def take(self, count: int) -> bytes:
        if count > self.size - self.position:
            raise damaged(self.path, f"it ends in its header, at byte {self.size}")
        if count > _MAX_HEADER - self.position:
            raise damaged(self.path, "its header is absurdly long")
        data = self.file.read(count)
        if len(data) != count:
            raise damaged(self.path, "it became shorter while it was read")
        self.position += count
        return data

    def number(self, code: str) -> int:
        value: int = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]
        return value

    def string(self, longest: int = _MAX_STRING) -> str:
        length = self.number("Q")
        if length > longest:
            raise damaged(self.path, f"a text of {length} bytes")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise damaged(self.path, "a text is not UTF-8") from None

    def value(self, key: str, kind: int) -> Value:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array(key)
        return self.scalars(key, kind, 1)[0]

    def array(self, key: str) -> Value:
        kind, count = self.number("I"), self.number("Q")
        self.items += count
        if self.items > _MAX_ITEMS:
            raise damaged(self.path, f"{shown(key)} has an absurd number of items")
        if kind == _ARRAY:
            raise UnsupportedError(
                f"{self.path}: {shown(key)} is an array of arrays, not read here"
            )
        if kind == _STRING:
            return [self.string() for _ in range(count)]
        return self.scalars(key, kind, count)

    def scalars(self, key: str, kind: int, count: int) -> list[int] | list[float] | list[bool]:
        code = _SCALARS[kind] if kind < len(_SCALARS) else "-"
        if code == "-":
            raise damaged(self.path, f"{shown(key)} has a value of unknown type {kind}")
        layout = f"<{count}{code}"
        return list(struct.unpack(layout, self.take(struct.calcsize(layout))))

    def tensor_info(self) -> tuple[str, TensorInfo]:
        name = self.string(_MAX_NAME)
        dimensions = self.number("I")
        if not 1 <= dimensions <= 4:
            raise damaged(self.path, f"tensor {shown(name)} has {dimensions} dimensions")
        sizes = [self.number("Q") for _ in range(dimensions)]
        kind, offset = self.number("I"), self.number("Q")
        if kind not in TYPES:
            raise UnsupportedError(
                f"{self.path}: tensor {shown(name)} has an unknown type ({kind})"
            )
        type_name, block, block_bytes = TYPES[kind]
        count = prod(sizes)
        if not 0 < count <= self.size * 256 or sizes[0] % block:
            raise damaged(self.path, f"tensor {shown(name)} has an impossible shape")
        return name, TensorInfo(tuple(sizes[::-1]), type_name, offset, count // block * block_bytes)

    def placed(
        self, infos: list[tuple[str, TensorInfo]], metadata: dict[str, Value]
    ) -> dict[str, TensorInfo]:
        """Check that names are unique and that tensors lie in the file, apart from each other."""
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment not in (8, 16, 32, 64, 128, 256, 4096):
            raise damaged(self.path, f"an alignment of {shown(alignment)}")
        start = -(-self.position // alignment) * alignment
        tensors = {
            name: info._replace(offset=start + info.offset)
            for name, info in infos
            if not info.offset % alignment
        }
        if len(tensors) != len(infos):
            raise damaged(self.path, "tensors are there twice or out of alignment")
        in_order = sorted(tensors.items(), key=lambda item: item[1].offset)
        for (name, info), (other, following) in pairwise(in_order):
            if info.offset + info.size > following.offset:
                raise damaged(self.path, f"tensors {shown(name)} and {shown(other)} overlap")
        for name, info in in_order:
            if info.offset + info.size > self.size:
                raise damaged(self.path, f"tensor {shown(name)} goes past the end of the file")
        return tensors
