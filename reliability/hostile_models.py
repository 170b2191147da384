"""What a hostile hand makes of a sound model, as a folder and as a GGUF file. Every one follows
from a seed and its number, so that each can be made again.
"""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from sound_model import (
    HEADS,
    HIDDEN,
    INNER,
    LAYERS,
    SHAPES,
    SPECIAL,
    TEMPLATE,
    TOKENS,
    Folder,
    dumped,
    tokenizer,
)

NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 255, 256, 300, 1000, 2**16, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32),
    *(2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63), 0.5, -0.0, 1e-320, 1e300, 1e308),
    *(float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *("", " ", "\n", "\x1b[2J\x1b]0;x\x07", "\x9b2J", "\u202e", "\u2028", "\ufeff", "é" * 9, "²"),
    *("\0", "../../etc/passwd", "/dev/zero", "x" * 5000, "a\r\nb", "[/red]", "%s%n", "{0}", "漢🙂"),
    *("llama", "mistral", "gptq", "U32", "F64", "I64", "BF16", "model.layers.²", "\ud800", "None"),
)
VALUES = (*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], {"": {}}, [1] * 999, "nested")
PATTERNS = (
    *("(a|aa)+$", "(a+)+b", "(.*)*(.*)*(.*)*$", "((a{0,90}){0,90}){0,90}b", "(?=(a+))\\1+b", "a*"),
    *("", "(?!x)", "\\p{L}{9999}", "(?<=a{1,99})b", "(" * 200 + "a" + ")" * 200, "[^\\s\\S]", "("),
    *("\\s+", "(?i:'s|'t)| ?\\p{L}+", "(\\w+\\s?)+$", "^(([a-z])+.)+[A-Z]([a-z])+$"),
)
BOMBS = (
    *("{{ lipsum(n=%d) }}", "{{ '%%.%df' %% 1.0 }}", "{{ '%%%dd' %% 1 }}", "{{ 'a'|center(%d) }}"),
    *("{{ range(99999)|slice(%d)|list }}", "{{ ('a\n' * 9999)|indent(%d) }}", "{{ 'x' * %d }}"),
    *("{{ 'a'.ljust(%d) }}{{ 'b'.zfill(%d) }}", "{{ '{:>%d}'.format(1) }}", "{{ [0] * %d }}"),
    *("{%% for a in range(%d) %%}{{ 'x' * 9999 }}{%% endfor %%}", "{{ 7 ** %d }}"),
    "{%% set n = namespace(s='ab') %%}{%% for i in range(%d) %%}{%% set n.s = n.s ~ n.s %%}"
    "{%% endfor %%}{{ n.s }}",
    "{%% set n = namespace(s=7) %%}{%% for i in range(%d) %%}{%% set n.s = n.s * n.s %%}"
    "{%% endfor %%}{{ n.s }}",
    "{%% set n = namespace(s=[7]) %%}{%% for i in range(%d) %%}{%% set n.s = [n.s, n.s] %%}"
    "{%% endfor %%}{{ n.s }}",
    "{{ ('a' * 99999).replace('a', 'b' * (%d %% 999999)) }}",
    "{{ 'x'.join(['y' * 99999] * (%d %% 99999)) }}",
    "{{ (range(%d %% 99999)|list)|tojson(indent=99999) }}",
    "{{ ('a ' * 99999)|wordwrap(1, wrapstring='b' * (%d %% 999999)) }}",
    "{%% macro f(n) %%}{{ f(n + %d) }}{{ f(n) }}{%% endmacro %%}{{ f(1) }}",
    "{{ cycler(*range(%d)) }}{{ dict(a=range(%d)|list) }}{{ joiner('x' * 9999)() }}",
    "{{ ('a' * (%d %% 999999))|urlize }}{{ ('<' * 99999)|striptags }}",
    "{{ messages|map(attribute='content')|join('z' * (%d %% 999999)) }}",
    "{%% for a in range(%d) recursive %%}{{ loop([1]) }}{%% endfor %%}",
    "{{ strftime_now('%%Y' * (%d %% 999999)) }}",
    "{{ raise_exception('\x1b[2J' * (%d %% 999)) }}",
)
ODD = (
    *("{{ ''.__class__.__mro__ }}", "{% include 'x' %}", "{% import 'x' as y %}", "{{ self }}"),
    *("{{ messages[99].content }}", "{{ undefined.x }}", "{% if %}", "{{ 1 // 0 }}", "{{", "{#"),
    *("{{ messages|nosuch }}", "{{ " + "(" * 999 + "1" + ")" * 999 + " }}", "\ud800", "\0", ""),
    *("{% if 1 %}" * 999 + "{% endif %}" * 999, "{{ '\\ud800' }}", "{{ '\U000f0000' }}", "\x1b"),
    *("{% set x = x.y.z %}", "{{ messages.pop() }}", "{{ range(10**20) }}", "{% raw %}"),
)


