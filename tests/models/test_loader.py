"""Loading: what is in a folder is used as it is, or refused in one line."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from entropix_models import devices, joined_layer, loader
from entropix_models.errors import DamagedFileError, EntropixError, UnsupportedError
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

Q_PROJ = "model.layers.0.self_attn.q_proj.weight"


def load(folder: Path) -> LanguageModel:
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path) -> Path:
    """A sound folder, to be damaged."""
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_header(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data[8 + length :])


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(EntropixError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    assert len(message) < 500 + len(str(folder)) * 2
    assert not words or any(word in message for word in words)


def test_facts_and_weights(llama: LanguageModel, llama_folder: Path) -> None:
    info = llama.info
    stored = load_file(llama_folder / "model.safetensors")
    assert (info.name, info.architecture, info.dtype) == ("llama", "llama", "float32")
    assert (info.layers, info.vocab_size, info.context_length) == (3, 300, 512)
    norms = sum(v.size for k, v in stored.items() if "norm" in k)
    assert info.parameters == sum(v.size for v in stored.values()) - norms
    for name, value in joined_layer.weights(llama.network).items():
        np.testing.assert_array_equal(np.array(value), stored[name], err_msg=name)


def test_half_precision_becomes_float32_on_a_cpu(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_llama(tmp_path / "half", dtype="float16")
    model = load(folder)
    stored = load_file(folder / "model.safetensors")
    assert stored[Q_PROJ].dtype == np.float16
    assert model.info.dtype == "float32"
    for name, value in joined_layer.weights(model.network).items():
        assert value.dtype == mx.float32
        np.testing.assert_array_equal(np.array(value), stored[name].astype(np.float32))
    assert model.step(mx.array([3, 4]), model.new_cache()).logits.dtype == mx.float32


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_become_dense(
    make_llama: Callable[..., Path], tmp_path: Path, bits: int, dtype: str
) -> None:
    """Scales and biases are widened before the product, by whose definition it is checked."""
    folder = make_llama(tmp_path / "q", dtype=dtype)
    stored = load_file(folder / "model.safetensors")
    packed: dict[str, np.ndarray] = {}
    expected: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(bits)
    for name, value in stored.items():
        if value.ndim == 1 or value.shape[1] % 32:
            packed[name], expected[name] = value, value.astype(np.float32)
            continue
        rows, columns = value.shape
        levels = rng.integers(0, 2**bits, (rows, columns), dtype=np.uint32)
        scales = rng.uniform(0.01, 0.03, (rows, columns // 32)).astype(dtype)
        biases = rng.uniform(-0.2, 0, (rows, columns // 32)).astype(dtype)
        each = 32 // bits
        shifts = (np.arange(each) * bits).astype(np.uint32)
        words = (levels.reshape(rows, -1, each) << shifts).sum(axis=-1, dtype=np.uint32)
        module = name.removesuffix(".weight")
        packed |= {name: words, f"{module}.scales": scales, f"{module}.biases": biases}
        wide = [np.repeat(part.astype(np.float32), 32, axis=1) for part in (scales, biases)]
        expected[name] = levels.astype(np.float32) * wide[0] + wide[1]
    save_file(packed, folder / "model.safetensors", metadata={"format": "mlx"})
    edit_config(folder, quantization={"group_size": 32, "bits": bits})
    model = load(folder)
    weights = joined_layer.weights(model.network)
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert value.dtype == mx.float32
        np.testing.assert_allclose(np.array(value), expected[name], atol=1e-6, err_msg=name)
    kinds = {type(module) for _, module in model.network.named_modules()}
    assert not kinds & {nn.QuantizedLinear, nn.QuantizedEmbedding}


def test_what_is_tied_and_what_is_not(make_llama: Callable[..., Path], tmp_path: Path) -> None:
    model = load(make_llama(tmp_path / "untied", tie_word_embeddings=False))
    assert "lm_head.weight" in joined_layer.weights(model.network)
    assert model.info.parameters == 3 * (2 * 64 * 16 * 6 + 3 * 64 * 96) + 2 * 300 * 64


@pytest.mark.parametrize("size", [0, 4, 8, 100, 3000, 100_000])
def test_truncated_weights(folder: Path, size: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    refused(folder, "truncated", "damaged")


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [10**6, 10**6]},
        {"shape": [0, 64]},
        {"shape": [-64, -64]},
        {"shape": "64"},
        {"shape": [32, 128]},
        {"dtype": "F99"},
        {"dtype": "I32"},
        {"dtype": ["F32"]},
        {"data_offsets": [0, 4]},
        {"data_offsets": [64, 0]},
        {"data_offsets": [0, 2**62]},
        {"data_offsets": [-8, 16376]},
        {"data_offsets": [0]},
    ],
    ids=str,
)
def test_hostile_tensors(folder: Path, changes: dict[str, Any]) -> None:
    edit_header(folder, lambda header: header[Q_PROJ].update(changes))
    refused(folder)


def test_missing_and_superfluous_tensors(folder: Path) -> None:
    def swap(header: dict[str, Any]) -> None:
        header["model.layers.1.self_attn.x_proj.weight"] = header.pop(
            "model.layers.1.self_attn.q_proj.weight"
        )

    edit_header(folder, swap)
    refused(folder, "q_proj", "x_proj")


@pytest.mark.parametrize(
    "data",
    [b"\x00" * 64, b"\xff" * 64, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 40) + b"[" * 40],
)
def test_no_safetensors_at_all(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").write_bytes(data)
    refused(folder)


def test_what_is_no_file(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, "no model*.safetensors")
    (folder / "model.safetensors").mkdir()
    refused(folder, "directory")
    (folder / "model.safetensors").rmdir()
    (folder / "model.safetensors").symlink_to(folder / "nowhere")
    refused(folder, "cannot be read")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"model_type": "llama"}']
)
def test_config_that_is_none(folder: Path, data: bytes) -> None:
    (folder / "config.json").write_bytes(data)
    refused(folder)


HOSTILE: dict[str, list[Any]] = {
    "num_attention_heads": [0, 3, 10**6, 10**30, "4", True],
    "num_key_value_heads": [-1, 0, 3, "2", 1.5],
    "head_dim": [-4, 7, 10**6, "x"],
    "hidden_size": [32, 10**7, 1.5],
    "max_position_embeddings": [-5, 0, 1.5, 10**30, "lots", []],
    "rope_theta": [None, "a"],
    "rope_scaling": ["x", {"rope_type": "llama3"}, {"type": "zz"}, {"type": "linear", "factor": 0}],
    "rope_parameters": [{"rope_theta": "x"}, {"rope_type": "llama3"}],
    "rms_norm_eps": [None, "x"],
    "vocab_size": [299, 301],
    "num_hidden_layers": [2, 4, 1001, 2**23],
    "intermediate_size": [95],
    "layer_types": ["x", ["sliding_attention"] * 3, ["full_attention"]],
    "quantization": ["x", {}],
    "tie_word_embeddings": [False],
    "attention_bias": [True],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in HOSTILE.items() for value in values]
)
def test_hostile_settings(folder: Path, key: str, value: Any) -> None:
    edit_config(folder, **{key: value})
    refused(folder)


def test_other_architectures_are_named(folder: Path) -> None:
    for kind in ("mamba", None, ["llama"]):
        edit_config(folder, model_type=kind)
        with pytest.raises(UnsupportedError, match="not supported yet"):
            load(folder)


def test_code_in_a_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    edit_config(folder, model_file="evil.py", auto_map={"AutoModelForCausalLM": "evil.X"})
    with pytest.raises(DamagedFileError):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_progress_counts_to_the_end(folder: Path) -> None:
    told: list[tuple[int, int | None]] = []
    loader.load(
        sources.resolve(str(folder)),
        devices.choose("cpu"),
        lambda stage, done, total: told.append((done, total)) if "weights" in stage else None,
    )
    assert told[0][0] == 0
    stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert stored - 20_000 < told[-1][0] == told[-1][1] <= stored, "but for the file's header"
    assert [done for done, _ in told] == sorted(done for done, _ in told)


PEAK = """
import re
from entropix_models import devices, loader
from entropix_models.sources import sources
model = loader.load(sources.resolve("smollm2-135m"), devices.choose("cpu"))
status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory at the fork
print(model.info.parameters, re.search(r"VmHWM:\\s*(\\d+) kB", status)[1])
devices.release_thread()
"""


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_needs_little_more_than_the_weights() -> None:
    """Peak memory of the process: at most 1.3 times the dense weights and 300 MB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, timeout=120, check=True
    )
    parameters, peak = map(int, done.stdout.split())
    assert peak * 1024 <= 1.3 * 4 * parameters + 300e6
