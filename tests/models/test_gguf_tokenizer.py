"""Tokenizers out of GGUF metadata: the same ids as transformers makes of the folder, or a no."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from entropix_models.errors import DamagedFileError, UnsupportedError
from entropix_models.gguf.header import read_header
from entropix_models.gguf.importer import import_gguf
from entropix_models.gguf.tokenizer import check_tokenizer, write_tokenizer

MakeGGUF = Callable[..., object]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"


def ids(folder: Path, text: str, *, special: bool = True) -> list[str]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return list(tokenizer.encode(text, add_special_tokens=special).tokens)


def test_smollm_cuts_digits_and_knows_its_special_tokens(
    make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    make_gguf(tmp_path / "m.gguf", template=TEMPLATE)
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    assert ids(tmp_path / "m", "hello the<|im_end|>") == [
        *("hell", "o", "Ġt", "he"),
        "<|im_end|>",
    ]
    config = json.loads((tmp_path / "m/tokenizer_config.json").read_text())
    assert config["bos_token"] == "<|im_start|>"
    assert config["eos_token"] == "<|im_end|>"
    assert config["add_bos_token"] is False
    assert config["chat_template"] == TEMPLATE
    model = json.loads((tmp_path / "m/config.json").read_text())
    assert (model["bos_token_id"], model["eos_token_id"]) == (1, 2)


def test_llama_3_begins_its_texts_and_groups_digits(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", pre="llama-bpe")
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    assert ids(tmp_path / "m", "hello<|eot_id|>") == [
        "<|begin_of_text|>",
        *("hell", "o"),
        "<|eot_id|>",
    ]
    assert ids(tmp_path / "m", "he", special=False) == ["he"]
    cut = Tokenizer.from_file(str(tmp_path / "m/tokenizer.json")).pre_tokenizer
    assert [word for word, _ in cut.pre_tokenize_str("a 12345!\n\nb")] == [
        *("a", "Ġ", "123", "45", "!ĊĊ", "b")
    ]


def test_digits_are_cut_one_by_one(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf")
    import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    cut = Tokenizer.from_file(str(tmp_path / "m/tokenizer.json")).pre_tokenizer
    assert [word for word, _ in cut.pre_tokenize_str("a 123!")] == ["a", "Ġ", "1", "2", "3", "!"]


@pytest.mark.parametrize("pre", ["default", "qwen2", "something-new"])
def test_an_unknown_cut_is_refused_by_name(pre: str, make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", pre=pre)
    with pytest.raises(UnsupportedError, match=pre):
        import_gguf(tmp_path / "m.gguf", tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_sentence_pieces_are_refused(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf")
    metadata = read_header(tmp_path / "m.gguf").metadata | {"tokenizer.ggml.model": "llama"}
    with pytest.raises(UnsupportedError, match="'llama'"):
        check_tokenizer(metadata, tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokenizer.ggml.tokens", ["a", "a"]),
        ("tokenizer.ggml.tokens", "a"),
        ("tokenizer.ggml.token_type", [1]),
        ("tokenizer.ggml.merges", ["a"]),
        ("tokenizer.ggml.merges", ["a b c"]),
        ("tokenizer.ggml.merges", ["no such"]),
        ("tokenizer.ggml.eos_token_id", -1),
        ("tokenizer.ggml.bos_token_id", True),
    ],
)
def test_inconsistent_metadata_is_damage(
    key: str, value: object, make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    make_gguf(tmp_path / "m.gguf")
    metadata = read_header(tmp_path / "m.gguf").metadata | {key: value}
    with pytest.raises(DamagedFileError) as caught:
        write_tokenizer(metadata, tmp_path / "m.gguf", tmp_path)
    assert "\n" not in str(caught.value)


def test_user_defined_tokens_are_found_in_text_but_not_special(
    make_gguf: MakeGGUF, tmp_path: Path
) -> None:
    make_gguf(tmp_path / "m.gguf")
    metadata = read_header(tmp_path / "m.gguf").metadata
    metadata["tokenizer.ggml.token_type"][0] = 4
    write_tokenizer(metadata, tmp_path / "m.gguf", tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    found = tokenizer.encode("he<|endoftext|>")
    assert found.tokens == ["he", "<|endoftext|>"]
    assert tokenizer.decode(found.ids) == "he<|endoftext|>"
    assert tokenizer.decode(tokenizer.encode("he<|im_end|>").ids) == "he"


def test_transformers_reads_the_folder_alike(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    for pre in ("smollm", "llama-bpe", "gpt-2"):
        make_gguf(tmp_path / f"{pre}.gguf", pre=pre)
        folder = tmp_path / pre
        import_gguf(tmp_path / f"{pre}.gguf", folder)
        oracle = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        own = Tokenizer.from_file(str(folder / "tokenizer.json"))
        for text in ("hello the 1234 x", "Grüße, 世界!\n\n  it's <|im_end|>", "\u2167 ٣٤ 12"):
            assert oracle(text).input_ids == own.encode(text).ids
