"""Tokenizers and templates of strangers: the ids that they have without limits, and an end."""

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_models.errors import DamagedFileError, EntropixError, UnsupportedError, UsageError
from entropix_models.tokenizer import bounded
from entropix_models.tokenizer.bounded import BoundedTokenizer
from entropix_models.tokenizer.tokenizer import Message, Tokenizer

DATE = datetime.date(2026, 1, 2)
MESSAGES: list[Message] = [{"role": "user", "content": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa x"}]
ANSWERED: list[Message] = [
    {"role": "system", "content": "Be <|im_end|> brief."},
    {"role": "user", "content": "Héllo 日本 12345"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Why?"},
]

Make = Callable[..., Path]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are soon reached."""
    monkeypatch.setattr(bounded, "MEMORY", 2**28)
    monkeypatch.setattr(bounded, "SECONDS", 1.0)


@pytest.mark.slow
def test_it_says_what_the_tokenizer_says(smollm2_folder: Path) -> None:
    own, theirs = (kind.from_folder(smollm2_folder) for kind in (Tokenizer, BoundedTokenizer))
    for name in (
        *("vocab_size", "bos_id", "eos_id", "stop_ids", "special_ids", "adds_bos", "turn_end"),
        *("has_chat_template", "template_prints_date", "marks"),
    ):
        assert getattr(own, name) == getattr(theirs, name), name
    every = range(-1, own.vocab_size + 1)
    assert [own.token_bytes(id) for id in every] == [theirs.token_bytes(id) for id in every]
    text = "<|im_start|>user\nHéllo 日本\0 "
    for special in (False, True):
        for bos in (False, True):
            assert own.encode(text, special=special, bos=bos) == theirs.encode(
                text, special=special, bos=bos
            )
    assert own.chat(ANSWERED, date=DATE) == theirs.chat(ANSWERED, date=DATE)
    assert own.chat(ANSWERED, date=DATE, answer=False) == theirs.chat(
        ANSWERED, date=DATE, answer=False
    )
    assert own.rendered(ANSWERED, date=DATE) == theirs.rendered(ANSWERED, date=DATE)
    context = own.chat(ANSWERED[:2], date=DATE)
    assert own.next_turn(ANSWERED, date=DATE, after=context) == theirs.next_turn(
        ANSWERED, date=DATE, after=context
    )


@pytest.mark.slow
def test_a_long_text_is_no_attack(
    make_folder: Make, byte_tokens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MEMORY", 2**27)
    tokenizer = BoundedTokenizer.from_folder(make_folder(byte_tokens))
    assert len(tokenizer.encode("it is " * 200_000)) == 1_200_000


def test_errors_are_the_same_as_without(make_folder: Make, byte_tokens: list[str]) -> None:
    folder = make_folder(byte_tokens, config={"chat_template": "{{ raise_exception('no') }}"})
    tokenizer = BoundedTokenizer.from_folder(folder)
    with pytest.raises(UsageError, match="refuses these messages: no"):
        tokenizer.chat(MESSAGES, date=DATE)
    with pytest.raises(UsageError, match="half of a surrogate pair"):
        tokenizer.encode("\ud800")
    with pytest.raises(UnsupportedError, match="neither byte-level"):
        BoundedTokenizer.from_folder(make_folder(["a"], pre_tokenizer=None, decoder=None))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DamagedFileError, match=r"tokenizer\.json is missing"):
        BoundedTokenizer.from_folder(folder)


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TEMPLATES = {
    "a loop without end": LOOP,
    "digits": "{{ '%.1000000000f' % 1.0 }}",
    "spaces": "{{ 'a'|center(999999999) }}",
    "slices": "{{ range(99999)|slice(99999999)|list }}",
    "indents": "{{ ('a\n' * 99999)|indent(99999) }}",
    "a doubled text": "{% set n = namespace(s='ab') %}{% for i in range(99) %}"
    "{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "a squared number": "{% set n = namespace(s=7) %}{% for i in range(99) %}"
    "{% set n.s = n.s * n.s %}{% endfor %}{{ n.s }}",
    "replacements": "{{ ('a' * 999999).replace('a', 'b' * 999999) }}",
    "output": "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
    "a long text": "{{ 'abc ' * 200000 }}{{ 'abc ' * 200000 }}{{ 'abc ' * 200000 }}",
}


@pytest.mark.slow
@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_ends(make_folder: Make, byte_tokens: list[str], name: str) -> None:
    folder = make_folder(byte_tokens, config={"chat_template": TEMPLATES[name]})
    tokenizer = BoundedTokenizer.from_folder(folder)
    with pytest.raises(DamagedFileError, match=r"^[^\n]*chat template[^\n]*$"):
        tokenizer.chat(MESSAGES, date=DATE)
    assert tokenizer.encode("a") == Tokenizer.from_folder(folder).encode("a"), "it begins anew"


def replaced(pattern: dict[str, str], content: str, times: int = 1) -> dict[str, Any]:
    step = {"type": "Replace", "pattern": pattern, "content": content}
    return {"normalizer": {"type": "Sequence", "normalizers": [step] * times}}


TOKENIZERS = {
    "a chain that doubles": replaced({"String": "a"}, "aaaaaaaaaa", 40),
    "a pattern that panics": replaced({"Regex": "(a|aa)+$"}, ""),
    "a cut that panics": {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": "(a+)+b"},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
            ],
        }
    },
    "a long beginning": {"normalizer": {"type": "Prepend", "prepend": "x" * 5_000_000}},
}


@pytest.mark.slow
@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer_ends(make_folder: Make, byte_tokens: list[str], name: str) -> None:
    folder = make_folder(byte_tokens, **TOKENIZERS[name])
    with pytest.raises(DamagedFileError, match=r"^[^\n]*tokenizer[^\n]*$"):
        BoundedTokenizer.from_folder(folder).encode(MESSAGES[0]["content"])


def test_a_panic_is_a_sentence_without_limits_too(
    make_folder: Make, byte_tokens: list[str]
) -> None:
    folder = make_folder(byte_tokens, **TOKENIZERS["a pattern that panics"])
    with pytest.raises(DamagedFileError, match=r"tokenizer\.json is damaged: .*Regex"):
        Tokenizer.from_folder(folder).encode(MESSAGES[0]["content"])


@pytest.mark.slow
def test_memory_is_watched_where_the_system_does_not(
    make_folder: Make, byte_tokens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "IS_WATCHED", True)
    monkeypatch.setattr(bounded, "MEMORY", 2**27)
    template = (
        "{% set n = namespace(s=['x' * 999999]) %}{% for i in range(99999) %}"
        "{% set n.s = n.s + ['%sx' % (n.s[-1] ~ i)] %}{% endfor %}"
    )
    folder = make_folder(byte_tokens, config={"chat_template": template})
    with pytest.raises(DamagedFileError, match=r"takes more than 0\.125 GiB of memory"):
        BoundedTokenizer.from_folder(folder).chat(MESSAGES, date=DATE)


def test_nothing_of_the_current_folder_is_imported(
    make_folder: Make, byte_tokens: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(byte_tokens)
    for name in ("jinja2", "json", "tokenizers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert BoundedTokenizer.from_folder(folder).vocab_size == 256


OWNER = """
import datetime, sys, threading
from pathlib import Path
from entropix_models.tokenizer.bounded import BoundedTokenizer
tokenizer = BoundedTokenizer.from_folder(Path(sys.argv[1]))
print(tokenizer._process.pid, flush=True)
if sys.argv[2] == "busy":
    messages = [{"role": "user", "content": "x"}]
    tokenizer.chat(messages, date=datetime.date(2026, 1, 2))
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_ends_with_its_owner(make_folder: Make, byte_tokens: list[str], state: str) -> None:
    folder = make_folder(byte_tokens, config={"chat_template": LOOP})
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), state],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        process = int(owner.stdout.readline())
        if state == "busy":
            before = processor_time(process)
            while processor_time(process) < before + 0.2:
                time.sleep(0.01)
        owner.send_signal(signal.SIGKILL)
    while is_alive(process):
        time.sleep(0.01)


def processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_ends_with_its_tokenizer(make_folder: Make, byte_tokens: list[str]) -> None:
    tokenizer = BoundedTokenizer.from_folder(make_folder(byte_tokens))
    process = tokenizer._process
    assert process is not None
    assert process.poll() is None
    del tokenizer
    assert process.returncode is not None


def test_one_that_was_killed_is_begun_anew(make_folder: Make, byte_tokens: list[str]) -> None:
    tokenizer = BoundedTokenizer.from_folder(make_folder(byte_tokens))
    assert tokenizer._process is not None
    tokenizer._process.kill()
    tokenizer._process.wait()
    assert tokenizer.encode("ab") == [byte_tokens.index("a"), byte_tokens.index("b")]


def test_a_folder_of_strangers_has_limits(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entropix_models import devices, loader
    from entropix_models.sources import sources

    def refuse(_path: Path) -> Tokenizer:
        raise EntropixError("without limits")

    folder = sources.resolve(str(llama_folder))
    monkeypatch.setattr(Tokenizer, "from_folder", refuse)
    loaded = loader.load(folder, devices.choose("cpu"))
    assert type(loaded.tokenizer) is BoundedTokenizer
    assert json.loads((llama_folder / "config.json").read_text())["vocab_size"] == 300
