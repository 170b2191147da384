"""A program in a pseudo-terminal whose output is read and thrown away, or searched."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

ROWS, COLUMNS = 40, 120


class Terminal:
    """Starts the program; `output` is what it wrote and nobody has taken yet."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        plain = {name: value for name, value in environ.items() if name != "NO_COLOR"}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=plain | settings,
            start_new_session=True,
        )
        os.close(theirs)
        self.file = ours
        self.output = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.file)

    def press(self, keys: str) -> float:
        """Write keys as a terminal would; when that was done, by `time.perf_counter`."""
        written = time.perf_counter()
        os.write(self.file, keys.encode())
        return written

    def read(self, until: float) -> bool:
        """Take in what is written before `until`, at least once; False if nothing came."""
        wait = max(0.0, until - time.perf_counter())
        if not select.select([self.file], [], [], wait)[0]:
            return False
        try:
            self.output += os.read(self.file, 1 << 16)
        except OSError as error:  # the program has ended
            raise SystemExit(f"the program ended: {_words(self.output)[-300:]!r}") from error
        return True

    def wait_for(self, pattern: bytes, patience: float = 120) -> tuple[float, "re.Match[bytes]"]:
        """When a pattern was first in the output, and where; all before its end is dropped."""
        found: list[re.Match[bytes]] = []

        def seen() -> bool:
            found[:] = filter(None, [re.search(pattern, self.output)])
            return bool(found)

        when = self.wait(seen, patience, pattern.decode(errors="replace"))
        self.output = self.output[found[0].end() :]
        return when, found[0]

    def wait(self, condition: Callable[[], object], patience: float, what: str) -> float:
        """Read on until a condition holds; when that was. Raises SystemExit out of patience."""
        end = time.perf_counter() + patience
        while not condition():
            if time.perf_counter() > end:
                raise SystemExit(f"never came: {what}; {_words(self.output)[-300:]!r}")
            self.read(min(end, time.perf_counter() + 0.05))
        return time.perf_counter()

    def rest(self, seconds: float) -> None:
        """Let the program run, and throw away what it writes."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.read(end)
            self.output = b""


def _words(output: bytes) -> str:
    return re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", output).decode(errors="replace")
