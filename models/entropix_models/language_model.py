"""A language model as the engine sees it: ids in, logits and attention statistics out, lazily."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from entropix_models import large_pages, row_cache
from entropix_models.attention import Reducer, Tap
from entropix_models.devices import Device
from entropix_models.errors import UnsupportedError
from entropix_models.joined_layer import JoinedLayer
from entropix_models.late_package import late_package
from entropix_models.paths import atomic_file
from entropix_models.tokenizer.tokenizer import Tokenizer

late_package("mlx_lm")
from mlx_lm.models.cache import (  # noqa: E402
    KVCache,
    can_trim_prompt_cache,
    make_prompt_cache,
    trim_prompt_cache,
)

_SHORT = 4
"""Tokens of an answer up to which the time that large pages take to come is not worth it."""

Cache = list[Any]
"""Keys and values of every layer, in mlx-lm's classes."""


class Step(NamedTuple):
    """What one forward pass gives, lazy.

    `logits` `[queries, vocabulary]` in the model's precision; `attention` is what the reducer
    made of the scores, `[layers, queries, n]`, or None when none was asked for. Of several rows
    `[rows, queries, vocabulary]` and `[layers, rows, queries, n]`.
    """

    logits: mx.array
    attention: mx.array | None


@dataclass(frozen=True)
class ModelInfo:
    """What a run's header says about a model."""

    name: str
    revision: str | None
    quantization: str | None
    dtype: str
    architecture: str
    parameters: int
    context_length: int
    layers: int
    vocab_size: int
    clarify: str


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """A forward pass that was given up between two layers; the cache is as it was before."""


class _Asking:
    """A layer that is computed at once, if it may be. Attributes are the layer's own."""

    def __init__(self, layer: Any, go_on: Callable[[], bool]) -> None:
        self._layer, self._go_on = layer, go_on

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._go_on():
            raise Stopped
        output = self._layer(*args, **kwargs)
        mx.eval(output)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


class _Recording:
    """A layer that keeps what it returns. Attributes are the layer's own."""

    def __init__(self, layer: Any, outputs: list[mx.array]) -> None:
        self._layer, self._outputs = layer, outputs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self._layer(*args, **kwargs)
        self._outputs.append(output[0] if isinstance(output, tuple) else output)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


