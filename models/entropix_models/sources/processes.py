"""Running a helper process that must not outlive the work it is for."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
_LARGEST_COMPLAINT = 1 << 16


def run_child(
    module: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    tick: Callable[[list[str]], None],
) -> tuple[int, str]:
    """Run a Python module; return its exit status and the end of what it wrote to standard error.

    `tick` is called ten times a second at least, with the lines that the module printed since.
    When it raises, or on an interrupt, the module is ended first; and it ends by itself when this
    process does, even if that is killed. It has no input and no terminal: it never prints on ours
    and gets no Ctrl-C of its own.
    """
    # Safe path: neither this folder's modules nor those of the current one must shadow anybody's.
    leash = Path(__file__).with_name("leash.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(leash), module, *arguments],
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaint = torn = b""
    with process.stdin, process.stdout, process.stderr, selectors.DefaultSelector() as open_pipes:
        try:
            open_pipes.register(process.stdout, selectors.EVENT_READ)
            open_pipes.register(process.stderr, selectors.EVENT_READ)
            while open_pipes.get_map():
                lines: list[bytes] = []
                for key, _ in open_pipes.select(_POLL_SECONDS):
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        open_pipes.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        *whole, torn = (torn + data).split(b"\n")
                        lines += whole
                    else:
                        complaint = (complaint + data)[-_LARGEST_COMPLAINT:]
                tick([line.decode("utf-8", "replace") for line in lines])
            return process.wait(), complaint.decode("utf-8", "replace")
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