def spoilt(value: Any, spread: random.Random) -> Any:
    """The value with one of the values in it replaced, taken away or copied."""
    if isinstance(value, dict | list) and value and spread.random() < 0.85:
        copied = dict(value) if isinstance(value, dict) else list(value)
        key = spread.choice(list(copied) if isinstance(copied, dict) else range(len(copied)))
        match spread.random():
            case chance if chance < 0.1:
                del copied[key]
            case chance if chance < 0.15 and isinstance(copied, dict):
                copied[spread.choice([str(v) for v in TEXTS])] = copied.pop(key)
            case _:
                copied[key] = spoilt(copied[key], spread)
        return copied
    new = spread.choice(VALUES)
    if new == "nested":
        new = []
        for _ in range(spread.choice((50, 127, 128, 900))):
            new = [new]
    return new


def flipped(data: bytes, spread: random.Random, within: int = 2**62) -> bytes:
    """Some bytes of the first ones changed, or the end missing, or something put in."""
    changed = bytearray(data)
    within = max(1, min(within, len(changed)))
    match spread.randrange(4):
        case 0:
            del changed[spread.randrange(within) :]
        case 1:
            at = spread.randrange(within)
            changed[at:at] = spread.randbytes(spread.choice((1, 4, 8, 4096)))
        case _:
            for _ in range(spread.choice((1, 1, 2, 5, 50))):
                at = spread.randrange(min(within, len(changed)))
                changed[at] = spread.choice((0, 1, 0x7F, 0x80, 0xFF, changed[at] ^ 1))
    return bytes(changed)


def large(spread: random.Random) -> int:
    return int(spread.choice((1, 99, 10**4, 10**6, 10**8, 10**9, 10**10, 10**20)))


def template(spread: random.Random) -> str:
    """A program that asks for too much, or is none."""
    if spread.random() < 0.25:
        own = spread.choice(ODD)
    else:
        bomb = spread.choice(BOMBS)
        own = bomb % tuple(large(spread) for _ in range(bomb.count("%d")))
    return spread.choice(
        (own, own + TEMPLATE, TEMPLATE + own, TEMPLATE.replace("{%- if", own + "{%- if", 1))
    )


def component(spread: random.Random, depth: int = 0) -> dict[str, Any]:
    """A normaliser or a pre-tokenizer, or something that says it is one."""
    pattern = spread.choice(({"Regex": spread.choice(PATTERNS)}, {"String": spread.choice("a e ")}))
    filled = spread.choice(("", "a", "aa", "a" * 10, "é" * 99, "x" * 10**5))
    behaviour = spread.choice(("Removed", "Isolated", "MergedWithPrevious", "Contiguous", "None"))
    choices: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": pattern, "content": filled},
        {"type": "Prepend", "prepend": filled},
        {"type": "Split", "pattern": pattern, "behavior": behaviour, "invert": False},
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
        {"type": "Digits", "individual_digits": True},
        {"type": spread.choice(("NFC", "NFKD", "Lowercase", "ByteLevel", "Nmt", "Whitespace"))},
        {"type": "Precompiled", "precompiled_charsmap": "AAAA" * spread.randrange(99)},
    ]
    if depth < 3:
        kind = spread.choice(("normalizers", "pretokenizers"))
        parts = [component(spread, depth + 1) for _ in range(spread.randrange(3))]
        parts *= spread.choice((1, 1, 7, 40, 3000 if depth == 0 else 1))
        choices.append({"type": "Sequence", kind: parts})
    return spread.choice(choices)


def hostile_tokenizer(spread: random.Random) -> Any:
    made = tokenizer()
    byte_level = made["pre_tokenizer"]
    match spread.randrange(8):
        case 0:
            made["normalizer"] = component(spread)
        case 1:
            parts = [component(spread), {**byte_level, "use_regex": False}]
            made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": parts}
        case 2:
            step = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10}
            steps = [step] * spread.choice((3, 9, 40))
            made["normalizer"] = {"type": "Sequence", "normalizers": steps}
        case 3:
            many = spread.choice((10**3, 10**4, 10**5))
            flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            made["added_tokens"] += [
                {"id": 1000 + n, "content": f"<|{n}|>", "special": True, **flags}
                for n in range(many)
            ]
        case 4:
            piece = {"Sequence": {"id": "A", "type_id": 0}}
            made["post_processor"] = {
                "type": "TemplateProcessing",
                "single": [piece] * spread.choice((0, 1, 10**3, 10**5)),
                "pair": [piece],
                "special_tokens": {},
            }
        case 5:
            made["model"]["vocab"]["x" * spread.choice((10**3, 10**6, 2 * 10**7))] = 999
            made["model"]["merges"] = spread.choice(([], ["a b"], [["a", "b"]], ["a b c"], [1]))
        case 6:
            made["model"]["vocab"] |= {"far": spread.choice((-1, 300, 2**21, 2**31, 2**32, 2**40))}
            made["model"]["byte_fallback"] = spread.choice((True, False, 1))
        case _:
            made = spoilt(made, spread)
    return made


