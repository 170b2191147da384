"""From a folder of weights to a LanguageModel: everything in it is checked before it is used."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten
from safetensors import SafetensorError, safe_open

from entropix_models import dense_copy, joined_layer, rotation
from entropix_models.dense import dense
from entropix_models.devices import Device
from entropix_models.errors import DamagedFileError, UnsupportedError, one_line
from entropix_models.language_model import LanguageModel, ModelInfo
from entropix_models.network import bare, build
from entropix_models.progress import Progress, quiet
from entropix_models.sources import sources
from entropix_models.sources.sources import ModelFolder
from entropix_models.tokenizer.bounded import BoundedTokenizer
from entropix_models.tokenizer.tokenizer import Tokenizer

LLAMA_FAMILY = ("llama", "mistral")
"""Values of `model_type` that mlx-lm runs with its Llama network."""

QUANTIZATIONS = ("mxfp4", "mxfp8", "compressed-tensors")
"""Values of `quant_method` that stand for formats of MLX's own."""

_TYPES = {"F32", "F16", "BF16", "U32", "U8"}
"""What dense weights, packed ones and their scales are stored in."""


def load(folder: ModelFolder, device: Device, progress: Progress = quiet) -> LanguageModel:
    """Read a model folder for a device.

    Dense float32 on the CPU, where half precision is emulated and quantised products are slow;
    as stored on a GPU. Raises DamagedFileError or UnsupportedError, in one line.
    """
    config = read_config(folder.path)
    shapes = check_weights(folder.path, config)
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    queries = shapes["model.layers.0.self_attn.q_proj.weight"][0]
    if queries != heads * head_dim:
        raise DamagedFileError(
            f"{folder.path}: config.json says {heads} heads of {head_dim}, "
            f"the weights have {queries} query rows; fetch the model again"
        )
    # Beside the weights: each is read by a library, which leaves the interpreter to the other.
    beside = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")
    kind = Tokenizer if folder.is_known else BoundedTokenizer
    reading = beside.submit(kind.from_folder, folder.path)
    beside.shutdown(wait=False)
    progress("loading weights", 0, None)
    whole = config | _positions(config)
    copy = None if device.is_gpu else dense_copy.place(folder.path, 4 * _size(config))
    network = None if copy is None else _copied(whole, head_dim, copy)
    if network is not None:
        _materialise(network, as_dense=False, progress=progress)
    else:
        network = _built(folder.path, whole)
        if not device.is_gpu:
            _adapt(network, head_dim)
        _materialise(network, as_dense=not device.is_gpu, progress=progress)
        if copy is not None:
            progress("keeping the weights for the next start", 0, None)
            dense_copy.write(network, copy)
    info = ModelInfo(
        name=folder.name,
        revision=folder.revision,
        quantization=folder.quantization,
        # That of the activations.
        dtype=str(network.model.norm.weight.dtype).removeprefix("mlx.core."),
        architecture=str(config["model_type"]),
        parameters=_size(config),
        context_length=int(config.get("max_position_embeddings") or 2048),
        layers=len(network.layers),
        vocab_size=int(config["vocab_size"]),
        clarify=folder.clarify,
    )
    return LanguageModel(network, reading.result(), info, device)


def _copied(config: dict[str, Any], head_dim: int, copy: Path) -> nn.Module | None:
    """The network with weights as they were once made for the CPU; None if they are to be made."""
    if not copy.is_file():
        return None
    network = bare(config)
    _adapt(network, head_dim)
    return network if dense_copy.read(network, copy) else None


def _built(folder: Path, config: dict[str, Any]) -> nn.Module:
    try:
        network = build(folder, config)
        # Only the graph: what in the configuration cannot be run fails here.
        network(mx.zeros((1, 2), mx.int32))
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise DamagedFileError(
            f"{folder}: the weights do not fit config.json ({one_line(error)}); fetch the "
            "model again"
        ) from error
    return network


