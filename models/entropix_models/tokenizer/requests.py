"""What passes between a program and the process that has its tokenizer: msgpack behind a length."""

import datetime
from typing import BinaryIO, Literal

import msgspec

from entropix_models.tokenizer.chat_template import Message

LONGEST = 2**30
"""In bytes: no message is longer."""


class Encode(msgspec.Struct, tag=True):
    text: str
    special: bool
    bos: bool


class Lost(msgspec.Struct, tag=True):
    text: str


class Chat(msgspec.Struct, tag=True):
    messages: list[Message]
    date: datetime.date
    answer: bool


class Render(msgspec.Struct, tag=True):
    messages: list[Message]
    date: datetime.date


class NextTurn(msgspec.Struct, tag=True):
    messages: list[Message]
    date: datetime.date
    after: list[int]


class Known(msgspec.Struct, tag=True):
    """What the tokenizer finds out by trying, when somebody wants to know."""

    name: Literal["adds_bos", "template_prints_date", "turn_end"]


class Opened(msgspec.Struct, tag=True):
    """The first reply, which no request asked for: what a tokenizer knows from its files."""

    tokens: list[bytes]
    special_ids: frozenset[int]
    stop_ids: frozenset[int]
    bos_id: int | None
    eos_id: int | None
    has_chat_template: bool


class Ids(msgspec.Struct, tag=True):
    ids: list[int]


class Text(msgspec.Struct, tag=True):
    text: str


class Value(msgspec.Struct, tag=True):
    value: bool | int | None


class Refused(msgspec.Struct, tag=True):
    kind: Literal["DamagedFileError", "UnsupportedError", "UsageError"]
    message: str


Request = Encode | Lost | Chat | Render | NextTurn | Known
Reply = Opened | Ids | Text | Value | Refused


def write(pipe: BinaryIO, message: bytes) -> None:
    pipe.write(len(message).to_bytes(4, "big"))
    pipe.write(message)
    pipe.flush()


def read(pipe: BinaryIO, longest: int = LONGEST) -> bytes:
    """The next message. Raises EOFError where the other side has ended, OverflowError where it
    wants to say more than `longest` bytes."""
    length = int.from_bytes(_exactly(pipe, 4), "big")
    if length > longest:
        raise OverflowError(length)
    return _exactly(pipe, length)


def _exactly(pipe: BinaryIO, count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError
    return data
