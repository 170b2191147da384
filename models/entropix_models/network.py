"""mlx-lm's Llama network with the weights of a folder, lazily."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from entropix_models.errors import UnsupportedError
from entropix_models.late_package import late_package

late_package("mlx_lm")
from mlx_lm.models import llama  # noqa: E402

_PACKED = {
    "mxfp4": {"group_size": 32, "bits": 4, "mode": "mxfp4"},
    "mxfp8": {"group_size": 32, "bits": 8, "mode": "mxfp8"},
    "mxfp4-pack-quantized": {"group_size": 32, "bits": 4, "mode": "mxfp4"},
    "nvfp4-pack-quantized": {"group_size": 16, "bits": 4, "mode": "nvfp4"},
    "pack-quantized": {"group_size": 32, "bits": 4, "mode": "affine"},
}
"""Other programs' formats that are MLX's own, by what they go by in `quantization_config`."""


def build(folder: Path, config: dict[str, Any]) -> nn.Module:
    """The network that `config` describes; no weight is read before it is evaluated.

    What does not fit raises whatever MLX raises: ValueError and its like. Raises UnsupportedError
    for products of quantised activations.
    """
    if config.get("model_file") is not None:
        raise ValueError("model_file names a program, and none is run")
    if config.get("quantize_activations"):
        raise UnsupportedError(f"{folder}: products of quantised activations are not supported")
    weights: dict[str, mx.array] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        loaded: Any = mx.load(str(path))
        weights |= loaded
    network = bare(config)
    weights = network.sanitize(weights)
    quantized = _quantization(config)
    if quantized is not None:

        def packed(name: str, module: nn.Module) -> Any:
            if name in quantized:
                return quantized[name]
            if not hasattr(module, "to_quantized") or f"{name}.scales" not in weights:
                return False
            return _packing(module, weights[f"{name}.weight"], weights[f"{name}.scales"])

        nn.quantize(
            network,
            group_size=quantized["group_size"],
            bits=quantized["bits"],
            mode=quantized.get("mode", "affine"),
            class_predicate=packed,
        )
    network.load_weights([*weights.items()])
    return network


def bare(config: dict[str, Any]) -> nn.Module:
    """The network with weights that nobody gave it, dense, still to be evaluated."""
    architecture: Any = llama
    network: nn.Module = architecture.Model(architecture.ModelArgs.from_dict(config))
    network.eval()
    return network


def _quantization(config: dict[str, Any]) -> Any:
    """As MLX has it, or as another program; None for dense weights."""
    if (own := config.get("quantization")) is not None:
        return own
    if not (foreign := config.get("quantization_config")):
        return None
    method = foreign["quant_method"]
    return _PACKED[foreign["format"] if method == "compressed-tensors" else method]


def _packing(module: nn.Module, weight: mx.array, scales: mx.array) -> dict[str, Any]:
    """How one weight is packed: single ones may be so in another way than the most."""
    size = module.weight.shape[-1]
    packing = {"group_size": size // scales.shape[-1], "bits": weight.shape[-1] * 32 // size}
    if scales.dtype != mx.uint8:
        return packing | {"mode": "affine"}
    return next(known for known in _PACKED.values() if packing.items() <= known.items())
