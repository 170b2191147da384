"""The files of a model folder that a tokenizer needs, read as hostile input."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from entropix_models.errors import DamagedFileError, UnsupportedError, one_line

LARGEST_TOKENIZER = 256 * 2**20
LARGEST_CONFIG = 16 * 2**20


class _Text(msgspec.Struct):
    content: str


class _NamedTemplate(msgspec.Struct):
    name: str
    template: str


class _TokenizerConfig(msgspec.Struct):
    bos_token: str | _Text | None = None
    eos_token: str | _Text | None = None
    unk_token: str | _Text | None = None
    sep_token: str | _Text | None = None
    pad_token: str | _Text | None = None
    cls_token: str | _Text | None = None
    mask_token: str | _Text | None = None
    add_bos_token: bool | None = None
    chat_template: str | list[_NamedTemplate] | None = None


class _TemplateFile(msgspec.Struct):
    chat_template: str


class _ModelConfig(msgspec.Struct):
    eos_token_id: int | list[int] | None = None


_Config = TypeVar("_Config", bound=msgspec.Struct)


@dataclass(frozen=True)
class TokenizerFiles:
    """What the folder says: `special_texts` by name ("bos_token"), `eos_ids` of the model's
    configurations, `add_bos` where the tokenizer's configuration settles it."""

    folder: Path
    tokenizer: bytes
    special_texts: dict[str, str]
    add_bos: bool | None
    chat_template: str | None
    eos_ids: frozenset[int]


def read_tokenizer_files(folder: Path) -> TokenizerFiles:
    """Raises DamagedFileError naming the file that is missing, unreadable, cut or of wrong types,
    UnsupportedError for a folder with a SentencePiece model only."""
    file = folder / "tokenizer.json"
    tokenizer = _read(file, LARGEST_TOKENIZER)
    if tokenizer is None:
        if (folder / "tokenizer.model").exists():
            raise UnsupportedError(
                f"{folder} has a tokenizer.model but no tokenizer.json, which is not handled: "
                "use a conversion of the model that has one"
            )
        raise DamagedFileError(f"{file} is missing: fetch the model again, or name another folder")
    config_file = folder / "tokenizer_config.json"
    config = _read_config(config_file, _TokenizerConfig)
    if config is None:
        raise DamagedFileError(
            f"{config_file} is missing: fetch the model again, or name another folder"
        )
    texts = {}
    for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"):
        token: str | _Text | None = getattr(config, f"{name}_token")
        if token is not None:
            text = token if isinstance(token, str) else token.content
            texts[f"{name}_token"] = _unicode(text, config_file)
    eos_ids: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        model = _read_config(folder / name, _ModelConfig)
        if model is not None and model.eos_token_id is not None:
            ids = model.eos_token_id
            eos_ids.update([ids] if isinstance(ids, int) else ids)
    template = _chat_template(folder, config)
    return TokenizerFiles(
        folder=folder,
        tokenizer=tokenizer,
        special_texts=texts,
        add_bos=config.add_bos_token,
        chat_template=None if template is None else _unicode(template, config_file),
        eos_ids=frozenset(eos_ids),
    )


def _chat_template(folder: Path, config: _TokenizerConfig) -> str | None:
    """A file of its own comes before the configuration; of several, the one named "default"."""
    file = folder / "chat_template.jinja"
    source = _read(file, LARGEST_CONFIG)
    if source is not None:
        try:
            return source.decode()
        except UnicodeDecodeError as error:
            raise DamagedFileError(
                f"{file} is damaged: it is no UTF-8; fetch the model again"
            ) from error
    own = _read_config(folder / "chat_template.json", _TemplateFile)
    if own is not None:
        return own.chat_template
    if isinstance(config.chat_template, list):
        by_name = {entry.name: entry.template for entry in reversed(config.chat_template)}
        return by_name.get("default", next(iter(by_name.values()), None))
    return config.chat_template


def _unicode(text: str, file: Path) -> str:
    """The text. Raises DamagedFileError for halves of surrogate pairs, which JSON can spell."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DamagedFileError(
            f"{file} is damaged: it holds half of a surrogate pair; fetch the model again"
        ) from error
    return text


def _read_config(file: Path, kind: type[_Config]) -> _Config | None:
    data = _read(file, LARGEST_CONFIG)
    if data is None:
        return None
    try:
        # The standard library's reader, because configurations may hold NaN and Infinity.
        return msgspec.convert(json.loads(data), kind)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"{file} is damaged: {one_line(error)}; fetch the model again"
        ) from error


def _read(file: Path, limit: int) -> bytes | None:
    """The file's bytes, None where there is no such file."""
    try:
        if not file.exists():
            return None
        if not file.is_file():  # a device has no end
            raise DamagedFileError(f"{file} is damaged: it is no file; fetch the model again")
        size = file.stat().st_size
        if size > limit:
            raise DamagedFileError(
                f"{file} is damaged: {size} bytes are more than any tokenizer has; "
                "fetch the model again"
            )
        return file.read_bytes()
    except OSError as error:
        raise DamagedFileError(
            f"{file} cannot be read ({error.strerror}): check its permissions"
        ) from error
