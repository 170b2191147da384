"""Logits and attention against transformers (eager attention, float32), and the cache."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from entropix_models import devices, joined_layer, large_pages, loader
from entropix_models.devices import Device
from entropix_models.language_model import LanguageModel, Stopped
from entropix_models.sources import sources

LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
IDS = [int(i) for i in np.random.default_rng(4).integers(3, 259, 200)]


def load(folder: Path) -> LanguageModel:
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


def reference(config: dict[str, Any], *, empty: bool = False) -> Any:
    """A Llama of transformers, its weights random or (faster) whatever the memory held."""
    import contextlib

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.initialization import no_init_weights

    torch.manual_seed(1)
    known = {k: v for k, v in config.items() if k not in ("quantization", "architectures")}
    with no_init_weights() if empty else contextlib.nullcontext():
        network = LlamaForCausalLM(LlamaConfig(**known, attn_implementation="eager"))
    return network.float().eval()


def outputs(network: Any, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits `[queries, vocabulary]` and attention `[layers, heads, queries, keys]`."""
    import torch

    with torch.no_grad():
        out = network(torch.tensor([ids]), output_attentions=True)
    return out.logits[0].numpy(), np.stack([a[0].numpy() for a in out.attentions])


class Probabilities:
    """A reducer that keeps the attention's probabilities, a list of layers for each step."""

    def __init__(self) -> None:
        self.layers: list[mx.array] = []

    def __call__(self, scores: mx.array, weights: mx.array, _valid: mx.array | None) -> mx.array:
        self.layers += list(weights)
        return mx.zeros((scores.shape[0], scores.shape[2], 1))


def compare(model: LanguageModel, network: Any, ids: list[int], chunks: list[int]) -> None:
    """Reading `ids` in `chunks` gives the logits and the attention of reading them at once."""
    logits, attention = outputs(network, ids)
    cache, start = model.new_cache(), 0
    for count in chunks:
        seen = Probabilities()
        step = model.step(mx.array(ids[start : start + count]), cache, seen)
        stop = start + count
        np.testing.assert_allclose(np.array(step.logits), logits[start:stop], atol=1e-3)
        found = np.stack([np.array(p) for p in seen.layers])
        np.testing.assert_allclose(found, attention[:, :, start:stop, :stop], atol=1e-4)
        start = stop
    assert start == len(ids)
    assert model.cached(cache) == start


@pytest.mark.slow
class TestAgainstTransformers:
    CONFIG: dict[str, Any] = {  # noqa: RUF012
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "vocab_size": 300,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }

    @pytest.fixture(scope="class")
    def saved(self, tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> Any:
        """A Llama-3.2-shaped network, and the folder that transformers saved it in."""
        rope = {**LLAMA_3_ROPE, "rope_theta": 500000.0}
        network = reference({**self.CONFIG, "rope_parameters": rope, "initializer_range": 0.1})
        folder = tmp_path_factory.mktemp("llama32")
        network.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((llama_folder / name).read_bytes())
        return network, folder

    def test_llama_32_with_its_scaled_positions(self, saved: Any) -> None:
        network, folder = saved
        model = load(folder)
        compare(model, network, IDS, [120, 1, 1, 70, 8])

    def test_the_scaling_matters(self, saved: Any) -> None:
        """Otherwise the test above could not fail."""
        network, _ = saved
        plain = reference(
            {**self.CONFIG, "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"}}
        )
        plain.load_state_dict(network.state_dict())
        assert np.abs(outputs(plain, IDS)[0] - outputs(network, IDS)[0]).max() > 0.1

    def test_both_spellings_of_the_rotary_settings(self, saved: Any, tmp_path: Path) -> None:
        """transformers 5 writes rope_parameters; what came before wrote two keys."""
        network, folder = saved
        for file in folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        config = json.loads((tmp_path / "config.json").read_text())
        rope = config.pop("rope_parameters")
        config |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
        (tmp_path / "config.json").write_text(json.dumps(config))
        compare(load(tmp_path), network, IDS, [200])

    @pytest.mark.model
    def test_smollm2(self, smollm2: LanguageModel) -> None:
        import torch

        folder = sources.resolve("smollm2-135m").path
        network = reference(json.loads((folder / "config.json").read_text()), empty=True)
        weights = joined_layer.weights(smollm2.network)
        state = {name: torch.tensor(np.array(value)) for name, value in weights.items()}
        missing = network.load_state_dict(state, strict=False)
        assert not missing.unexpected_keys
        assert missing.missing_keys in ([], ["lm_head.weight"])
        network.tie_weights()
        text = "In 1687: 9.9 > 9.11, naïve ☕ 漢字"
        ids = smollm2.tokenizer.encode(text)
        compare(smollm2, network, ids, [len(ids) - 2, 1, 1])


@pytest.mark.parametrize("chunks", [[60], [1] * 60, [32, 1, 1, 26], [7] * 8 + [4]])
def test_chunks_do_not_matter(llama: LanguageModel, chunks: list[int]) -> None:
    whole = np.array(llama.step(mx.array(IDS[:60]), llama.new_cache()).logits)
    cache, parts, start = llama.new_cache(), [], 0
    for count in chunks:
        parts.append(np.array(llama.step(mx.array(IDS[start : start + count]), cache).logits))
        start += count
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)


