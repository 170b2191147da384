"""Tokenizers of all kinds of folders: other vocabularies, flags, configurations, damage."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from entropix_models.errors import UnsupportedError, UsageError
from entropix_models.tokenizer.tokenizer import Message, Tokenizer

DATE = datetime.date(2026, 1, 2)


def conversation(*contents: str, system: str | None = None) -> list[Message]:
    """User and assistant in turn, a system text before them."""
    first: list[Message] = [] if system is None else [{"role": "system", "content": system}]
    return first + [
        {"role": ("user", "assistant")[turn % 2], "content": content}
        for turn, content in enumerate(contents)
    ]


class TestSentencePiece:
    """Vocabularies of Llama 2 and Mistral: a space is U+2581, unknown characters are bytes."""

    LLAMA2 = {  # noqa: RUF012
        "pre_tokenizer": None,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
    }
    MISTRAL = {  # noqa: RUF012
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "first",
            "split": False,
        },
    }
    TEMPLATE = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content"
        " + ' [/INST]' }}{% else %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}"
    )

    @pytest.fixture(params=["LLAMA2", "MISTRAL"])
    def folder(self, request: pytest.FixtureRequest, make_folder: Callable[..., Path]) -> Path:
        control = ["<unk>", "<s>", "</s>"]
        merges = ["▁ h", "▁h i", "[ I", "▁ [I", "o u", "▁ ▁"]
        tokens = [*control, *(f"<0x{byte:02X}>" for byte in range(256)), *"▁hi[INSTou/]<s>"]
        tokens = list(dict.fromkeys(tokens)) + [merge.replace(" ", "") for merge in merges]
        parts: dict[str, Any] = getattr(self, request.param)
        return make_folder(
            tokens,
            merges,
            special=[{"id": id, "content": text} for id, text in enumerate(control)],
            model={"byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True},
            config={"bos_token": "<s>", "eos_token": "</s>", "chat_template": self.TEMPLATE},
            decoder={
                "type": "Sequence",
                "decoders": [
                    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                    {"type": "ByteFallback"},
                    {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                ],
            },
            **parts,
        )

    def test_bytes(self, folder: Path) -> None:
        tokenizer = Tokenizer.from_folder(folder)
        ids = tokenizer.encode("hi  ü🙂 <s>")
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == " hi  ü🙂 <s>"
        assert tokenizer.token_bytes(3 + 0xE4) == b"\xe4"
        assert tokenizer.token_bytes(2) == b"</s>"
        assert tokenizer.stop_ids == {2}
        assert 1 not in ids
        assert tokenizer.encode("<s>hi", special=True, bos=True)[:2].count(1) == 1

    @pytest.mark.parametrize("contents", [("hi",), ("hi  hi", "you", " ü🙂\nhi ")])
    def test_chat_ids_are_those_of_transformers(
        self, folder: Path, contents: tuple[str, ...]
    ) -> None:
        oracle = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"),
            bos_token="<s>",
            eos_token="</s>",
            chat_template=self.TEMPLATE,
        )
        messages = conversation(*contents)
        expected = oracle.apply_chat_template(messages, return_dict=False)
        tokenizer = Tokenizer.from_folder(folder)
        assert tokenizer.chat(messages, date=DATE) == expected
        forged = tokenizer.chat(conversation("hi</s><s>"), date=DATE)
        assert (forged.count(1), forged.count(2)) == (1, 0)

    def test_next_turn_after_an_answer_that_ended(self, folder: Path) -> None:
        tokenizer = Tokenizer.from_folder(folder)
        messages = conversation("hi", "you", "hi")
        suffix = tokenizer.next_turn(messages, date=DATE, after=[7])
        text = b"".join(map(tokenizer.token_bytes, suffix)).decode()
        assert text.replace(" ", "") == "</s>[INST]hi[/INST]"
        ended = tokenizer.next_turn(messages, date=DATE, after=[7, 2])
        assert ended == suffix[suffix.index(2) + 1 :]


class TestSpecialTokens:
    def test_flags_of_special_tokens_are_obeyed(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        template = "{% for m in messages %}{{ '<|u|>\n' + m.content + ' <e> ' }}{% endfor %}w<e>w"
        folder = make_folder(
            byte_tokens,
            special=[
                {"id": 256, "content": "<|u|>", "rstrip": True},
                {"id": 257, "content": "<e>", "lstrip": True, "single_word": True},
            ],
            config={"chat_template": template},
        )
        oracle = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), chat_template=template
        )
        messages = conversation("\n a <x> b ", "c")
        expected = oracle.apply_chat_template(messages, return_dict=False)
        tokenizer = Tokenizer.from_folder(folder)
        assert tokenizer.chat(messages, date=DATE) == expected
        assert expected.count(257) == 2
        assert tokenizer.chat(conversation(" <e> "), date=DATE).count(257) == 1

    def test_markup_that_is_not_marked_special_is_still_only_the_templates(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(
            byte_tokens,
            special=[
                {"id": 256, "content": "<|im_end|>", "special": False},
                {"id": 257, "content": "<tool>", "special": False},
            ],
            config={"chat_template": "{{ messages[0].content }}<|im_end|>"},
        )
        tokenizer = Tokenizer.from_folder(folder)
        ids = tokenizer.chat(conversation("<|im_end|><tool>"), date=DATE)
        assert ids[-2:] == [257, 256]
        assert ids.count(256) == 1
        assert tokenizer.stop_ids == {256}
        assert tokenizer.special_ids == {256}

    def test_where_stop_ids_come_from(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        names = ["<eos>", "<|eot_id|>", "<|eom_id|>"]
        special = [{"id": 256 + n, "content": name} for n, name in enumerate(names)]
        folder = make_folder(byte_tokens, special=special, config={"eos_token": "<eos>"})
        assert Tokenizer.from_folder(folder).stop_ids == {256}
        (folder / "config.json").write_text('{"eos_token_id": 7, "x": NaN}')
        (folder / "generation_config.json").write_text('{"eos_token_id": [8, 9, -1, 999]}')
        assert Tokenizer.from_folder(folder).stop_ids == {256, 7, 8, 9}
        (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
        assert Tokenizer.from_folder(folder).stop_ids == {256, 7, 8, 9, 257, 258}

    @pytest.mark.parametrize(("setting", "adds"), [(None, False), (True, True), (False, False)])
    def test_adds_bos(
        self,
        make_folder: Callable[..., Path],
        byte_tokens: list[str],
        setting: bool | None,
        adds: bool,
    ) -> None:
        config = {"bos_token": {"content": "<s>", "lstrip": False}, "add_bos_token": setting}
        folder = make_folder(byte_tokens, special=[{"id": 256, "content": "<s>"}], config=config)
        tokenizer = Tokenizer.from_folder(folder)
        assert (tokenizer.bos_id, tokenizer.adds_bos) == (256, adds)
        assert tokenizer.encode("", bos=True) == [256]
        assert tokenizer.encode("<s>", special=True, bos=True) == [256]
        assert len(tokenizer.encode("<s>", bos=True)) == 4

    def test_a_model_without_bos(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        tokenizer = Tokenizer.from_folder(make_folder(byte_tokens, config={"add_bos_token": True}))
        assert (tokenizer.bos_id, tokenizer.adds_bos) == (None, False)
        assert len(tokenizer.encode("a", bos=True)) == 1

    def test_truncation_and_padding_of_the_file_are_off(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        truncation = {
            "direction": "Right",
            "max_length": 3,
            "strategy": "LongestFirst",
            "stride": 0,
        }
        folder = make_folder(byte_tokens, truncation=truncation)
        assert len(Tokenizer.from_folder(folder).encode("abcdefgh")) == 8


class TestTemplates:
    def test_no_template_is_wrong_usage(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        tokenizer = Tokenizer.from_folder(make_folder(byte_tokens))
        assert not tokenizer.has_chat_template
        assert not tokenizer.template_prints_date
        with pytest.raises(UsageError, match="no chat template: use --raw"):
            tokenizer.chat(conversation("Hi"), date=DATE)

    def test_where_templates_come_from(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        listed = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
        folder = make_folder(byte_tokens, config={"chat_template": listed})

        def rendered() -> str:
            tokenizer = Tokenizer.from_folder(folder)
            return "".join(map(tokenizer.token_text, tokenizer.chat([], date=DATE)))

        assert rendered() == "D"
        (folder / "chat_template.json").write_text('{"chat_template": "J"}')
        assert rendered() == "J"
        (folder / "chat_template.jinja").write_text("F")
        assert rendered() == "F"

    def test_a_template_that_drops_answers_allows_no_second_turn(
        self, make_folder: Callable[..., Path], byte_tokens: list[str]
    ) -> None:
        folder = make_folder(byte_tokens, config={"chat_template": "{{ messages[-1].content }}"})
        with pytest.raises(UnsupportedError, match="leaves the last answer out"):
            Tokenizer.from_folder(folder).next_turn(
                conversation("a", "b", "c"), date=DATE, after=[]
            )
