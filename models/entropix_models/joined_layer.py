"""A Llama layer as a CPU likes it: few products of large matrices, and few operations.

MLX's CPU backend spends some microseconds on each operation, however small it is, and mlx-lm's
layer has a hundred for one token. Here queries, keys and values are one product, gate and up
another; what only changes the shape is left out; and one query reads the keys of a group of heads
once. The numbers are the same but for rounding: a gate's exponential is a power, which MLX computes
in half the time.
"""

import math
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from entropix_models.attention import attend_after
from entropix_models.dense import dense
from entropix_models.late_package import late_package

late_package("mlx_lm")
from mlx_lm.models.base import scaled_dot_product_attention  # noqa: E402

_PARTS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""Which of mlx-lm's products are one here, row below row."""

_NORMS = ("input_layernorm", "post_attention_layernorm")

_E = mx.array(math.e)

_PACKING = ("group_size", "bits", "mode")


class JoinedLayer(nn.Module):  # type: ignore[misc]
    """In the place of one of mlx-lm's Llama layers, with its weights.

    Weights may come, or become dense, after it is made and before it is called.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention, modules = layer.self_attn, dict(layer.named_modules())
        self._rows = {
            name: len(modules[name].weight) for names in _PARTS.values() for name in names
        }
        for own, names in _PARTS.items():
            self[own] = _joined(*(modules[name] for name in names))
        self.norms = [modules[name] for name in _NORMS]
        self.rope, self.use_sliding = attention.rope, layer.use_sliding
        self._scale = attention.scale
        self._heads, self._kv_heads = attention.n_heads, attention.n_kv_heads
        self._parts: _Parts | None = None

    def __call__(self, x: mx.array, mask: Any = None, cache: Any = None) -> mx.array:
        """`x` float32 `[batch, positions, width]`; mask and cache as mlx-lm's layer has them."""
        if self._parts is None:
            self._parts = _Parts(self)
        parts = self._parts
        batch, positions, width = x.shape
        rows = x.reshape(1, batch * positions, width)
        qkv = parts.qkv(parts.norm(rows))
        rows = rows + parts.o(self._attend(qkv, batch, positions, mask, cache))
        gate, up = mx.split(parts.gate_up(parts.second_norm(rows)), 2, axis=-1)
        rows = rows + parts.down(gate / (1 + mx.power(_E, -gate)) * up)
        return rows.reshape(batch, positions, width)

    def weights(self) -> dict[str, mx.array]:
        """By the names, and in the parts, that checkpoints have."""
        found = {
            f"{name}.weight": norm.weight for name, norm in zip(_NORMS, self.norms, strict=True)
        }
        for own, names in _PARTS.items():
            begin = 0
            for name in names:
                end = begin + self._rows[name]
                found |= {f"{name}.{kind}": all_[begin:end] for kind, all_ in self[own].items()}
                begin = end
        return found

    def _attend(self, qkv: mx.array, batch: int, positions: int, mask: Any, cache: Any) -> mx.array:
        """`[1, rows, heads * head_dim]` of `[1, rows, (heads + 2 * kv_heads) * head_dim]`."""
        heads, kv_heads = self._heads, self._kv_heads
        shape = (batch, positions, heads + 2 * kv_heads, -1)
        if positions == 1:
            qkv = qkv.reshape(batch, shape[2], 1, -1)
        else:
            qkv = qkv.reshape(shape).transpose(0, 2, 1, 3)
        rotated, values = mx.split(qkv, [heads + kv_heads], axis=1)
        offset = 0 if cache is None else cache.offset
        queries, keys = mx.split(self.rope(rotated, offset=offset), [heads], axis=1)
        if cache is not None:
            keys, values = cache.update_and_fetch(keys, values)
        if positions == 1:  # the heads of a group as so many queries of one head
            queries = queries.reshape(batch, kv_heads, heads // kv_heads, -1)
        out: mx.array
        if (prefix := getattr(cache, "apart", None)) is not None:
            out = attend_after(prefix, queries, keys, values, self._scale, mask)
        else:
            out = scaled_dot_product_attention(
                queries, keys, values, cache=cache, scale=self._scale, mask=mask
            )
        if positions > 1:
            out = out.transpose(0, 2, 1, 3)
        return out.reshape(1, batch * positions, -1)


class _Parts:
    """What a layer computes with, made once: views of its weights that need no operation."""

    def __init__(self, layer: JoinedLayer) -> None:
        self.qkv, self.o, self.gate_up, self.down = map(
            _Product, (layer.qkv, layer.o, layer.gate_up, layer.down)
        )
        self.norm, self.second_norm = map(_Norm, layer.norms)


class _Product:
    """`[1, rows, inputs] -> [1, rows, outputs]`."""

    def __init__(self, linear: nn.Module) -> None:
        self._weight: mx.array = linear.weight.T[None]
        self._bias = linear.bias[None, None] if "bias" in linear else None
        mx.eval(self._weight)

    def __call__(self, rows: mx.array) -> mx.array:
        if self._bias is None:
            return rows @ self._weight
        return mx.addmm(self._bias, rows, self._weight)


class _Norm:
    """As `mx.fast.rms_norm` has it on a CPU, operation by operation."""

    def __init__(self, norm: nn.Module) -> None:
        self._weight: mx.array = norm.weight[None, None]
        self._eps = mx.full((1, 1, 1), norm.eps)
        self._share = mx.full((1, 1, 1), 1 / norm.weight.size)
        mx.eval(self._weight, self._eps, self._share)

    def __call__(self, rows: mx.array) -> mx.array:
        mean = mx.sum(mx.square(rows), axis=-1, keepdims=True) * self._share
        return rows * mx.rsqrt(mean + self._eps) * self._weight


def join(network: Any) -> None:
    """Put joined layers in the place of mlx-lm's."""
    network.model.layers = [JoinedLayer(layer) for layer in network.model.layers]


def weights(network: Any) -> dict[str, mx.array]:
    """Those of a network, joined or not, by the names that checkpoints have for them."""
    found: dict[str, mx.array] = dict(tree_flatten(network.parameters()))
    for n, layer in enumerate(network.model.layers):
        if isinstance(layer, JoinedLayer):
            place = f"model.layers.{n}."
            found = {name: array for name, array in found.items() if not name.startswith(place)}
            found |= {place + name: array for name, array in layer.weights().items()}
    return found


def _joined(*linears: nn.Module) -> nn.Module:
    """One layer with the outputs of several, in their order; quantised if all are, and alike."""
    packings = {(type(one), *(getattr(one, name, None) for name in _PACKING)) for one in linears}
    if len(packings) > 1:
        linears = tuple(map(dense, linears))
    joined = linears[0]
    joined.update({n: mx.concatenate([one[n] for one in linears]) for n in joined.parameters()})
    return joined
