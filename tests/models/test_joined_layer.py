"""Joined layers against mlx-lm's own, which they replace on a CPU."""

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from safetensors.numpy import load_file, save_file

from entropix_models import devices, joined_layer, loader
from entropix_models.joined_layer import JoinedLayer
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

PIECES = ([5, 6, 7, 8, 9], [10], [11], [12, 13], [14])
"""Ids that are read one after the other."""


def load(folder: Path) -> LanguageModel:
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


def with_biases(folder: Path) -> None:
    """Of every product; queries, keys and values share a setting."""
    path, rng = folder / "model.safetensors", np.random.default_rng(2)
    tensors = load_file(path)
    for name, value in list(tensors.items()):
        if "_proj" in name:
            bias = rng.normal(0, 0.3, len(value)).astype(np.float32)
            tensors[name.replace("weight", "bias")] = bias
    save_file(tensors, path, metadata={"format": "mlx"})
    configure(folder, attention_bias=True, mlp_bias=True)


def quantised(folder: Path, bits_of_values: int) -> None:
    """Everything to four bits, values to as many as told."""
    path = folder / "model.safetensors"
    packed: dict[str, mx.array] = {}
    own = {}
    for name, value in load_file(path).items():
        module, array = name.removesuffix(".weight"), mx.array(value)
        if array.ndim == 1 or array.shape[1] % 32:
            packed[name] = array
            continue
        bits = bits_of_values if "v_proj" in name else 4
        if bits != 4:
            own[module] = {"group_size": 32, "bits": bits}
        parts = mx.quantize(array, group_size=32, bits=bits)
        packed |= {f"{module}.{k}": v for k, v in zip(PARTS, parts, strict=True)}
    mx.save_safetensors(str(path), packed, {"format": "mlx"})
    configure(folder, quantization={"group_size": 32, "bits": 4} | own)


PARTS = ("weight", "scales", "biases")


def configure(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


CHANGES: dict[str, Callable[[Path], None]] = {
    "plain": lambda _folder: None,
    "biases": with_biases,
    "quantised": lambda folder: quantised(folder, 4),
    "quantised in two ways": lambda folder: quantised(folder, 8),
}


def said(model: LanguageModel) -> tuple[np.ndarray, np.ndarray]:
    """Logits after each id, and the largest weight and score of every head of every layer."""

    def two(scores: mx.array, weights: mx.array, _valid: mx.array | None) -> mx.array:
        both = mx.concatenate([weights.max(axis=-1), scores.max(axis=-1)], axis=1)
        return mx.swapaxes(both, 1, 2)

    cache, logits, attention = model.new_cache(), [], []
    for n, ids in enumerate(PIECES):
        step = model.step(mx.array(ids), cache, two if n != 2 else None)
        logits.append(np.array(step.logits))
        if step.attention is not None:
            attention.append(np.array(step.attention))
    rows = mx.array([[3, 4], [5, 6], [7, 8]])
    batch = model.new_cache()
    logits += [np.array(model.network(rows[:, n : n + 1], cache=batch)[:, -1]) for n in (0, 1)]
    logits.append(np.array(model.network(rows))[:, -1])
    return np.concatenate(logits), np.concatenate(attention, axis=1)


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_is_said_and_seen(
    name: str, make_llama: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_llama(tmp_path / "model")
    CHANGES[name](folder)
    model = load(folder)
    assert all(isinstance(layer, JoinedLayer) for layer in model.network.layers)
    logits, attention = said(model)
    weights = joined_layer.weights(model.network)
    monkeypatch.setattr(joined_layer, "join", lambda _network: None)
    plain = load(folder)
    assert not any(isinstance(layer, JoinedLayer) for layer in plain.network.layers)
    expected_logits, expected_attention = said(plain)
    # Equal where a product's numbers depend on no other row; else each of three layers' longest sum
    # has 96 parts.
    bound = 3 * 96 * np.finfo(np.float32).eps
    for found, expected in ((logits, expected_logits), (attention, expected_attention)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound * np.abs(expected).max())
    own = dict(tree_flatten(plain.network.parameters()))
    assert weights.keys() == own.keys()
    for key, value in own.items():
        np.testing.assert_array_equal(np.array(weights[key]), np.array(value), err_msg=key)


def test_few_operations(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is for: a token takes far fewer than with mlx-lm's layers."""

    def operations() -> int:
        model = load(llama_folder)
        cache = model.new_cache()
        mx.eval(
            model.step(mx.array([1, 2, 3]), cache).logits, model.step(mx.array([4]), cache).logits
        )
        mx.export_to_dot(str(tmp_path / "graph"), model.step(mx.array([5]), cache).logits)
        return (tmp_path / "graph").read_text().count("shape=rectangle")

    joined = operations()
    monkeypatch.setattr(joined_layer, "join", lambda _network: None)
    assert 0 < joined < 0.7 * operations()
