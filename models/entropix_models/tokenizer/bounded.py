"""The tokenizer of a folder by strangers, in a process of its own that has limits."""

import datetime
import os
import select
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from entropix_models import errors
from entropix_models.errors import DamagedFileError
from entropix_models.tokenizer import child, requests
from entropix_models.tokenizer.chat_template import Message
from entropix_models.tokenizer.requests import (
    Chat,
    Encode,
    Known,
    Lost,
    NextTurn,
    Refused,
    Render,
)
from entropix_models.tokenizer.tokenizer import Tokenizer, no_unicode

MEMORY, MEMORY_PER_BYTE = 2**30, 1024
"""In bytes, for that process, and for each byte of a request on top: the tokenizer of a large model
takes a third of it, and a text half of that, were each byte a token."""

SECONDS, SECONDS_PER_BYTE = 5.0, 1e-5
"""Of processor time for a request, and for each byte of it: the files of a large model take one
second, and so does a text of a million bytes."""

LONGEST_OPENING, LONGEST_REPLY, LONGEST_PER_BYTE = 2**26, 2**20, 64
"""In bytes: all tokens of a vocabulary; ids of a text, and those of each byte that was asked of."""

IS_WATCHED = sys.platform == "darwin"
"""Whether the system holds no process to a limit of memory, so that this one looks itself."""

_WATCH_SECONDS = 0.1

# Nothing of the environment, the user's site or the current folder gets in, and the modules are
# those that this process has.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from entropix_models.tokenizer.child import main; main()"
)
_ROOT = str(Path(__file__).parents[2])


class BoundedTokenizer(Tokenizer):
    """As `Tokenizer`, for whatever is in the folder.

    What a folder asks for (a chain of replacements, a pattern, the program that a chat template is)
    may take any time and any memory, or break the library. Here that ends with a DamagedFileError,
    and the next call begins anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._place = folder, Path.cwd()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        opened = self._start()
        self._bytes = opened.tokens
        self._texts: dict[int, str] = {}
        self.vocab_size = len(opened.tokens)
        self.special_ids, self.stop_ids = opened.special_ids, opened.stop_ids
        self.bos_id, self.eos_id = opened.bos_id, opened.eos_id
        self.has_chat_template = opened.has_chat_template

    @classmethod
    def from_folder(cls, path: Path) -> "BoundedTokenizer":
        return cls(path)

    @cached_property
    def adds_bos(self) -> bool:
        return bool(self._known("adds_bos"))

    @cached_property
    def template_prints_date(self) -> bool:
        return bool(self._known("template_prints_date"))

    @cached_property
    def turn_end(self) -> int | None:
        return self._known("turn_end")

    def encode(self, text: str, *, special: bool = False, bos: bool = False) -> list[int]:
        return self._ids(Encode(text, special, bos))

    def lost(self, text: str) -> list[int]:
        return self._ids(Lost(text))

    def chat(
        self, messages: Sequence[Message], *, date: datetime.date, answer: bool = True
    ) -> list[int]:
        return self._ids(Chat(list(messages), date, answer))

    def rendered(self, messages: Sequence[Message], *, date: datetime.date) -> str:
        reply = self._ask(Render(list(messages), date))
        assert isinstance(reply, requests.Text)
        return reply.text

    def next_turn(
        self, messages: Sequence[Message], *, date: datetime.date, after: Sequence[int]
    ) -> list[int]:
        return self._ids(NextTurn(list(messages), date, list(after)))

    def _known(self, name: Any) -> int | None:
        reply = self._ask(Known(name))
        assert isinstance(reply, requests.Value)
        return reply.value

    def _ids(self, request: Encode | Lost | Chat | NextTurn) -> list[int]:
        reply = self._ask(request)
        assert isinstance(reply, requests.Ids)
        return reply.ids

    def _ask(self, request: requests.Request) -> requests.Reply:
        try:
            message = msgspec.msgpack.encode(request)
        except UnicodeEncodeError as error:
            raise no_unicode() from error
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._reply(message, LONGEST_REPLY + LONGEST_PER_BYTE * len(message))

    def _start(self) -> requests.Opened:
        limits = child.Limits(
            memory=0 if IS_WATCHED else MEMORY,
            memory_per_byte=MEMORY_PER_BYTE,
            seconds=SECONDS,
            seconds_per_byte=SECONDS_PER_BYTE,
        )
        arguments = [msgspec.json.encode(limits).decode(), str(self._folder)]
        modules = [*filter(os.path.isabs, sys.path), _ROOT]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, *arguments, *modules],
            cwd=self._place,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is not for it
        )
        weakref.finalize(self, _end, self._process)
        opened = self._reply(None, LONGEST_OPENING)
        assert isinstance(opened, requests.Opened)
        return opened

    def _reply(self, message: bytes | None, longest: int) -> requests.Reply:
        """What the process says, to a message if there is one; it is ended where it says nothing,
        or isn't listened to any longer (an interrupt)."""
        assert self._process is not None
        process = self._process
        reply: requests.Reply | None = None
        stdin, stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        try:
            if message is not None:
                with suppress(BrokenPipeError):  # no reply will come either
                    requests.write(stdin, message)
            while IS_WATCHED and not select.select([stdout], [], [], _WATCH_SECONDS)[0]:
                if _resident(process.pid) > MEMORY:
                    process.kill()
            reply = msgspec.msgpack.decode(requests.read(stdout, longest), type=requests.Reply)
        except EOFError as error:
            raise self._damaged(_reason(process.wait())) from error
        except OverflowError as error:
            raise self._damaged("makes too much of a text") from error
        finally:
            if reply is None:
                _end(process)
        if isinstance(reply, Refused):
            raise getattr(errors, reply.kind)(reply.message)
        return reply

    def _damaged(self, what: str) -> DamagedFileError:
        return DamagedFileError(
            f"the tokenizer or the chat template of {self._folder} {what}: fetch the model again, "
            "or use another"
        )


def _reason(status: int) -> str:
    """Why a process ended without a reply."""
    match -status:
        case signal.SIGPROF | signal.SIGALRM:
            return "does not come to an end"
        case signal.SIGABRT | signal.SIGKILL:
            return f"takes more than {MEMORY / 2**30:g} GiB of memory"
    return "breaks the library that reads it"


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(OSError):
            pipe.close()


def _resident(process: int) -> int:
    """Bytes of memory that a process has."""
    command = ["ps", "-o", "rss=", "-p", str(process)]
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return int(printed.strip() or 0) * 1024