def _adapt(network: nn.Module, head_dim: int) -> None:
    """Change what a CPU computes better in another way."""
    rotation.share(network, head_dim)
    joined_layer.join(network)


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model of the Llama family, its counts checked."""
    path, config = folder / "config.json", sources.read_config(folder)
    kind = config.get("model_type")
    if kind not in LLAMA_FAMILY:
        raise UnsupportedError(
            f"{folder}: architecture {kind!r} is not supported yet; "
            f"models of the Llama family are ({', '.join(LLAMA_FAMILY)})"
        )
    for key in (
        "hidden_size",
        "num_hidden_layers",
        "intermediate_size",
        "num_attention_heads",
        "vocab_size",
        *(name for name in ("head_dim", "num_key_value_heads") if config.get(name) is not None),
    ):
        value = config.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**24:
            raise DamagedFileError(f"{path}: {key} is {value!r}, not a sensible number")
    if config["num_hidden_layers"] > 1000:
        raise DamagedFileError(f"{path}: {config['num_hidden_layers']} layers are not sensible")
    quantized = config.get("quantization_config")
    if isinstance(quantized, dict) and not isinstance(config.get("quantization"), dict):
        method = quantized.get("quant_method")
        if method is not None and method not in QUANTIZATIONS:
            raise UnsupportedError(
                f"{folder}: weights quantised by {method!r} are not read; convert the original "
                "model with `python -m mlx_lm convert --hf-path ORIGINAL --mlx-path NEW -q`"
            )
    context = config.get("max_position_embeddings")
    if context is not None and (not isinstance(context, int) or not 0 < context < 2**31):
        raise DamagedFileError(f"{path}: a context of {context!r} tokens is not sensible")
    return config


def _positions(config: dict[str, Any]) -> dict[str, Any]:
    """The rotary settings under the two names that mlx-lm's Llama reads.

    transformers 5 writes one object, `rope_parameters`, which mlx-lm would ignore in silence.
    """
    parameters = config.get("rope_parameters")
    if not isinstance(parameters, dict):
        return {}
    theta = parameters.get("rope_theta", config.get("rope_theta"))
    scaling = {name: value for name, value in parameters.items() if name != "rope_theta"}
    found = {"rope_theta": theta} if theta is not None else {}
    return found | ({"rope_scaling": scaling} if "rope_type" in scaling else {})


def check_weights(folder: Path, config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes by name, from headers alone; nothing is mapped that the files do not hold."""
    shapes: dict[str, tuple[int, ...]] = {}
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        sources.refuse_pickles(folder)
        raise DamagedFileError(
            f"{folder}: no model*.safetensors; only safetensors weights are read"
        )
    for path in files:
        try:
            shapes.update(_header(path))
        except OSError as error:
            reason = error.strerror or str(error)
            raise DamagedFileError(f"{path}: cannot be read ({reason})") from error
    numbers = (re.match(r"model\.layers\.([0-9]{1,9})\.", name) for name in shapes)
    layers = {int(number[1]) for number in numbers if number}
    expected = set(range(config["num_hidden_layers"]))
    if layers != expected:
        raise DamagedFileError(
            f"{folder}: config.json says {len(expected)} layers, the weights hold {len(layers)}"
        )
    for name in ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"):
        if len(shapes.get(name, ())) != 2:
            raise DamagedFileError(f"{folder}: tensor {name} is missing or has no rows")
    rows = shapes["model.embed_tokens.weight"][0]
    if rows != config["vocab_size"]:
        raise DamagedFileError(
            f"{folder}: config.json says {config['vocab_size']} tokens, the embedding has {rows}"
        )
    return shapes


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes in one safetensors file; the library checks every offset against its size."""
    try:
        # Opened by Python too, whose errors say what is wrong with a path.
        with path.open("rb"), safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            strange = [n for n, tensor in tensors.items() if tensor.get_dtype() not in _TYPES]
            shapes = {name: tuple(tensor.get_shape()) for name, tensor in tensors.items()}
    except SafetensorError as error:
        raise DamagedFileError(
            f"{path}: truncated or damaged safetensors file ({error}); fetch the model again"
        ) from error
    if strange:
        raise DamagedFileError(f"{path}: tensor {strange[0]} is no weight; fetch the model again")
    return shapes


def _materialise(network: nn.Module, *, as_dense: bool, progress: Progress) -> None:
    """Evaluate the weights leaf by leaf, so that the peak is one tensor above the sum."""
    leaves = [(name, module) for name, module in network.named_modules() if not module.children()]
    done, total = 0, sum(_stored(module) for _, module in leaves)
    while leaves:  # popped, so that a quantised layer goes when its dense successor is there
        name, module = leaves.pop()
        done += _stored(module)
        if as_dense:
            module = dense(module)
            network.update_modules(tree_unflatten([(name, module)]))
        mx.eval(module.parameters())
        mx.clear_cache()
        progress("loading weights", done, total)
    mx.eval(network.parameters())


def _stored(module: nn.Module) -> int:
    """Bytes of a leaf's weights as the file has them."""
    return sum(array.nbytes for array in module.parameters().values())


def _size(config: dict[str, Any]) -> int:
    """Parameters of the dense network, from its dimensions (norms left out)."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    kv_heads = config.get("num_key_value_heads") or heads
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    per_layer = attention + 3 * hidden * config["intermediate_size"]
    embeddings = config["vocab_size"] * hidden
    tied = config.get("tie_word_embeddings", True)
    return int(layers * per_layer + embeddings * (1 if tied else 2))
