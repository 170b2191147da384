"""A sound model of a few kilobytes: what its folder and its GGUF file hold."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from tokenizers.pre_tokenizers import ByteLevel

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
TOKENS = [*SPECIAL, *sorted(ByteLevel.alphabet()), "he", "ll"]
TEMPLATE = (
    "{%- for message in messages %}\n"
    "    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}\n"
)
HIDDEN, HEADS, INNER, LAYERS = 32, 2, 48, 2
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 1,
    "head_dim": HIDDEN // HEADS,
    "vocab_size": len(TOKENS),
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 1,
}
_BLOCK = {
    "attn_norm": ("input_layernorm", (HIDDEN,)),
    "attn_q": ("self_attn.q_proj", (HIDDEN, HIDDEN)),
    "attn_k": ("self_attn.k_proj", (HIDDEN // HEADS, HIDDEN)),
    "attn_v": ("self_attn.v_proj", (HIDDEN // HEADS, HIDDEN)),
    "attn_output": ("self_attn.o_proj", (HIDDEN, HIDDEN)),
    "ffn_norm": ("post_attention_layernorm", (HIDDEN,)),
    "ffn_gate": ("mlp.gate_proj", (INNER, HIDDEN)),
    "ffn_up": ("mlp.up_proj", (INNER, HIDDEN)),
    "ffn_down": ("mlp.down_proj", (HIDDEN, INNER)),
}
SHAPES = {"token_embd": ("model.embed_tokens", (len(TOKENS), HIDDEN))} | {
    f"blk.{layer}.{part}": (f"model.layers.{layer}.{module}", shape)
    for layer in range(LAYERS)
    for part, (module, shape) in _BLOCK.items()
}
SHAPES["output_norm"] = ("model.norm", (HIDDEN,))


class Folder:
    """The files of the sound model, to be spoilt: JSON values, and tensors by name."""

    def __init__(self, spread: random.Random) -> None:
        self.spread = spread
        values = np.random.default_rng(7)
        self.tensors = {
            f"{module}.weight": (values.standard_normal(shape) * 0.3).astype(np.float32)
            for module, shape in SHAPES.values()
        }
        self.json: dict[str, Any] = {
            "config.json": dict(CONFIG),
            "tokenizer.json": tokenizer(),
            "tokenizer_config.json": {
                "eos_token": "<|im_end|>",
                "bos_token": "<|im_start|>",
                "chat_template": TEMPLATE,
            },
            "generation_config.json": {"eos_token_id": [1, 2]},
        }

    def write(self, place: Path) -> dict[str, bytes]:
        """The files' bytes by name, which are also in the folder `place`."""
        files = {name: dumped(value) for name, value in self.json.items()}
        files["model.safetensors"] = save(self.tensors, metadata={"format": "mlx"})
        for name, data in files.items():
            (place / name).write_bytes(data)
        return files


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def tokenizer() -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": id, "content": token, "special": True, **flags}
            for id, token in enumerate(SPECIAL)
        ],
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {"type": "BPE", "vocab": {t: n for n, t in enumerate(TOKENS)}, "merges": []},
    }
