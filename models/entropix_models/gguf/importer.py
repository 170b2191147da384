"""Importing a GGUF file of the Llama family as an mlx-lm model folder.

MLX loads some tensor types wrongly without a word (Q4_K) and drops others (MXFP4), so a file is
refused by name before MLX opens it unless every tensor is of a type that comes out right.
"""

import errno
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropix_models.errors import DamagedFileError, ModelNotFoundError, UnsupportedError, one_line
from entropix_models.gguf.header import Header, read_header, shown
from entropix_models.gguf.layout import (
    ROPE_FACTORS,
    Expected,
    config_of,
    expected_tensors,
    llama3_scaling,
)
from entropix_models.gguf.tokenizer import check_tokenizer, stop_ids, token_id, write_tokenizer
from entropix_models.paths import atomic_folder, disk_errors, write_json
from entropix_models.progress import Progress, quiet

if TYPE_CHECKING:
    import mlx.core as mx

_BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
_DENSE = {"F32", "F16", "BF16", "Q2_K", "Q6_K"}
_GROUP = 32


def import_gguf(
    file: Path,
    out_folder: Path,
    progress: Progress = quiet,
    *,
    name: str | None = None,
    source: str | None = None,
    revision: str | None = None,
) -> None:
    """Convert `file` into the new model folder `out_folder`, which appears whole or not at all.

    Writes config.json, model.safetensors, tokenizer.json, tokenizer_config.json (with the chat
    template) and entropix.json. Raises DamagedFileError, UnsupportedError, ModelNotFoundError (no
    such file) or UsageError (the folder is there), each in one line.
    """
    stage = f"converting {file.name}"
    progress(stage, 0, None)
    if not file.is_file():
        raise ModelNotFoundError(f"{file}: no such file; name a GGUF file")
    header = read_header(file)
    tokens = check_tokenizer(header.metadata, file)
    config = config_of(header, file, len(tokens))
    expected = expected_tensors(config)
    _check_tensors(header, expected, file)
    _add_token_ids(config, header, len(tokens), file)
    quantization = _add_quantization(config, header, expected)
    with atomic_folder(out_folder) as folder:
        write_tokenizer(header.metadata, file, folder)
        scaling = _convert(file, folder, config, expected, header, progress)
        if scaling:
            config["rope_scaling"] = scaling
        write_json(folder / "config.json", config)
        facts = {
            "name": name or out_folder.name,
            "source": source or f"gguf {file.name}",
            "revision": revision,
            "quantization": quantization,
        }
        write_json(folder / "entropix.json", facts)


def _check_tensors(header: Header, expected: dict[str, Expected], file: Path) -> None:
    """Every expected tensor, no other, each of its shape and of a type that is handled."""
    found = header.tensors
    bad = Counter(t.type for t in found.values() if t.type not in _DENSE and t.type not in _BITS)
    if bad:
        named = ", ".join(f"{kind} ({count} tensors)" for kind, count in bad.most_common())
        raise UnsupportedError(
            f"{file}: tensor type {named} is not handled; get the model as Q8_0, Q4_0, Q4_1, Q6_K, "
            "F16, BF16 or F32"
        )
    missing = [name for name in expected if name not in found]
    if missing:
        raise DamagedFileError(
            f"{file} lacks {len(missing)} tensors, {missing[0]} first; download it again"
        )
    extra = [name for name in found if name not in expected and name != ROPE_FACTORS]
    if extra:
        raise UnsupportedError(
            f"{file} has {len(extra)} tensors that the importer does not know, "
            f"{shown(extra[0])} first"
        )
    for name, wanted in expected.items():
        shape, kind = found[name].shape, found[name].type
        if shape != wanted.shape:
            raise DamagedFileError(f"{file}: {name} has shape {shape} instead of {wanted.shape}")
        if len(shape) == 1 and kind not in _DENSE:
            raise UnsupportedError(f"{file}: {name} is a vector of type {kind}, not handled")


