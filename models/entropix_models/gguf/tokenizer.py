"""The tokenizer that a GGUF file describes, as `tokenizer.json` and `tokenizer_config.json`.

How text is cut before byte pairs are merged is not in the file, only a name for it
(`tokenizer.ggml.pre`). Names that aren't certain are refused: a wrong cut gives wrong ids and no
error.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropix_models.errors import UnsupportedError, one_line
from entropix_models.gguf.header import Value, damaged, shown
from entropix_models.paths import write_json

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

_CONTROL, _USER_DEFINED = 3, 4

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CUTS = ("smollm", "llama-bpe", "gpt-2")
_SPECIAL = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
_STOPS = ("eos", "eot", "eom")


def check_tokenizer(metadata: dict[str, Value], file: Path) -> list[str]:
    """The tokens in the order of their ids, of a tokenizer that can be converted.

    Raises UnsupportedError for an unknown kind, DamagedFileError for an inconsistent one.
    """
    model, cut = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if model != "gpt2":
        raise UnsupportedError(
            f"{file}: tokenizer kind {shown(model)} is not handled ('gpt2', byte-level byte pairs, "
            "is); get the model in the format of transformers or mlx-lm"
        )
    if cut not in _CUTS:
        raise UnsupportedError(
            f"{file}: pre-tokenizer {shown(cut)} is not handled ({', '.join(_CUTS)} are); get the "
            "model in the format of transformers or mlx-lm"
        )
    tokens = _texts(metadata, "tokenizer.ggml.tokens", file)
    if not tokens or len(set(tokens)) != len(tokens):
        raise damaged(file, "its tokens are missing or there twice")
    kinds = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, list) or len(kinds) != len(tokens):
        raise damaged(file, "its token types don't match its tokens")
    for key in (*_SPECIAL.values(), *(f"tokenizer.ggml.{stop}_token_id" for stop in _STOPS)):
        token_id(metadata, key, len(tokens), file)
    return tokens


def stop_ids(metadata: dict[str, Value], vocabulary: int, file: Path) -> list[int]:
    """The ids that end a turn, as the metadata names them."""
    found = (token_id(metadata, f"tokenizer.ggml.{s}_token_id", vocabulary, file) for s in _STOPS)
    return list(dict.fromkeys(token for token in found if token is not None))


def token_id(metadata: dict[str, Value], key: str, vocabulary: int, file: Path) -> int | None:
    value = metadata.get(key)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < vocabulary:
        raise damaged(file, f"{key} is {shown(value)}, no token")
    return value


def write_tokenizer(metadata: dict[str, Value], file: Path, folder: Path) -> None:
    """Write both files of the tokenizer into `folder`; raises as `check_tokenizer` does."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, processors

    tokens = check_tokenizer(metadata, file)
    kinds = metadata["tokenizer.ggml.token_type"]
    assert isinstance(kinds, list)
    merges = _texts(metadata, "tokenizer.ggml.merges", file)
    if any(merge.count(" ") != 1 for merge in merges):
        raise damaged(file, "a merge is not a pair")
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    llama_3 = metadata["tokenizer.ggml.pre"] == "llama-bpe"
    try:
        vocabulary = {token: i for i, token in enumerate(tokens)}
        bpe = models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=llama_3)
    except Exception as error:  # the library raises nothing finer
        raise damaged(file, f"its merges don't fit its tokens ({one_line(error)})") from error
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = _pre_tokenizer(str(metadata["tokenizer.ggml.pre"]))
    tokenizer.decoder = decoders.ByteLevel()
    by_kind = list(zip(tokens, kinds, strict=True))
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, kind in by_kind if kind == _CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False) for t, kind in by_kind if kind == _USER_DEFINED]
    )
    config = _config(metadata, tokens, file)
    begin = config.get("bos_token")
    if config["add_bos_token"] and begin is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[begin, "$A"],
            pair=[begin, "$A", begin, "$B:1"],
            special_tokens=[(begin, vocabulary[begin])],
        )
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), "utf-8")
    write_json(folder / "tokenizer_config.json", config)


def _pre_tokenizer(cut: str) -> "PreTokenizer":
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    byte_level = ByteLevel(add_prefix_space=False, use_regex=cut != "llama-bpe")
    match cut:
        case "smollm":
            return Sequence([Digits(individual_digits=True), byte_level])
        case "llama-bpe":
            return Sequence([Split(Regex(_LLAMA_3), behavior="isolated"), byte_level])
    return byte_level


def _config(metadata: dict[str, Value], tokens: list[str], file: Path) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        # Llama 3's converters leave it out, and the tokenizer does begin its texts.
        "add_bos_token": bool(
            metadata.get(
                "tokenizer.ggml.add_bos_token", metadata["tokenizer.ggml.pre"] == "llama-bpe"
            )
        ),
    }
    for name, key in _SPECIAL.items():
        if (token := token_id(metadata, key, len(tokens), file)) is not None:
            config[name] = tokens[token]
    template = metadata.get("tokenizer.chat_template")
    if isinstance(template, str):
        config["chat_template"] = template
    return config


def _texts(metadata: dict[str, Value], key: str, file: Path) -> list[str]:
    value = metadata.get(key)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    raise damaged(file, f"{key} is missing or no list of texts")