def test_trimming_rewinds_exactly(llama: LanguageModel) -> None:
    cache = llama.new_cache()
    llama.step(mx.array(IDS[:20]), cache)
    before = np.array(llama.step(mx.array(IDS[20:21]), cache).logits)
    llama.step(mx.array([7]), cache)
    assert llama.trim(cache, 2)
    assert llama.cached(cache) == 20
    again = np.array(llama.step(mx.array(IDS[20:21]), cache).logits)
    np.testing.assert_array_equal(again, before)


def test_a_fork_goes_its_own_way(llama: LanguageModel) -> None:
    cache = llama.new_cache()
    llama.step(mx.array(IDS[:20]), cache)
    fork = llama.fork(cache)
    llama.step(mx.array([9, 8, 7]), cache)
    assert llama.cached(fork) == 20
    direct = llama.new_cache()
    llama.step(mx.array(IDS[:20]), direct)
    np.testing.assert_array_equal(
        np.array(llama.step(mx.array([5]), fork).logits),
        np.array(llama.step(mx.array([5]), direct).logits),
    )


@pytest.mark.parametrize("count", [1, 5, 64])
def test_futures_are_the_steps_after_each_id(llama: LanguageModel, count: int) -> None:
    cache = llama.new_cache()
    llama.step(mx.array(IDS[:40]), cache)
    ids = IDS[40 : 40 + count]
    futures = np.array(llama.futures(ids, cache))
    assert llama.cached(cache) == 40
    steps = [llama.step(mx.array([id]), llama.fork(cache)).logits[0] for id in ids]
    np.testing.assert_allclose(futures, np.array(mx.stack(steps)), atol=1e-4)


def test_caches_that_wrapped_are_not_trimmed(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    model = load(
        make_llama(
            tmp_path / "m",
            layer_types=["full_attention", "sliding_attention", "full_attention"],
            sliding_window=8,
        )
    )
    cache = model.new_cache()
    for id in IDS[:20]:
        mx.eval(model.step(mx.array([id]), cache).logits)
    assert not model.trim(cache, 1)
    assert model.cached(cache) == 20


def test_large_pages_come_with_an_answer_of_some_length(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers with a word, or only reads, does not share its processor with their making."""
    moved: list[list[memoryview]] = []
    monkeypatch.setattr(large_pages, "move", lambda blocks: moved.append(list(blocks)))
    model = LanguageModel(llama.network, llama.tokenizer, llama.info, llama.device)
    cache = model.new_cache()
    for _ in range(9):
        model.step(mx.array([3, 4]), cache)
    for count in range(9):
        assert len(moved) == (count > 3)
        model.step(mx.array([3]), cache)
    assert sum(block.nbytes for block in moved[0]) == 4 * sum(
        array.size for _, array in tree_flatten(llama.network.parameters())
    )
    gpu = dataclasses.replace(llama.device, kind="cuda")
    model = LanguageModel(llama.network, llama.tokenizer, llama.info, gpu)
    for _ in range(9):
        model.step(mx.array([3]), cache)
    assert len(moved) == 1


def test_prefill_chunks_follow_from_the_device_alone(llama: LanguageModel) -> None:
    info = dataclasses.replace(llama.info, parameters=1_235_814_400)
    large = LanguageModel(llama.network, llama.tokenizer, info, llama.device)
    gpu = LanguageModel(llama.network, llama.tokenizer, info, Device("cuda", "another"))
    assert (llama.prefill_chunk, large.prefill_chunk, gpu.prefill_chunk) == (64, 64, 512)


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_a_pass_can_be_given_up_between_layers(llama: LanguageModel, answers: int) -> None:
    layers = llama.network.model.layers
    cache, undisturbed = llama.new_cache(), llama.new_cache()
    llama.step(mx.array(IDS[:5]), cache)
    yes = iter([True] * answers)
    with pytest.raises(Stopped), llama.asking(cache, lambda: next(yes, False)):
        llama.step(mx.array(IDS[5:20]), cache)
    assert llama.network.model.layers is layers
    assert [layer.offset for layer in cache] == [5] * len(layers)
    llama.step(mx.array(IDS[:5]), undisturbed)
    with llama.asking(cache, lambda: True):
        logits = llama.step(mx.array(IDS[5:20]), cache).logits
    expected = llama.step(mx.array(IDS[5:20]), undisturbed).logits
    np.testing.assert_array_equal(np.array(logits), np.array(expected))


def test_an_interrupted_pass_leaves_the_cache_whole(llama: LanguageModel) -> None:
    def interrupt() -> bool:
        raise KeyboardInterrupt

    cache = llama.new_cache()
    with pytest.raises(KeyboardInterrupt), llama.asking(cache, interrupt):
        llama.step(mx.array(IDS), cache)
    assert llama.cached(cache) == 0