def _add_token_ids(config: dict[str, Any], header: Header, vocabulary: int, file: Path) -> None:
    stops = stop_ids(header.metadata, vocabulary, file)
    if stops:
        config["eos_token_id"] = stops[0] if len(stops) == 1 else stops
    begin = token_id(header.metadata, "tokenizer.ggml.bos_token_id", vocabulary, file)
    if begin is not None:
        config["bos_token_id"] = begin


def _add_quantization(config: dict[str, Any], header: Header, expected: dict[str, Expected]) -> str:
    """Describe the quantised modules in `config`; return the commonest type of the matrices."""
    kinds = {
        tensor.module: header.tensors[name].type
        for name, tensor in expected.items()
        if len(tensor.shape) == 2
    }
    commonest = Counter(kinds.values()).most_common(1)[0][0]
    quantised = {module: _BITS[kind] for module, kind in kinds.items() if kind in _BITS}
    if quantised:
        usual = Counter(quantised.values()).most_common(1)[0][0]
        config["quantization"] = {"group_size": _GROUP, "bits": usual} | {
            module: {"group_size": _GROUP, "bits": bits}
            for module, bits in quantised.items()
            if bits != usual
        }
    return commonest


def _convert(
    file: Path,
    folder: Path,
    config: dict[str, Any],
    expected: dict[str, Expected],
    header: Header,
    progress: Progress,
) -> dict[str, Any] | None:
    """Write model.safetensors; return the rope scaling if the file holds frequency factors."""
    import mlx.core as mx
    import numpy as np

    try:
        loaded = mx.load(str(file), format="gguf")
    except (RuntimeError, ValueError) as error:
        raise DamagedFileError(f"{file} could not be loaded ({one_line(error)})") from error
    assert isinstance(loaded, dict)
    weights: dict[str, mx.array] = {}
    stage = f"converting {file.name}"
    for done, (name, tensor) in enumerate(expected.items()):
        progress(stage, done, len(expected), unit="tensors")
        stem = name.removesuffix(".weight")
        for part, shape in _parts(tensor, header.tensors[name].type).items():
            array = loaded.pop(f"{stem}.{part}", None)
            if array is None or array.shape != shape:
                raise DamagedFileError(f"{file}: {name} could not be read; download it again")
            if mx.issubdtype(array.dtype, mx.floating) and not mx.isfinite(array).all().item():
                raise DamagedFileError(f"{file}: {name} holds values that are not finite numbers")
            if tensor.interleaved_heads:
                array = _halves_first(array, tensor.interleaved_heads)
            weights[f"{tensor.module}.{part}"] = array
    _save(folder / "model.safetensors", weights)
    progress(stage, len(expected), len(expected), unit="tensors")
    if ROPE_FACTORS not in header.tensors:
        return None
    factors = loaded[ROPE_FACTORS].astype(mx.float32)
    if factors.shape != (config["head_dim"] // 2,) or not (factors > 0).all().item():
        raise DamagedFileError(f"{file}: {ROPE_FACTORS} has an impossible shape or values")
    return llama3_scaling(np.asarray(factors).tolist(), config["rope_theta"], file)


def _save(target: Path, weights: "dict[str, mx.array]") -> None:
    import mlx.core as mx

    with disk_errors(target):
        try:
            mx.save_safetensors(str(target), weights, metadata={"format": "mlx"})
        except RuntimeError as error:  # a failed write, of which MLX keeps the reason for itself
            raise OSError(errno.ENOSPC, one_line(error)) from error


def _parts(tensor: Expected, kind: str) -> dict[str, tuple[int, ...]]:
    """The arrays that MLX makes of one tensor of the file, and their shapes."""
    if kind not in _BITS:
        return {"weight": tensor.shape}
    rows, columns = tensor.shape
    groups = (rows, columns // _GROUP)
    return {"weight": (rows, columns * _BITS[kind] // 32), "scales": groups, "biases": groups}


def _halves_first(array: "mx.array", heads: int) -> "mx.array":
    """Undo the converter's order of the rows of a head: it pairs row i with row i + half."""
    rows, columns = array.shape
    pairs = array.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)
