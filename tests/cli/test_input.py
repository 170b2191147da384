"""Where a prompt comes from, and which prompts are none."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.cli.input import read_text
from entropix_models.errors import EntropixError, UsageError

Call = Callable[..., Any]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """`typed(data)`: what standard input holds, which is no terminal."""

    def typed(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return typed


@pytest.mark.parametrize("argument", ["-", None])
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\n", "a"),
        (b"a\r\n", "a"),
        (b"a\n\n", "a\n"),
        (b"a", "a"),
        (b" a \n", " a "),
        ("é\x1b\n".encode(), "é\x1b"),
    ],
)
def test_one_final_newline_of_standard_input_is_dropped(
    typed: Callable[[bytes], None], argument: str | None, data: bytes, text: str
) -> None:
    typed(data)
    assert read_text(argument) == text


def test_an_argument_is_taken_as_it_is(typed: Callable[[bytes], None]) -> None:
    typed(b"not this")
    assert read_text("a\n") == "a\n"


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "the text"  # not to be taken for the argument's name
    file.write_bytes(b"a")
    assert read_text(None, file) == "a"
    with pytest.raises(UsageError, match="not both"):
        read_text("a", file)
    with pytest.raises(EntropixError, match=r"cannot read .*none: no such file"):
        read_text(None, tmp_path / "none")
    with pytest.raises(EntropixError, match=r"is a directory"):
        read_text(None, tmp_path)


@pytest.mark.parametrize("text", ["a\n", "a\n\n", "a\r\nb\r\n", "\ufeffa\r", "\ufeff"])
def test_a_file_is_taken_byte_for_byte(tmp_path: Path, text: str) -> None:
    file = tmp_path / "text"
    file.write_bytes(text.encode())
    assert read_text(None, file) == text


@pytest.mark.parametrize("data", [b"", b"\n", b" \t\r\n"])
def test_an_empty_file_is_named(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "text"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=f"^{file} is empty: give some text$"):
        read_text(None, file)


NO_PROMPTS = {
    "empty": (b"", "is empty"),
    "a newline": (b"\n", "is empty"),
    "white space": (b" \t\n \n", "is empty"),
    "not UTF-8": (b"abc\xff", r"is not UTF-8 text \(byte 3\)"),
    "binary": (bytes(range(256)), "is not UTF-8 text"),
    "cut off": ("é".encode()[:1], "is not UTF-8 text"),
}


@pytest.mark.parametrize(("data", "message"), NO_PROMPTS.values(), ids=NO_PROMPTS)
def test_what_is_no_prompt(typed: Callable[[bytes], None], data: bytes, message: str) -> None:
    typed(data)
    with pytest.raises(UsageError, match=f"^standard input {message}"):
        read_text("-")
    if b"\0" not in data:
        with pytest.raises(UsageError, match=f"^the text {message}"):
            read_text(os.fsdecode(data))


def test_no_standard_input_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no text"):
        read_text(None)
    with pytest.raises(UsageError, match="standard input is closed"):
        read_text("-")


@pytest.mark.parametrize("command", ["generate", "score"])
def test_a_terminal_is_not_waited_for(call: Call, terminal: Any, command: str) -> None:
    result = call(command, "--model", "no-such-model", stdin=terminal.file)
    assert result.status == 2
    assert result.err == "error: no text: give it as an argument, or - to read standard input\n"


@pytest.mark.parametrize("command", ["generate", "score"])
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("",), b"x"),
        ((" \n",), b"x"),
        (("-",), b"\n"),
        ((), b""),
        (("-",), b"a\xff"),
        ((), b"\x80"),
    ],
)
def test_what_is_no_prompt_is_wrong_usage(
    call: Call, command: str, arguments: tuple[str, ...], stdin: bytes
) -> None:
    result = call(command, *arguments, "--model", "no-such-model", stdin=stdin)
    assert (result.status, result.out) == (2, b"")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_the_prompt_of_a_pipe_is_what_the_model_gets(call: Call, tiny_model: Path) -> None:
    fixed = ("--model", tiny_model, "--max-tokens", 0, "--format", "jsonl")
    for arguments in (("-",), ()):
        result = call("generate", *arguments, *fixed, stdin=b"two\nlines\n")
        assert result.status == 0
        assert [r["text"] for r in result.records if r["type"] == "prompt"] == ["two\nlines"]
