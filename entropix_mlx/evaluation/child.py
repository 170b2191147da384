"""Python that a model wrote, called in a process of its own that can do little harm.

Bounded are its seconds of CPU and of waiting, its memory (on macOS by looking ten times a second),
the length of each file it writes, and what it says. It has no environment, no input, its own empty
folder and its own session, which is ended as a whole. Python refuses it processes, sockets,
signals, and files outside its folder but for Python's own library: a guard against accidents, not
against somebody who knows how to get around Python. Not bounded: the network and other people's
files, for whoever does; how many small files it writes, but by its time; processes, if it is run
by root and gets around Python.

What is right never enters that process, so nothing that it says can be right but by being it.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_GUEST = Path(__file__).with_name("guest.py")
_LOOK_SECONDS = 0.1
_MOST_SAID = 1 << 20


class Limits(NamedTuple):
    """Of a process: seconds, bytes."""

    cpu_seconds: int = 2
    wall_seconds: float = 10.0
    memory: int = 512 << 20
    file: int = 1 << 20


USUAL = Limits()


class Returned(NamedTuple):
    """A call came back with a plain value: what JSON has."""

    value: Any


class Failed(NamedTuple):
    """It did not, and why, in a few words."""

    why: str


def called(
    code: str, name: str, calls: Sequence[Sequence[Any]], limits: Limits = USUAL
) -> list[Returned | Failed]:
    """What the function that the code defines comes back with, for the arguments of each call.

    Arguments are plain values. Never raises for what the code does.
    """
    request = {
        "code": code,
        "name": name,
        "calls": [list(arguments) for arguments in calls],
        "limits": {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": limits.cpu_seconds,
            "RLIMIT_AS": limits.memory,
            "RLIMIT_FSIZE": limits.file,
            "RLIMIT_NOFILE": 32,
            "RLIMIT_NPROC": 0,
        },
    }
    with (
        tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as asked,
    ):
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        said, ended = _run(folder, asked.fileno(), limits)
    results: list[Returned | Failed] = []
    for line in said.split(b"\n")[:-1]:
        match _message(line):
            case {"value": value}:
                results.append(Returned(value))
            case {"error": str(why)}:
                results.append(Failed(why))
            case {"ended": str(why)}:
                ended = why
            case _:
                return [Failed("said what is no result")] * len(calls)
    if len(results) > len(calls):
        return [Failed("said more than was asked")] * len(calls)
    return results + [Failed(ended)] * (len(calls) - len(results))


def _message(line: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    return None


def _run(folder: str, asked: int, limits: Limits) -> tuple[bytes, str]:
    """What the guest said on its channel, and why it said no more."""
    heard, channel = os.pipe()
    with open(heard, "rb", buffering=0) as heard_file:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", str(_GUEST), str(channel)],
                cwd=folder,
                env={},
                stdin=asked,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(channel,),
                start_new_session=True,
            )
        finally:
            os.close(channel)
        try:
            said, why = _listened(heard_file.fileno(), process, limits)
        finally:
            with suppress(ProcessLookupError, PermissionError):  # there is nobody left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if why is None:
        stopped = process.returncode == -signal.SIGXCPU
        why = f"used more than {limits.cpu_seconds} s of CPU" if stopped else "ended too early"
    return said, why


def _listened(
    heard: int, process: subprocess.Popen[bytes], limits: Limits
) -> tuple[bytes, str | None]:
    """Until it ends, or has to: then also why."""
    said = b""
    until = time.monotonic() + limits.wall_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(heard, selectors.EVENT_READ)
        while True:
            if selector.select(_LOOK_SECONDS):
                piece = os.read(heard, 1 << 16)
                if not piece:
                    with suppress(subprocess.TimeoutExpired):  # else it has closed its channel
                        process.wait(_LOOK_SECONDS)
                    return said, None
                said += piece
                if len(said) > _MOST_SAID:
                    return b"", "said too much"
            elif process.poll() is not None:  # and left somebody who holds the channel
                return said, None
            elif sys.platform == "darwin" and _resident(process.pid) > limits.memory:
                return said, "used too much memory"
            if time.monotonic() > until:
                return said, f"took more than {limits.wall_seconds:g} s"


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds, 0 if it is gone. macOS bounds none."""
    told = subprocess.run(
        ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False
    ).stdout.strip()
    return int(told) * 1024 if told.isdigit() else 0
