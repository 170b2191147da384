"""What is exported, as files."""

import contextlib
import os
import secrets
from pathlib import Path


def write(path: Path, data: str) -> None:
    """Write a text file whole or not at all; what is no regular file is written to as it is.

    Half of a surrogate pair, which is no Unicode, becomes its escape. Raises OSError.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(data)
        return
    beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(data)
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        os.replace(beside, path.resolve())
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
