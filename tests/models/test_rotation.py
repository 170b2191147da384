"""Rotations that layers share, against `mx.fast.rope` bit by bit."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from entropix_models import devices, loader, rotation
from entropix_models.rotation import Rotation
from entropix_models.sources import sources

LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "factor": 4.0}


def network(*ropes: nn.Module) -> Any:
    layers = [SimpleNamespace(self_attn=SimpleNamespace(rope=rope)) for rope in ropes]
    return SimpleNamespace(layers=layers)


@pytest.mark.parametrize("scaling", [None, LINEAR, LLAMA_3], ids=["plain", "linear", "llama3"])
def test_the_numbers_are_the_same(scaling: dict[str, Any] | None) -> None:
    from mlx_lm.models.rope_utils import initialize_rope

    devices.choose("cpu")
    rope = initialize_rope(64, 10_000.0, False, scaling, 8192)
    shared = Rotation(rope, 64)
    for heads, positions, offset in ((9, 1, 0), (3, 1, 0), (9, 1, 1), (9, 7, 1), (2, 64, 8191)):
        x = mx.random.normal((2, heads, positions, 64), key=mx.random.key(offset))
        assert mx.array_equal(shared(x, offset=offset), rope(x, offset=offset))
    rows = mx.array([3, 70])
    x = mx.random.normal((2, 9, 1, 64), key=mx.random.key(5))
    assert mx.array_equal(shared(x, offset=rows), rope(x, offset=rows))


def test_what_is_not_the_same_is_left_alone() -> None:
    devices.choose("cpu")
    plain, other = nn.RoPE(64), nn.RoPE(64, base=500.0)
    ropes = {
        "pairs beside each other": [nn.RoPE(64, traditional=True)],
        "a part of the vector": [nn.RoPE(32)],
        "a layer of its own": [plain, other],
    }
    for name, given in ropes.items():
        made = network(*given)
        assert not rotation.share(made, 64), name
        assert [layer.self_attn.rope for layer in made.layers] == given
    assert not rotation.share(network(plain), 63)
    made = network(plain, nn.RoPE(64))
    assert rotation.share(made, 64)
    assert made.layers[0].self_attn.rope is made.layers[1].self_attn.rope


@pytest.mark.parametrize("scaling", [None, LLAMA_3], ids=["plain", "llama3"])
def test_a_loaded_model_says_what_it_said(
    llama_folder: Path,
    scaling: dict[str, Any] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(llama_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_scaling": scaling}))

    def logits() -> mx.array:
        model = loader.load(sources.resolve(str(folder)), devices.choose("cpu"))
        cache, said = model.new_cache(), []
        for ids in ([5, 6, 7, 8, 9], [10], [11], [12, 13]):
            said.append(model.step(mx.array(ids), cache).logits)
        assert isinstance(model.network.layers[1].rope, Rotation) == shares
        return mx.concatenate(said)

    shares = True
    ours = logits()
    monkeypatch.setattr(rotation, "share", lambda *_: False)
    shares = False
    assert mx.array_equal(ours, logits())
