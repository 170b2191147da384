"""What a GGUF file of the Llama architecture must hold, and the `config.json` that says so."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from entropix_models.errors import UnsupportedError
from entropix_models.gguf.header import Header, damaged, shown

ROPE_FACTORS = "rope_freqs.weight"
OUTPUT = "output.weight"

_KNOWN_KEYS = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "tensor_data_layout",
    "vocab_size",
}


@dataclass(frozen=True)
class Expected:
    """A tensor that must be there: its module here, its shape (rows first), and the number of
    heads whose rows the converter interleaved for its own rotary embedding (0: none)."""

    module: str
    shape: tuple[int, ...]
    interleaved_heads: int = 0


def expected_tensors(config: dict[str, Any]) -> dict[str, Expected]:
    """Every tensor that the model's forward pass needs, by its name in the file."""
    hidden, intermediate = config["hidden_size"], config["intermediate_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    queries, keys = heads * config["head_dim"], kv_heads * config["head_dim"]
    block = {
        "attn_norm": Expected("input_layernorm", (hidden,)),
        "attn_q": Expected("self_attn.q_proj", (queries, hidden), heads),
        "attn_k": Expected("self_attn.k_proj", (keys, hidden), kv_heads),
        "attn_v": Expected("self_attn.v_proj", (keys, hidden)),
        "attn_output": Expected("self_attn.o_proj", (hidden, queries)),
        "ffn_norm": Expected("post_attention_layernorm", (hidden,)),
        "ffn_gate": Expected("mlp.gate_proj", (intermediate, hidden)),
        "ffn_up": Expected("mlp.up_proj", (intermediate, hidden)),
        "ffn_down": Expected("mlp.down_proj", (hidden, intermediate)),
    }
    expected = {
        "token_embd.weight": Expected("model.embed_tokens", (config["vocab_size"], hidden)),
        "output_norm.weight": Expected("model.norm", (hidden,)),
    }
    if not config["tie_word_embeddings"]:
        expected[OUTPUT] = Expected("lm_head", (config["vocab_size"], hidden))
    for layer in range(config["num_hidden_layers"]):
        for part, tensor in block.items():
            module = f"model.layers.{layer}.{tensor.module}"
            expected[f"blk.{layer}.{part}.weight"] = replace(tensor, module=module)
    return expected


def config_of(header: Header, file: Path, vocabulary: int) -> dict[str, Any]:
    """The `config.json` of the format that transformers and mlx-lm share, from the metadata.

    Raises UnsupportedError for another architecture or a feature that isn't handled,
    DamagedFileError for dimensions that contradict each other.
    """
    metadata = header.metadata
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise UnsupportedError(
            f"{file}: architecture {shown(architecture)} is not imported (llama is); get the "
            "model in the format of transformers or mlx-lm"
        )
    if metadata.get("split.count", 1) not in (0, 1):
        raise UnsupportedError(f"{file} is one part of several; merge them into one file first")
    strange = sorted(
        key
        for key in metadata
        if key.startswith("llama.") and key.removeprefix("llama.") not in _KNOWN_KEYS
    )
    if strange:
        raise UnsupportedError(f"{file}: {shown(strange[0])} is not handled by the importer")
    read = _Numbers(header, file)
    heads, hidden = read.integer("attention.head_count"), read.integer("embedding_length")
    kv_heads = read.integer("attention.head_count_kv", heads)
    head_dim = read.integer("attention.key_length", hidden // heads)
    layers = read.integer("block_count")
    if layers > len(header.tensors) or heads % kv_heads or head_dim % 2:
        raise damaged(read.file, "its dimensions contradict each other")
    for key in ("attention.value_length", "rope.dimension_count"):
        if (found := read.integer(key, head_dim)) != head_dim:
            raise UnsupportedError(f"{file}: {key} {found} with heads of {head_dim} isn't handled")
    if read.integer("expert_count", 0, least=0):
        raise UnsupportedError(f"{file}: mixtures of experts are not imported")
    if read.integer("vocab_size", vocabulary) != vocabulary:
        raise damaged(read.file, f"its vocabulary is not the {vocabulary} tokens that it lists")
    config: dict[str, Any] = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": read.integer("feed_forward_length"),
        "vocab_size": vocabulary,
        "max_position_embeddings": read.integer("context_length"),
        "rms_norm_eps": read.real("attention.layer_norm_rms_epsilon"),
        "rope_theta": read.real("rope.freq_base", 10000.0),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": OUTPUT not in header.tensors,
    }
    if scaling := _linear_scaling(read):
        config["rope_scaling"] = scaling
    return config


def llama3_scaling(factors: list[float], theta: float, file: Path) -> dict[str, Any]:
    """The "llama3" rope scaling whose frequency divisors these are (one per pair of a head).

    The converter computes them with Llama 3's constants (1, 4 and 8,192); any others are refused.
    """
    original_context = 8192
    scaling: dict[str, Any] = {
        "rope_type": "llama3",
        "factor": float(max(factors)),
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": original_context,
    }
    for i, factor in enumerate(factors):
        turns = original_context / (2 * math.pi * theta ** (i / len(factors)))
        smooth = min(max((turns - 1.0) / 3.0, 0.0), 1.0)
        wanted = 1 / ((1 - smooth) / scaling["factor"] + smooth)
        if not math.isclose(factor, wanted, rel_tol=1e-3):
            raise UnsupportedError(
                f"{file}: {ROPE_FACTORS} is not the rope scaling of Llama 3, the only one handled"
            )
    return scaling


def _linear_scaling(read: "_Numbers") -> dict[str, Any] | None:
    kind = read.header.metadata.get("llama.rope.scaling.type", "none")
    if kind == "linear":
        return {"rope_type": "linear", "factor": read.real("rope.scaling.factor")}
    if kind != "none":
        raise UnsupportedError(f"{read.file}: rope scaling {shown(kind)} is not handled")
    return None


class _Numbers:
    """Numbers of the architecture's metadata, each in its sensible range."""

    def __init__(self, header: Header, file: Path) -> None:
        self.header, self.file = header, file

    def integer(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        value = self.header.metadata.get(f"llama.{key}", default)
        if isinstance(value, list):
            raise UnsupportedError(f"{self.file}: {key} that differs by layer is not handled")
        if type(value) is not int or not least <= value < 1 << 31:
            raise damaged(self.file, f"llama.{key} is {shown(value)}")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self.header.metadata.get(f"llama.{key}", default)
        if type(value) is not float or not 0.0 < value < 1e12:
            raise damaged(self.file, f"llama.{key} is {shown(value)}")
        return value
