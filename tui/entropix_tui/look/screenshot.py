"""What is seen, as a file: the screen as SVG, and names for files in general."""

import datetime
import re
from pathlib import Path

from textual.app import App


def svg(app: App[object]) -> str:
    """The screen as it is now. Names no font on the network, and is the same on every machine."""
    drawing = app.export_screenshot()
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    drawing = drawing.replace("Fira Code", "monospace")
    return re.sub(r"terminal-\d+", "terminal", drawing)


def default_name(kind: str, suffix: str, now: datetime.datetime, folder: Path) -> Path:
    """A name in `folder` that is not taken: `entropix-chat-2026-01-31-1200.md`."""
    stem = f"entropix-{kind}-{now:%Y-%m-%d-%H%M}"
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path
