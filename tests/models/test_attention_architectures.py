"""Capture in mlx-lm's architectures: every layer is seen, and no bit of the logits changes."""

import importlib
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models.cache import make_prompt_cache

from entropix_models import devices
from entropix_models.attention import Tap

LAYERS, VOCABULARY = 3, 97
COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "layer_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
EXPERTS: dict[str, Any] = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "moe_intermediate_size": 16,
    "norm_topk_prob": True,
}
MINISTRAL: dict[str, Any] = {
    "rope_parameters": {
        "rope_theta": 10000.0,
        "llama_4_scaling_beta": 0.1,
        "original_max_position_embeddings": 8,
    }
}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_shared_experts": 1,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
SLIDING: dict[str, Any] = {"sliding_window": 6, "sliding_window_pattern": 2}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {
        "sliding_window": 6,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
    },
    "mistral3": {"text_config": {"model_type": "ministral3", **COMMON, **MINISTRAL}},
    "ministral3": MINISTRAL,
    "qwen2": {},
    "qwen3": {},
    "qwen3_moe": EXPERTS,
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": {},
    "smollm3": {"no_rope_layer_interval": 2},
    "gemma": {},
    "gemma3_text": {"query_pre_attn_scalar": 8, **SLIDING},
    "olmo2": {},
    "mixtral": EXPERTS,
    "cohere2": SLIDING,
    "stablelm": {"use_qkv_bias": True, "partial_rotary_factor": 0.5},
    "deepseek_v3": LATENT,
}
IDS = [int(i) for i in np.random.default_rng(3).integers(0, VOCABULARY, 21)]


def build(architecture: str) -> nn.Module:
    module = importlib.import_module(f"mlx_lm.models.{architecture}")
    config = {"model_type": architecture, **COMMON, **ARCHITECTURES[architecture]}
    mx.random.seed(5)
    network: nn.Module = module.Model(module.ModelArgs.from_dict(config))
    # Larger than at the start of a training, so that attention isn't flat.
    network.apply(lambda array: array * 3 if array.ndim > 1 else array)
    mx.eval(network.parameters())
    return network


class Largest:
    """A reducer to the largest weight of each query, which keeps the sums over the keys."""

    def __init__(self) -> None:
        self.totals: list[mx.array] = []

    def __call__(self, _scores: mx.array, weights: mx.array, _valid: mx.array | None) -> mx.array:
        self.totals.append(mx.sum(weights, axis=-1))
        return mx.max(weights, axis=(1, 3))[..., None]


@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_with_an_open_tap_are_those_without(architecture: str, manual: bool) -> None:
    """A prompt, single tokens beyond a sliding window, and a chunk in mid-text."""
    devices.choose("cpu")
    network = build(architecture)
    tap = Tap(network, manual=manual)
    closed, opened = make_prompt_cache(network), make_prompt_cache(network)
    for start, stop in ((0, 9), (9, 10), (10, 11), (11, 20), (20, 21)):
        ids = mx.array(IDS[start:stop])[None]
        plain = network(ids, cache=closed)
        largest = Largest()
        with tap.open(largest, stop - start) as capture:
            tapped = network(ids, cache=opened)
        assert mx.array_equal(plain, tapped)
        assert capture.statistics(LAYERS).shape == (LAYERS, 1, stop - start, 1)
        for totals in largest.totals:
            np.testing.assert_allclose(np.array(totals), 1, atol=1e-5)
