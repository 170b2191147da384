"""A model's weights as dense float32, in the forms that others read."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from machine import describe

from entropix_models import devices, joined_layer, loader
from entropix_models.sources import sources

LLAMA_1B: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128_256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "max_position_embeddings": 131_072,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "torch_dtype": "float32",
}
"""Llama-3.2-1B's shape, without the scaling of its positions."""


def write(folder: Path, *, shape: bool = False) -> str:
    """The embedded model's weights, or random ones of the `shape`; a line on the machine."""
    source = sources.resolve("smollm2-135m")
    model = loader.load(source, devices.choose("cpu"))
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source.path / name).read_bytes())
    if shape:
        config, weights = LLAMA_1B, _random(LLAMA_1B)
    else:
        config = json.loads((source.path / "config.json").read_text())
        config.pop("quantization", None)
        weights = joined_layer.weights(model.network)
    (folder / "config.json").write_text(json.dumps(config))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    line = describe(model)
    return line.replace("smollm2-135m", "Llama-3.2-1B's shape, random weights") if shape else line


def _random(config: dict[str, Any]) -> dict[str, mx.array]:
    """Small numbers in every matrix, ones in every norm."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    width = config["num_key_value_heads"] * config["head_dim"]
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (width, hidden),
        "self_attn.v_proj": (width, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    weights = {
        "model.embed_tokens.weight": mx.random.normal((config["vocab_size"], hidden), scale=0.02),
        "model.norm.weight": mx.ones((hidden,)),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{at}.{name}.weight"] = mx.ones((hidden,))
        for name, shape in shapes.items():
            weights[f"{at}.{name}.weight"] = mx.random.normal(shape, scale=0.02)
    mx.eval(weights)
    return weights


def write_gguf(folder: Path) -> None:
    """The same as a GGUF file without a vocabulary: ids go in and come out."""
    import gguf
    import numpy as np

    config = json.loads((folder / "config.json").read_text())
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    layers, width = config["num_hidden_layers"], config["hidden_size"] // heads
    writer = gguf.GGUFWriter(folder / "dense.gguf", "llama")
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_tokenizer_model("no_vocab")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    weights = mx.load(str(folder / "model.safetensors"))
    assert isinstance(weights, dict)
    for name, array in weights.items():
        value = np.array(array)
        for part, count in (("q_proj", heads), ("k_proj", kv_heads)):
            if part in name:  # pairs of a position beside each other, not half a head apart
                halves = value.reshape(count, 2, width // 2, -1)
                value = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))
        known = names.get_name(name, try_suffixes=(".weight",))
        assert known is not None, name
        writer.add_tensor(known, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
