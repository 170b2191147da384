"""The program in a pseudo-terminal."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pexpect

MAIN = [sys.executable, "-c", "from entropix_tui.cli.main import main; main()"]


def terminal(*args: str, timeout: float = 60, **env: str) -> Any:
    """The command in a pseudo-terminal of 24 rows and 80 columns."""
    return pexpect.spawn(
        MAIN[0],
        [*MAIN[1:], *args],
        env={**os.environ, "TERM": "xterm-256color", **env},
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=timeout,
    )


def ended(child: Any) -> tuple[int, str]:
    """Exit status and everything that was written."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before


def left_alone(command: list[str], when: bytes) -> int:
    """The exit status of a program whose terminal is gone once this was shown.

    The terminal does not control it, so no signal comes.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        command,
        env={**os.environ, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = b""
        while when not in shown:
            shown += os.read(ours, 1 << 16)
        os.close(ours)
        return process.wait(timeout=60)
    finally:
        process.kill()


def wait_for(child: Any, trace: Path, type: str, times: int = 1) -> None:
    """Read the screen until so many records of a type are in the trace."""
    for _ in range(1500):
        # A prompt's line has tokens, too.
        lines = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
        if sum(line.startswith(f'{{"type":"{type}"') for line in lines) >= times:
            return
        child.expect(pexpect.TIMEOUT, timeout=0.2)
    raise AssertionError(f"record {times} of type {type} never came")
