"""Running a helper process that must not outlive the work it is for."""

import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0


def run_child(
    command: Sequence[str],
    env: Mapping[str, str],
    tick: Callable[[list[str]], None],
) -> tuple[int, str]:
    """Run a command; return its exit status and what it wrote to standard error.

    `tick` is called some ten times a second, in the calling thread, with the lines that the
    command printed since. When it raises, or on an interrupt, the command is ended first. The
    command has no input and no terminal: it never prints on ours and gets no Ctrl-C of its own.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            running = True
            while running:
                batch, running = _collect(lines)
                tick(batch)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            reader.join()
            process.stdout.close()
        errors.seek(0)
        return status, errors.read().decode("utf-8", errors="replace")


def _read(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _collect(lines: "queue.SimpleQueue[str | None]") -> tuple[list[str], bool]:
    """What was printed within one poll; False when the command closed its output."""
    batch: list[str] = []
    until = time.monotonic() + _POLL_SECONDS
    with suppress(queue.Empty):
        while (left := until - time.monotonic()) > 0:
            line = lines.get(timeout=left)
            if line is None:
                return batch, False
            batch.append(line)
    return batch, True


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
