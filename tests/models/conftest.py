"""Tokenizer folders that tests of the models share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import pre_tokenizers, processors

if TYPE_CHECKING:
    from llama_models.llama3.tokenizer import Tokenizer as ReferenceTokenizer

# What the public template of Llama 3.2 Instruct prints when no tools are given.
LLAMA3_TEMPLATE = """\
{{- bos_token }}
{%- if not date_string is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% endif %}
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- "<|start_header_id|>" + message["role"] + "<|end_header_id|>\\n\\n" }}
    {{- (message["content"] | trim) + "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}
{%- endif %}
"""


@pytest.fixture(scope="session")
def llama3_reference() -> "ReferenceTokenizer":
    """The tokenizer that was published with Llama 3."""
    from llama_models.llama3.tokenizer import Tokenizer as ReferenceTokenizer

    return ReferenceTokenizer.get_instance()


@pytest.fixture(scope="session")
def llama3_folder(
    tmp_path_factory: pytest.TempPathFactory, llama3_reference: "ReferenceTokenizer"
) -> Path:
    """A folder like those of the Hub, made from the published vocabulary."""
    import llama_models.llama3
    from transformers.convert_slow_tokenizer import TikTokenConverter

    folder = tmp_path_factory.mktemp("llama3")
    vocabulary = Path(llama_models.llama3.__file__).parent / "tokenizer.model"
    converted = TikTokenConverter(
        str(vocabulary),
        pattern=llama3_reference.pat_str,
        extra_special_tokens=list(llama3_reference.special_tokens),
    ).converted()
    converted.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 128000)]
    )
    converted.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(
        folder / "tokenizer_config.json",
        {
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|eot_id|>",
            "chat_template": LLAMA3_TEMPLATE,
        },
    )
    write_json(folder / "config.json", {"eos_token_id": [128001, 128008, 128009]})
    return folder


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The embedded model's folder, fetched and converted if it is not there yet."""
    from entropix_models.progress import quiet
    from entropix_models.sources import sources

    return sources.resolve("smollm2-135m", progress=quiet).path


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """`make_folder(tokens, merges, **changes)`: a small byte-level tokenizer.

    `changes` replace keys of tokenizer.json; `config` and `special` are the tokenizer's
    configuration and its special tokens.
    """

    def make(
        tokens: list[str],
        merges: list[str] | None = None,
        *,
        special: list[dict[str, Any]] | None = None,
        model: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        spec = {
            "version": "1.0",
            "added_tokens": [{**flags, "special": True, **token} for token in special or []],
            "pre_tokenizer": {**byte_level, "use_regex": True},
            "decoder": {**byte_level, "use_regex": True},
            "model": {
                "type": "BPE",
                "vocab": {token: id for id, token in enumerate(tokens)},
                "merges": merges or [],
                **(model or {}),
            },
            **changes,
        }
        write_json(tmp_path / "tokenizer.json", spec)
        write_json(tmp_path / "tokenizer_config.json", config or {})
        return tmp_path

    return make


@pytest.fixture
def byte_tokens() -> list[str]:
    """The 256 tokens of GPT-2's alphabet."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
