"""What a command is given: a text, from the command line, standard input or a file; a trace."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import click

from entropix_mlx.cli.say import tell
from entropix_mlx.terminal.visible import escaped
from entropix_mlx.trace.trace import Trace, read_trace
from entropix_models.errors import EntropixError, UsageError

trace_file = click.Path(path_type=Path, readable=False)
"""Not checked by click: what is no trace is no wrong usage."""

branch_option = click.option(
    "--branch",
    type=int,
    metavar="INDEX",
    help="The branch that ends at this record. Default: where the conversation stands.",
)


def read_text(argument: str | None, file: Path | None = None) -> str:
    """The argument; standard input for `-`, or without one when it is no terminal; or a file.

    One final newline of standard input is dropped, a file is taken byte for byte. Raises
    UsageError for nothing at all, for empty text and for bytes that are not UTF-8, EntropixError
    for what cannot be read.
    """
    if argument is not None and file is not None:
        raise UsageError("give the text or --file, not both")
    if file is not None:
        name = str(file)
        text = _decoded(_read(file, name), name)
    elif argument == "-" or (argument is None and sys.stdin and not sys.stdin.isatty()):
        name = "standard input"
        text = _decoded(_read(None, name), name).removesuffix("\n").removesuffix("\r")
    elif argument is not None:
        name = "the text"
        text = _decoded(argument.encode("utf-8", "surrogateescape"), name)
    else:
        raise UsageError("no text: give it as an argument, or - to read standard input")
    if not text.strip():
        raise UsageError(f"{name} is empty: give some text")
    return text


class AskedPrompt(NamedTuple):
    """A prompt of a file, and what it is called there."""

    id: str
    text: str


def read_prompts(file: Path) -> list[AskedPrompt]:
    """The prompts of a file: JSON Lines, objects with a `prompt` and perhaps an `id`, or strings;
    or plain lines. Empty lines are left out; `-` is standard input.

    Raises UsageError for what is no UTF-8, is empty or has a line without a prompt, EntropixError
    for what cannot be read.
    """
    name = "standard input" if str(file) == "-" else str(file)
    text = _decoded(_read(None if str(file) == "-" else file, name), name)
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{name} has no prompts: give one a line")
    found: list[AskedPrompt] = []
    is_json = lines[0][1].lstrip().startswith(("{", '"'))
    for n, line in lines:
        value: object = line.removesuffix("\r")
        if is_json:
            try:
                value = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{name}, line {n} is no JSON ({error})") from error
        own = value if isinstance(value, dict) else {"prompt": value}
        prompt = own.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise UsageError(f'{name}, line {n} has no prompt: give {{"prompt": "..."}}')
        found.append(AskedPrompt(str(own.get("id", len(found) + 1)), prompt))
    return found


def _read(file: Path | None, name: str) -> bytes:
    try:
        if file is not None:
            return file.read_bytes()
        if sys.stdin is None:
            raise UsageError("standard input is closed: give the text as an argument")
        return sys.stdin.buffer.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EntropixError(f"cannot read {name}: {reason}; name a file of text") from error


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 text (byte {error.start}): convert it first"
        ) from error


def read(path: Path) -> Trace:
    """A trace, what is wrong with it on standard error. Raises TraceError."""
    found = read_trace(path)
    for problem in found.problems:
        tell(f"note: {escaped(str(path))}: {escaped(problem)}")
    return found
