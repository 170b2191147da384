"""The process that has the tokenizer of a folder by strangers, with limits: see `BoundedTokenizer`.

It reads requests from standard input until that ends, which it does with whoever asks, and is ended
by its own timer where a request takes too long: it never outlives its parent by more than that.
"""

import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from entropix_models.errors import DamagedFileError, UnsupportedError, UsageError, one_line
from entropix_models.tokenizer import requests
from entropix_models.tokenizer.requests import (
    Chat,
    Encode,
    Ids,
    Known,
    Lost,
    NextTurn,
    Opened,
    Refused,
    Render,
    Reply,
    Request,
    Text,
    Value,
)
from entropix_models.tokenizer.tokenizer import Tokenizer


class Limits(msgspec.Struct):
    """For one request, and for each byte of it on top.

    memory: in bytes, 0 where there is none. seconds: of processor time.
    """

    memory: int
    memory_per_byte: int
    seconds: float
    seconds_per_byte: float

    def set(self, length: int) -> None:
        """From now on, for a request of `length` bytes: at them the system ends this process,
        whatever it is in. No file is written, and no core. Where nothing is computed (the library
        waits for itself), twice the time is enough."""
        limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)]
        if self.memory:
            limits.append((resource.RLIMIT_AS, self.memory + self.memory_per_byte * length))
        for limit, value in limits:
            with suppress(ValueError, OSError):  # where the system knows none, or has a lower one
                resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
        seconds = self.seconds + self.seconds_per_byte * length
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)


def main() -> None:
    """Serve the tokenizer of the folder that the second argument names, with the limits that the
    first one is, in JSON."""
    limits, folder = msgspec.json.decode(sys.argv[1], type=Limits), Path(sys.argv[2])
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    limits.set(0)
    tokenizer = None
    try:
        tokenizer = Tokenizer.from_folder(folder)
        first: Reply = Opened(
            tokens=[tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)],
            special_ids=tokenizer.special_ids,
            stop_ids=tokenizer.stop_ids,
            bos_id=tokenizer.bos_id,
            eos_id=tokenizer.eos_id,
            has_chat_template=tokenizer.has_chat_template,
        )
    except BaseException as error:
        first = _refusal(error, folder)
    _say(first)
    decoder = msgspec.msgpack.Decoder(Request)
    while tokenizer is not None:
        try:
            message = requests.read(sys.stdin.buffer)
        except EOFError:
            break
        limits.set(len(message))
        try:
            reply = _answer(tokenizer, decoder.decode(message))
        except BaseException as error:
            reply = _refusal(error, folder)
        _say(reply)


def _say(reply: Reply) -> None:
    encoded = msgspec.msgpack.encode(reply)
    signal.setitimer(signal.ITIMER_REAL, 0)  # until the next request there is all the time
    requests.write(sys.stdout.buffer, encoded)


def _answer(tokenizer: Tokenizer, request: Request) -> Reply:
    match request:
        case Encode(text, special, bos):
            return Ids(tokenizer.encode(text, special=special, bos=bos))
        case Lost(text):
            return Ids(tokenizer.lost(text))
        case Chat(messages, date, answer):
            return Ids(tokenizer.chat(messages, date=date, answer=answer))
        case Render(messages, date):
            return Text(tokenizer.rendered(messages, date=date))
        case NextTurn(messages, date, after):
            return Ids(tokenizer.next_turn(messages, date=date, after=after))
        case Known(name):
            return Value(getattr(tokenizer, name))


def _refusal(error: BaseException, folder: Path) -> Refused:
    match error:
        case UsageError():
            return Refused("UsageError", str(error))
        case UnsupportedError():
            return Refused("UnsupportedError", str(error))
        case DamagedFileError():
            return Refused("DamagedFileError", str(error))
        case MemoryError():
            what = "takes more memory than any has to"
        case _:
            what = f"fails: {type(error).__name__}: {one_line(error)}"
    return Refused("DamagedFileError", f"the tokenizer of {folder} {what}; fetch the model again")