def hostile_folder(place: Path, spread: random.Random) -> None:
    """A folder with a fault, now and then two."""
    folder, after = Folder(spread), []
    for _ in range(spread.choice((1, 1, 1, 2))):
        match spread.randrange(8):
            case 0 | 1:
                folder.json["tokenizer_config.json"]["chat_template"] = template(spread)
            case 2 | 3:
                folder.json["tokenizer.json"] = hostile_tokenizer(spread)
            case 4:
                name = spread.choice(list(folder.json))
                folder.json[name] = spoilt(folder.json[name], spread)
            case 5:
                hostile_tensors(folder)
            case _:
                after.append(spread.choice((flip_file, spoil_header, lose_file)))
    files = folder.write(place)
    for change in after:
        change(place, files, spread)


def hostile_tensors(folder: Folder) -> None:
    spread, tensors = folder.spread, folder.tensors
    name = spread.choice(list(tensors))
    match spread.randrange(6):
        case 0:
            odd = ("model.layers.².x", "lm_head.weight", "x\x1b[2J", "", f"{name}.²")
            tensors[spread.choice(odd)] = tensors.pop(name)
        case 1:
            tensors[name] = np.full_like(tensors[name], spread.choice((np.nan, np.inf, 1e38, 0.0)))
        case 2:
            tensors[name] = tensors[name].astype(spread.choice((np.float64, np.int64, np.uint8)))
        case 3:
            tensors[name] = tensors[name][: spread.randrange(3)]
        case 4:
            tensors[name] = np.zeros(spread.choice(((0,), (), (1, 1, 1), (7, 5))), np.float32)
        case _:
            del tensors[name]


Change = Callable[[Path, dict[str, bytes], random.Random], None]


def flip_file(place: Path, files: dict[str, bytes], spread: random.Random) -> None:
    name = spread.choice(list(files))
    (place / name).write_bytes(flipped(files[name], spread, 3000))


def spoil_header(place: Path, files: dict[str, bytes], spread: random.Random) -> None:
    """Of the weights: its length, or what it says."""
    data = files["model.safetensors"]
    length = int.from_bytes(data[:8], "little")
    if spread.random() < 0.3:
        said = spread.choice((0, 1, length - 1, length + 1, 2**31, 2**63))
        head = struct.pack("<Q", said) + data[8:]
    else:
        header = dumped(spoilt(json.loads(data[8 : 8 + length]), spread))
        head = struct.pack("<Q", len(header)) + header + data[8 + length :]
    (place / "model.safetensors").write_bytes(head)


def lose_file(place: Path, files: dict[str, bytes], spread: random.Random) -> None:
    """A file is missing, empty, a folder, a link to itself, or has other weights beside it."""
    path = place / spread.choice(list(files))
    path.unlink()
    match spread.randrange(6):
        case 0:
            path.touch()
        case 1:
            path.mkdir()
        case 2:
            path.symlink_to(path.name)
        case 3:
            (place / spread.choice(("pytorch_model.bin", "consolidated.00.pth"))).touch()
        case 4:
            path.symlink_to("/dev/zero")


def hostile_gguf(path: Path, spread: random.Random) -> None:
    """A GGUF file with a fault in its metadata, its tensors or its bytes."""
    writer = gguf.GGUFWriter(path, "llama")
    numbers = {
        "llama.context_length": 128,
        "llama.embedding_length": HIDDEN,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": 1,
        "llama.vocab_size": len(TOKENS),
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
    }
    kinds = [3 if token in SPECIAL else 1 for token in TOKENS]
    tokens, merges = list(TOKENS), ["h e", "l l"]
    texts = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.chat_template": TEMPLATE,
    }
    fault = spread.randrange(6)
    if fault == 0:
        texts["tokenizer.chat_template"] = template(spread).replace("\ud800", "")
    elif fault == 1:
        number = spread.choice((0, 1, 3, 7, 10**6, 2**31, 2**32 - 1))
        numbers[spread.choice(list(numbers))] = number
    elif fault == 2:
        words = [text for text in TEXTS if "\ud800" not in text]
        texts[spread.choice(list(texts))] = spread.choice(words)
    elif fault == 3:
        many = spread.choice((10, 10**4, 3 * 10**5))
        tokens += [f"<|{n}|>" for n in range(many)]
        kinds += [spread.choice((1, 3, 4))] * many
        merges *= spread.choice((0, 1, 10**4))
    for key, number in numbers.items():
        writer.add_uint32(key, number)
    for key, text in texts.items():
        writer.add_string(key, text)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    base = spread.choice((10000.0, 0.0, float("nan"), -1.0)) if fault == 4 else 10000.0
    writer.add_float32("llama.rope.freq_base", base)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    values = np.random.default_rng(7)
    for name, (_, shape) in SHAPES.items():
        tensor = (values.standard_normal(shape) * 0.3).astype(np.float32)
        if fault == 4 and spread.random() < 0.1:
            tensor[...] = spread.choice((np.nan, np.inf, 1e38))
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if fault == 5:
        path.write_bytes(flipped(path.read_bytes(), spread, spread.choice((64, 600, 2**62))))
