"""Where a prompt comes from: the command line, standard input or a file."""

import sys
from pathlib import Path

from entropix_models.errors import EntropixError, UsageError


def read_text(argument: str | None, file: Path | None = None) -> str:
    """The argument; standard input for `-`, or without one when it is no terminal; or a file.

    One final newline of standard input or a file is dropped. Raises UsageError for nothing at
    all, for empty text and for bytes that are not UTF-8.
    """
    if argument is not None and file is not None:
        raise UsageError("give the text or --file, not both")
    if file is not None:
        try:
            data, name = file.read_bytes(), str(file)
        except OSError as error:
            raise EntropixError(f"{file}: {error.strerror or error}") from error
    elif argument == "-" or (argument is None and not _is_terminal()):
        data, name = sys.stdin.buffer.read(), "standard input"
    elif argument is not None:
        data, name = argument.encode("utf-8", "surrogateescape"), "the text"
    else:
        raise UsageError("no text: give it as an argument, or - to read standard input")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text (byte {error.start})") from error
    if name != "the text":
        text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise UsageError(f"{name} is empty: give some text")
    return text


def _is_terminal() -> bool:
    return sys.stdin is None or sys.stdin.isatty()
