"""Running a helper process that must not outlive the work it is for."""

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0


def run_child(
    command: Sequence[str],
    env: Mapping[str, str],
    tick: Callable[[list[str]], None],
) -> tuple[int, str]:
    """Run a command; return its exit status and what it wrote to standard error.

    `tick` is called ten times a second at least, with the lines that the command printed since.
    When it raises, or on an interrupt, the command is ended first. The command has no input and no
    terminal: it never prints on ours and gets no Ctrl-C of its own.
    """
    with tempfile.TemporaryFile() as errors, selectors.DefaultSelector() as printed:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            printed.register(process.stdout, selectors.EVENT_READ)
            running, torn = True, b""
            while running:
                lines: list[bytes] = []
                if printed.select(_POLL_SECONDS):
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    running = bool(data)  # until the command closes its output
                    *lines, torn = (torn + data).split(b"\n")
                tick([line.decode("utf-8", "replace") for line in lines])
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            process.stdout.close()
        errors.seek(0)
        return status, errors.read().decode("utf-8", errors="replace")


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
