"""The bytes behind every id of a vocabulary, as one table."""

import json
import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import tokenizers

from entropix_models.errors import DamagedFileError, UnsupportedError

LARGEST = 2**21
"""More ids than any model has; a file that claims more is damaged."""

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def token_bytes_table(inner: tokenizers.Tokenizer, name: Path) -> list[bytes]:
    """The bytes of ids 0, 1, ...; an added token's are its text, b"" stands for an unused id.

    Raises UnsupportedError, with the kind's name, for vocabularies that give no exact bytes.
    """
    kind = type(inner.model).__name__
    if kind != "BPE":
        raise UnsupportedError(
            f"{name} has a {kind} tokenizer, which is not handled: "
            "use a model with a byte-level or SentencePiece BPE tokenizer"
        )
    added = inner.get_added_tokens_decoder()
    tokens = _tokens(inner, max(added, default=-1), name)
    parts = list(_parts(inner))
    if any(part.get("type") == "ByteLevel" for part in parts):
        table = _byte_level(tokens)
    elif inner.model.byte_fallback or any(
        "▁" in json.dumps(part, ensure_ascii=False) for part in parts
    ):
        table = [_sentencepiece(token) for token in tokens]
    else:
        raise UnsupportedError(
            f"{name} has a BPE tokenizer that is neither byte-level nor SentencePiece's, "
            "which is not handled: use another model"
        )
    for id, token in added.items():
        table[id] = token.content.encode()
    return table


def _tokens(inner: tokenizers.Tokenizer, greatest_added: int, name: Path) -> list[str]:
    """Tokens in the order of their ids, "" for an id without one."""
    size = inner.get_vocab_size(with_added_tokens=True)
    by_id = [inner.id_to_token(id) for id in range(size)]
    if None in by_id:
        vocabulary = inner.get_vocab(with_added_tokens=True)
        size = max(*vocabulary.values(), greatest_added, -1) + 1 if vocabulary else 0
        if size <= LARGEST:
            by_id = [inner.id_to_token(id) for id in range(size)]
    if not 0 < size <= LARGEST:
        raise DamagedFileError(
            f"{name / 'tokenizer.json'} is damaged: it claims {size} tokens; fetch the model again"
        )
    return [token or "" for token in by_id]


def _parts(inner: tokenizers.Tokenizer) -> Iterator[dict[str, Any]]:
    """The components of normaliser, pre-tokenizer and decoder, sequences taken apart."""
    for component in (inner.normalizer, inner.pre_tokenizer, inner.decoder):
        if component is not None:
            stack = [json.loads(component.__getstate__())]
            while stack:
                part = stack.pop()
                stack += [
                    inner_part
                    for key in ("normalizers", "pretokenizers", "decoders")
                    for inner_part in part.get(key, ())
                ]
                yield part


def _byte_level(tokens: list[str]) -> list[bytes]:
    """GPT-2's alphabet: printable Latin-1 stands for itself, U+0100 on for the other bytes."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {0x100 + position: byte for position, byte in enumerate(others)}
    try:
        # At once, because 128,000 translations one by one would be felt when a model is loaded.
        joined = "".join(tokens).translate(alphabet).encode("latin-1")
    except UnicodeEncodeError:
        return [_byte_level_token(token, alphabet) for token in tokens]
    ends = list(accumulate(map(len, tokens)))
    return [joined[start:end] for start, end in pairwise([0, *ends])]


def _byte_level_token(token: str, alphabet: dict[int, int]) -> bytes:
    try:
        return token.translate(alphabet).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()  # outside the alphabet: a text in its own right


def _sentencepiece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()
