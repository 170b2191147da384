"""Importing GGUF files: right values for the types that are handled, one line for the rest."""

import json
import random
import resource
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from entropix_models.errors import (
    DamagedFileError,
    EntropixError,
    ModelNotFoundError,
    UnsupportedError,
    UsageError,
)
from entropix_models.gguf.header import read_header
from entropix_models.gguf.importer import import_gguf
from entropix_models.gguf.layout import llama3_scaling

MakeGGUF = Callable[..., dict[str, np.ndarray]]


def dense(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of a converted folder, in float32."""
    config = json.loads((folder / "config.json").read_text())
    arrays = mx.load(str(folder / "model.safetensors"))
    result = {}
    for name, array in arrays.items():
        module = name.removesuffix(".weight")
        if module == name:
            continue
        if f"{module}.scales" in arrays:
            settings = config["quantization"].get(module, config["quantization"])
            array = mx.dequantize(
                array,
                arrays[f"{module}.scales"].astype(mx.float32),
                arrays[f"{module}.biases"].astype(mx.float32),
                group_size=settings["group_size"],
                bits=settings["bits"],
            )
        result[name] = np.array(array.astype(mx.float32))
    return result


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q2_K", "Q6_K"])
def test_values_equal_those_of_the_gguf_package(
    kind: str, make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    wide = {"hidden": 256, "intermediate": 256} if kind.endswith("_K") else {}
    truth = make_gguf(tmp_path / "m.gguf", kind=kind, **wide)
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    found = dense(tmp_path / "m")
    assert found.keys() == truth.keys()
    # MLX gives K types as float16; the others are exact but for one rounding of a product.
    tolerance = 2e-3 if kind.endswith("_K") else 1e-6
    for name, values in truth.items():
        np.testing.assert_allclose(
            found[name], values, rtol=tolerance, atol=tolerance / 10, err_msg=name
        )


def test_mixed_types_are_described_module_by_module(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    kinds = {"token_embd.weight": "Q8_0", "blk.1.ffn_down.weight": "F16"}
    truth = make_gguf(tmp_path / "m.gguf", kind="Q4_0", kinds=kinds, tied=False)
    import_gguf(tmp_path / "m.gguf", tmp_path / "m", name="mine", revision="r1")
    config = json.loads((tmp_path / "m/config.json").read_text())
    assert config["quantization"] == {
        "group_size": 32,
        "bits": 4,
        "model.embed_tokens": {"group_size": 32, "bits": 8},
    }
    assert config["tie_word_embeddings"] is False
    found = dense(tmp_path / "m")
    for name, values in truth.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-7, err_msg=name)
    facts = json.loads((tmp_path / "m/entropix.json").read_text())
    assert facts == {
        "name": "mine",
        "source": "gguf m.gguf",
        "revision": "r1",
        "quantization": "Q4_0",
    }


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_mlx_lm_loads_the_folder_and_transformers_agrees(
    tied: bool, make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    from mlx_lm.utils import load_model

    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    truth = make_gguf(tmp_path / "m.gguf", kind="F32", tied=tied)
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    model, config = load_model(tmp_path / "m")
    ids = [5, 9, 100, 33, 7, 64]
    found = np.array(model(mx.array([ids])))[0]
    fields = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    oracle_config = transformers.LlamaConfig(
        **{f: config[f] for f in (*fields, "num_key_value_heads", "vocab_size", "rms_norm_eps")},
        tie_word_embeddings=tied,
        rope_theta=config["rope_theta"],
    )
    oracle = transformers.LlamaForCausalLM(oracle_config).eval()
    oracle.load_state_dict({k: torch.tensor(v) for k, v in truth.items()}, strict=False)
    oracle.tie_weights()
    with torch.no_grad():
        wanted = oracle(torch.tensor([ids])).logits[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("kind", ["Q4_K", "Q5_K", "Q3_K", "IQ4_NL", "MXFP4", "Q5_0"])
def test_types_that_mlx_gets_wrong_are_refused_by_name(
    kind: str, make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    make_gguf(tmp_path / "m.gguf", kind=kind, hidden=256, intermediate=256)
    with pytest.raises(UnsupportedError, match=kind) as caught:
        import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_missing_and_unknown_tensors_are_named(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    make_gguf(file, leave_out=frozenset({"blk.1.ffn_up.weight"}))
    with pytest.raises(DamagedFileError, match=r"blk\.1\.ffn_up\.weight"):
        import_gguf(file, tmp_path / "m")
    make_gguf(file, extra={"blk.0.attn_q.bias": np.zeros(64, np.float32)})
    with pytest.raises(UnsupportedError, match=r"blk\.0\.attn_q\.bias"):
        import_gguf(file, tmp_path / "m")


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        ({"llama.rope.scaling.type": "yarn"}, UnsupportedError, "yarn"),
        ({"llama.expert_count": 8}, UnsupportedError, "experts"),
        ({"llama.attention.sliding_window": 32}, UnsupportedError, "sliding_window"),
        ({"llama.rope.dimension_count": 8}, UnsupportedError, "dimension_count"),
        ({"llama.attention.key_length": 32}, DamagedFileError, "shape"),
        ({"split.count": 3}, UnsupportedError, "one part of several"),
        ({"tokenizer.ggml.eot_token_id": 100000}, DamagedFileError, "eot_token_id"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(
    metadata: dict[str, Any],
    error: type[EntropixError],
    words: str,
    make_gguf: MakeGGUF,
    tmp_path: Path,
) -> None:
    make_gguf(tmp_path / "m.gguf", metadata=metadata)
    with pytest.raises(error, match=words):
        import_gguf(tmp_path / "m.gguf", tmp_path / "m")


def factors_of_llama_3(factor: float, half: int, theta: float) -> np.ndarray:
    """As the converter for llama.cpp writes `rope_freqs.weight`, by the published formula."""
    result = []
    for i in range(half):
        wavelength = 2 * np.pi * theta ** (i / half)
        if wavelength < 8192 / 4:
            result.append(1.0)
        elif wavelength > 8192:
            result.append(factor)
        else:
            smooth = (8192 / wavelength - 1) / (4 - 1)
            result.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(result, np.float32)


def test_llama_3_rope_scaling_is_recovered(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    factors = factors_of_llama_3(32.0, 8, 10000.0)
    make_gguf(tmp_path / "m.gguf", extra={"rope_freqs.weight": factors})
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    assert config["rope_scaling"] == {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


def test_other_rope_factors_are_refused() -> None:
    good = factors_of_llama_3(8.0, 64, 500000.0).tolist()
    assert llama3_scaling(good, 500000.0, Path("m"))["factor"] == 8.0
    good[30] *= 1.5
    with pytest.raises(UnsupportedError, match="rope_freqs"):
        llama3_scaling(good, 500000.0, Path("m"))


def test_values_that_are_not_finite_are_refused(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    make_gguf(file)
    info = read_header(file).tensors["blk.1.ffn_norm.weight"]
    data = bytearray(file.read_bytes())
    data[info.offset : info.offset + 4] = struct.pack("<f", float("nan"))
    file.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"blk\.1\.ffn_norm\.weight"):
        import_gguf(file, tmp_path / "m")


def test_nothing_is_overwritten_and_nothing_half_made_stays(
    make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    file = tmp_path / "m.gguf"
    make_gguf(file)
    (tmp_path / "m").mkdir()
    (tmp_path / "m/mine").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        import_gguf(file, tmp_path / "m")

    def interrupt(_stage: str, done: int, _total: int | None, unit: str = "bytes") -> None:
        if done > 3 and unit == "tensors":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_gguf(file, tmp_path / "other", interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.gguf"]
    with pytest.raises(ModelNotFoundError, match="no such file"):
        import_gguf(tmp_path / "none.gguf", tmp_path / "other")


@pytest.mark.parametrize("limit", [2_000, 40_000])
def test_a_full_disk_is_one_line(limit: int, make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf")
    # A limit on the size of files fails writes as a full disk does.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(EntropixError, match="disk is full") as caught:
            import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def imported_or_refused(data: bytes, folder: Path) -> bool:
    """Whether a file is imported; it is refused with one line or the test fails."""
    file = folder / "fuzzed.gguf"
    file.write_bytes(data)
    out = folder / "out"
    refusal = None
    try:
        import_gguf(file, out)
    except EntropixError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert len(refusal) < 1000
        assert not out.exists()
        return False
    for path in out.iterdir():
        path.unlink()
    out.rmdir()
    return True


def test_every_truncation_is_refused(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", kind="Q8_0")
    data = (tmp_path / "m.gguf").read_bytes()
    rng = random.Random(1)
    cuts = {*range(64), *(rng.randrange(len(data) - 1) for _ in range(120)), len(data) - 32}
    assert imported_or_refused(data, tmp_path)
    for cut in sorted(cuts):
        assert not imported_or_refused(data[:cut], tmp_path), cut


def test_flipped_bytes_are_refused_or_harmless(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", kind="Q4_0", hidden=32, heads=2, kv_heads=1, layers=1)
    data = (tmp_path / "m.gguf").read_bytes()
    header_end = min(t.offset for t in read_header(tmp_path / "m.gguf").tensors.values())
    rng = random.Random(2)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            changed[rng.randrange(header_end)] = rng.choice(
                (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
            )
        if rng.random() < 0.3:  # everything behind moves
            at = rng.randrange(header_end)
            changed[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(12))
        imported_or_refused(bytes(changed), tmp_path)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, 2**32, 2**31 - 1])
def test_absurd_counts_cost_no_memory(value: int, make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", hidden=32, heads=2, kv_heads=1, layers=1)
    data = (tmp_path / "m.gguf").read_bytes()
    token_list = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8
    first_tensor = data.index(b"token_embd.weight") + len(b"token_embd.weight")
    places = {
        "tensors": 8,
        "values": 16,
        "key length": 24,
        "tokens": token_list,
        "first token's length": token_list + 8,
        "columns": first_tensor + 4,
        "rows": first_tensor + 12,
        "offset": first_tensor + 24,
    }
    tracemalloc.start()
    try:
        for place, at in places.items():
            changed = data[:at] + struct.pack("<Q", value) + data[at + 8 :]
            assert not imported_or_refused(changed, tmp_path), place
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_hostile_tensor_tables_are_refused(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", hidden=32, heads=2, kv_heads=1, layers=1)
    data = (tmp_path / "m.gguf").read_bytes()

    def refusal(changed: bytes) -> str:
        (tmp_path / "h.gguf").write_bytes(changed)
        with pytest.raises(DamagedFileError) as caught:
            read_header(tmp_path / "h.gguf")
        return str(caught.value)

    first, second = b"blk.0.attn_q.weight", b"blk.0.attn_k.weight"
    assert "twice" in refusal(data.replace(second, first))
    # The second tensor's offset becomes the first one's.
    at = data.index(second) + len(second) + 4 + 16 + 4
    of_first = data.index(first) + len(first) + 4 + 16 + 4
    assert "overlap" in refusal(data[:at] + data[of_first : of_first + 8] + data[at + 8 :])
    assert "end of the file" in refusal(data[:at] + struct.pack("<Q", 1 << 40) + data[at + 8 :])
    assert "alignment" in refusal(data[:at] + struct.pack("<Q", 33) + data[at + 8 :])
