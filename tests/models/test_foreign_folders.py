"""Folders of other formats, and strings that no text can say: one line that says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from safetensors.numpy import load_file, save_file

from entropix_models import devices, loader
from entropix_models.errors import DamagedFileError, UnsupportedError
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources


def load(folder: Path) -> LanguageModel:
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("part", ["²", "1²", "٣", "9" * 5_000])
def test_a_layers_number_that_is_none(folder: Path, part: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors[f"model.layers.{part}.evil.weight"] = tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "mlx"})
    with pytest.raises(DamagedFileError):
        load(folder)


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "\x1b[31m", 7, ["gptq"]])
def test_other_quantisations_are_named_with_what_converts_them(folder: Path, method: Any) -> None:
    edit(folder / "config.json", quantization_config={"quant_method": method, "bits": 4})
    with pytest.raises(UnsupportedError, match="mlx_lm convert") as caught:
        load(folder)
    assert repr(method) in str(caught.value)


def test_mlx_lms_own_quantisation_says_itself_twice(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    """Its folders have the same object under both names."""
    settings = {"group_size": 32, "bits": 4}
    folder = make_llama(tmp_path / "twice", quantization=settings, quantization_config=settings)
    assert load(folder).info.quantization == "4-bit"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "x.pt"])
def test_pickles_are_named_with_what_converts_them(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"pickle")
    with pytest.raises(UnsupportedError, match="save_pretrained") as caught:
        load(folder)
    assert name in str(caught.value)


def test_metas_original_weights_are_named_with_what_converts_them(tmp_path: Path) -> None:
    (tmp_path / "consolidated.00.pth").write_bytes(b"pickle")
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(UnsupportedError, match="convert_llama_weights_to_hf") as caught:
        load(tmp_path)
    assert "consolidated.00.pth" in str(caught.value)


def test_safetensors_come_before_pickles(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert load(folder).info.layers == 3


def test_halves_of_surrogate_pairs(folder: Path) -> None:
    facts = dict.fromkeys(("name", "source", "revision", "quantization"), "a\ud800b" * 200)
    (folder / "entropix.json").write_text(json.dumps(facts))
    found = sources.resolve(str(folder))
    for told in (found.name, found.source, found.revision, found.quantization):
        assert told is not None
        assert told.encode().startswith(b"a?b")
        assert len(told) <= 200
    edit(folder / "config.json", torch_dtype="\ud800")
    (folder / "entropix.json").unlink()
    assert sources.resolve(str(folder)).quantization == "?"
    edit(folder / "config.json", model_type="\ud800")
    with pytest.raises(UnsupportedError) as caught:
        load(folder)
    str(caught.value).encode()


@pytest.mark.parametrize("key", ["bos_token", "eos_token", "pad_token", "chat_template"])
def test_halves_of_surrogate_pairs_in_a_tokenizer(folder: Path, key: str) -> None:
    edit(folder / "tokenizer_config.json", **{key: "<\ud800>"})
    with pytest.raises(DamagedFileError, match="surrogate"):
        load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite(folder: Path, value: float) -> None:
    import entropix_mlx as ex

    weights: Any = mx.load(str(folder / "model.safetensors"))
    weights["model.norm.weight"] = weights["model.norm.weight"] * value
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    model = load(folder)
    with pytest.raises(DamagedFileError, match="not finite"):
        list(ex.generate(model, "Hello", max_tokens=3))
    with pytest.raises(DamagedFileError, match="not finite"):
        list(ex.score(model, "Hello"))
