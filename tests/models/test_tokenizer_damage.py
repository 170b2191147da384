"""Folders whose tokenizer is of another kind, missing, cut off or hostile: one line each."""

import datetime
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from entropix_models.errors import DamagedFileError, EntropixError, UnsupportedError
from entropix_models.tokenizer.tokenizer import Message, Tokenizer

DATE = datetime.date(2026, 1, 2)
MESSAGES: list[Message] = [{"role": "user", "content": "a"}]


class TestOtherKinds:
    def test_word_pieces_are_refused_by_name(self, make_folder: Callable[..., Path]) -> None:
        word_piece = {
            "type": "WordPiece",
            "unk_token": "a",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        }
        folder = make_folder(["a"], model=word_piece)
        with pytest.raises(UnsupportedError, match=r"^[^\n]*WordPiece[^\n]*$"):
            Tokenizer.from_folder(folder)

    def test_bpe_over_characters_is_refused(self, make_folder: Callable[..., Path]) -> None:
        folder = make_folder(["a"], pre_tokenizer={"type": "Whitespace"}, decoder=None)
        with pytest.raises(UnsupportedError, match="neither byte-level nor SentencePiece"):
            Tokenizer.from_folder(folder)

    def test_a_sentencepiece_model_alone_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.model").write_bytes(b"\n\x0e")
        with pytest.raises(UnsupportedError, match=r"no tokenizer\.json"):
            Tokenizer.from_folder(tmp_path)


class TestDamage:
    @pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
    def test_missing_files(
        self, make_folder: Callable[..., Path], byte_tokens: list[str], name: str
    ) -> None:
        folder = make_folder(byte_tokens)
        (folder / name).unlink()
        with pytest.raises(DamagedFileError, match=rf"{name} is missing: fetch"):
            Tokenizer.from_folder(folder)

    @pytest.mark.parametrize(
        "name",
        ["tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json"],
    )
    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"a":' + b"[" * 100_000, b'"' + b"x" * 99],
    )
    def test_files_that_are_no_json_objects(
        self, make_folder: Callable[..., Path], byte_tokens: list[str], name: str, content: bytes
    ) -> None:
        folder = make_folder(byte_tokens)
        (folder / name).write_bytes(content)
        with pytest.raises(DamagedFileError, match=rf"^[^\n]*/{name} is damaged[^\n]*$"):
            Tokenizer.from_folder(folder)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("tokenizer_config.json", {"eos_token": 3}),
            ("tokenizer_config.json", {"bos_token": {"text": "a"}}),
            ("tokenizer_config.json", {"chat_template": {"a": "b"}}),
            ("tokenizer_config.json", {"add_bos_token": "yes"}),
            ("config.json", {"eos_token_id": "2"}),
            ("config.json", {"eos_token_id": [1, None]}),
            ("generation_config.json", {"eos_token_id": True}),
            ("chat_template.json", {"template": "x"}),
        ],
    )
    def test_wrong_types(
        self, make_folder: Callable[..., Path], byte_tokens: list[str], name: str, value: object
    ) -> None:
        folder = make_folder(byte_tokens)
        (folder / name).write_text(json.dumps(value))
        with pytest.raises(DamagedFileError, match=rf"^[^\n]*/{name} is damaged[^\n]*$"):
            Tokenizer.from_folder(folder)

    def test_a_template_that_is_no_text(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(byte_tokens)
        (folder / "chat_template.jinja").write_bytes(b"\xff")
        with pytest.raises(DamagedFileError, match=r"chat_template\.jinja is damaged"):
            Tokenizer.from_folder(folder)

    def test_a_vocabulary_of_billions(self, make_folder: Callable[..., Path]) -> None:
        folder = make_folder([], model={"vocab": {"a": 0, "b": 4_000_000_000}})
        with pytest.raises(DamagedFileError, match="claims 4000000001 tokens"):
            Tokenizer.from_folder(folder)

    def test_an_empty_vocabulary(self, make_folder: Callable[..., Path]) -> None:
        with pytest.raises(DamagedFileError, match="claims 0 tokens"):
            Tokenizer.from_folder(make_folder([]))

    def test_unused_ids_have_no_bytes(self, make_folder: Callable[..., Path]) -> None:
        tokenizer = Tokenizer.from_folder(make_folder([], model={"vocab": {"a": 0, "b": 9}}))
        assert tokenizer.vocab_size == 10
        assert [tokenizer.token_bytes(id) for id in (0, 5, 9)] == [b"a", b"", b"b"]

    def test_a_device_is_no_file(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(byte_tokens)
        (folder / "generation_config.json").symlink_to("/dev/zero")
        with pytest.raises(DamagedFileError, match=r"generation_config\.json is damaged: it is no"):
            Tokenizer.from_folder(folder)

    def test_a_file_too_large_to_be_one(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(byte_tokens)
        with (folder / "config.json").open("wb") as file:
            file.truncate(2**30)
        with pytest.raises(DamagedFileError, match="1073741824 bytes are more than"):
            Tokenizer.from_folder(folder)

    def test_bytes_flipped_at_random_never_crash(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(
            byte_tokens,
            special=[{"id": 256, "content": "<s>"}],
            config={"bos_token": "<s>", "chat_template": "{{ messages[0].content }}<s>"},
        )
        rng = random.Random(7)
        outcomes = set()
        for name in ("tokenizer.json", "tokenizer_config.json"):
            whole = (folder / name).read_bytes()
            for _ in range(150):
                data = bytearray(whole)
                for _ in range(rng.randint(1, 3)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
                (folder / name).write_bytes(data)
                try:
                    Tokenizer.from_folder(folder).chat(MESSAGES, date=DATE)
                    outcomes.add("read")
                except EntropixError as error:
                    outcomes.add("refused" if "\n" not in str(error) else str(error))
            (folder / name).write_bytes(whole)
        assert outcomes == {"read", "refused"}