class LanguageModel:
    """A network with its tokenizer on its device. Belongs to the thread that evaluates it.

    `network` is mlx-lm's own module, on a CPU with layers that compute the same (`joined_layer`).
    """

    def __init__(
        self, network: nn.Module, tokenizer: Tokenizer, info: ModelInfo, device: Device
    ) -> None:
        self.tokenizer = tokenizer
        self.info = info
        self.device = device
        self.network = network
        self._tap = Tap(network, manual=not device.is_gpu)
        self._is_joined = all(isinstance(layer, JoinedLayer) for layer in _layers(network))
        self._singly = 0

    @property
    def prefill_chunk(self) -> int:
        """Prompt tokens per forward pass: as many as share one reading of the weights.

        A function of the kind of device alone, because it is part of what makes a run
        reproducible. On the CPU more are no faster (`products/products.c`), and the scores of a
        layer would take more memory; what a pass of a large model takes is cut by `asking`.
        """
        return 512 if self.device.is_gpu else 64

    def new_cache(self) -> Cache:
        return list(make_prompt_cache(self.network))

    def step(self, ids: mx.array, cache: Cache, attention: Reducer | None = None) -> Step:
        """Read `ids` after what the cache holds, which grows; nothing is run.

        `ids` int `[queries]`, or `[rows, queries]` and a cache of so many rows.
        """
        rows = ids[None] if ids.ndim == 1 else ids
        self._singly += rows.shape[1] == 1
        if self._singly == _SHORT and not self.device.is_gpu:
            arrays: dict[str, Any] = dict(tree_flatten(self.network.parameters()))
            large_pages.move(map(memoryview, arrays.values()))
        statistics = None
        if attention is None:
            logits = self.network(rows, cache=cache)
        else:
            with self._tap.open(attention, rows.shape[1], len(rows)) as capture:
                logits = self.network(rows, cache=cache)
            statistics = capture.statistics(self.info.layers)
        if ids.ndim == 1:
            return Step(logits[0], None if statistics is None else statistics[:, 0])
        return Step(logits, statistics)

    @property
    def shows_attention(self) -> bool:
        """Whether what a forward pass attends to can be captured; such a pass is built, not run."""
        try:
            self.step(mx.array([0]), self.new_cache(), lambda scores, _weights, _valid: scores)
        except UnsupportedError:
            return False
        return True

    @contextmanager
    def asking(self, cache: Cache, go_on: Callable[[], bool]) -> Iterator[None]:
        """On a CPU, ask before each layer of the forward passes in the `with`.

        If `go_on` says no, Stopped is raised; the cache then holds what it held. There is no asking
        on a GPU, whose passes are short and which would wait for each layer, nor in a model whose
        layers cannot be found or whose cache cannot be trimmed.
        """
        inner = getattr(self.network, "model", None)
        layers = getattr(inner, "layers", None)
        plain = all(type(layer) is KVCache for layer in cache)
        if self.device.is_gpu or not isinstance(layers, list) or not plain:
            yield
            return
        held = self.cached(cache)
        inner.layers = [_Asking(layer, go_on) for layer in layers]  # type: ignore[union-attr]
        try:
            yield
        except BaseException:
            for layer in cache:
                layer.trim(layer.offset - held)
            raise
        finally:
            inner.layers = layers  # type: ignore[union-attr]

    def rows_after(self, cache: Cache, rows: int) -> Cache:
        """A cache of rows that all go on after what `cache` holds, which is there once.

        Raises UnsupportedError for caches of other things than plain keys and values.
        """
        return row_cache.after(cache, rows, whole=not self._is_joined)

    def rows_beside(self, caches: Sequence[Cache]) -> Cache:
        """A cache of rows that go on each after what one of `caches` holds. Raises as above."""
        return row_cache.beside(caches, whole=not self._is_joined)

    @staticmethod
    def cached(cache: Cache) -> int:
        """How many tokens the cache holds."""
        return int(cache[0].offset)

    @staticmethod
    def trim(cache: Cache, tokens: int) -> bool:
        """Forget the last `tokens`; False where this kind of cache can't."""
        if not can_trim_prompt_cache(cache):
            return False
        trim_prompt_cache(cache, tokens)
        return True

    @staticmethod
    def fork(cache: Cache) -> Cache:
        """A copy that shares what was computed so far."""
        return copy.deepcopy(cache)

    def lens(self, ids: mx.array, cache: Cache) -> mx.array:
        """What each layer would have said: logits `[layers, vocabulary]` after the last id.

        Each layer's output through the final norm and the head (the "logit lens"), lazily; the last
        row is the model's own. Reads `ids` (int `[queries]`) like `step`. Raises UnsupportedError
        for architectures that are built otherwise.
        """
        inner = getattr(self.network, "model", None)
        layers = getattr(inner, "layers", None)
        norm = getattr(inner, "norm", None)
        head = getattr(self.network, "lm_head", None) or getattr(
            getattr(inner, "embed_tokens", None), "as_linear", None
        )
        if not isinstance(layers, list) or norm is None or head is None:
            raise UnsupportedError(f"{self.info.architecture} shows no logits of its layers")
        outputs: list[mx.array] = []
        inner.layers = [_Recording(layer, outputs) for layer in layers]  # type: ignore[union-attr]
        try:
            logits = self.network(ids[None], cache=cache)[0, -1]
        finally:
            inner.layers = layers  # type: ignore[union-attr]
        if len(outputs) != len(layers):
            raise UnsupportedError(f"{self.info.architecture} shows no outputs of its layers")
        rows = head(norm(mx.stack([output[0, -1] for output in outputs[:-1]])))
        return mx.concatenate([rows.astype(logits.dtype), logits[None]])

    def futures(self, ids: Sequence[int], cache: Cache) -> mx.array:
        """Logits `[n, vocabulary]` after each of n ids in the place of the next one, lazily.

        One batched pass where the cache consists of plain keys and values, else one pass for each;
        `cache` stays as it is.
        """
        if any(type(layer) is not KVCache for layer in cache):
            return mx.stack([self.step(mx.array([id]), self.fork(cache)).logits[-1] for id in ids])
        rows = self.rows_after(cache, len(ids))
        return self.step(mx.array(list(ids))[:, None], rows).logits[:, -1]

    def save_cache(self, cache: Cache, path: Path, metadata: Mapping[str, str]) -> bool:
        """Write a cache of plain keys and values to a safetensors file; False for other kinds.

        Raises OSError, and leaves nothing half-made.
        """
        if any(type(layer) is not KVCache or layer.keys is None for layer in cache):
            return False
        arrays = {}
        for n, layer in enumerate(cache):
            arrays[f"{n}.keys"] = layer.keys[..., : layer.offset, :]
            arrays[f"{n}.values"] = layer.values[..., : layer.offset, :]
        try:
            with atomic_file(path, ".safetensors") as unfinished:
                mx.save_safetensors(str(unfinished), arrays, dict(metadata))
        except RuntimeError as error:  # how MLX says that the disk is full
            raise OSError(str(error)) from error
        return True

    def load_cache(self, path: Path) -> tuple[Cache, dict[str, str]] | None:
        """A cache that `save_cache` wrote, with its metadata; None if it is not one of this model.

        Whether it holds the right ids is for the metadata to say.
        """
        cache = self.new_cache()
        try:
            loaded: Any = mx.load(str(path), return_metadata=True)
            arrays, metadata = loaded
            for n, layer in enumerate(cache):
                keys, values = arrays[f"{n}.keys"], arrays[f"{n}.values"]
                if type(layer) is not KVCache or keys.shape[:-1] != values.shape[:-1]:
                    return None
                layer.state = (keys, values, keys.shape[2])
            mx.eval([layer.keys for layer in cache], [layer.values for layer in cache])
        except (OSError, RuntimeError, ValueError, KeyError, IndexError):
            return None
        return cache, metadata


def _layers(network: nn.Module) -> list[Any]:
    """Those of a network that has them where mlx-lm's have."""
    layers = getattr(getattr(network, "model", None), "layers", None)
    return layers if isinstance(layers, list) else []
