"""Progress of downloads and other long work, on standard error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from entropix_mlx.cli.say import tell
from entropix_mlx.terminal.visible import escaped
from entropix_models.progress import BYTES, Progress

_PATIENCE = 0.3
"""Seconds: what is done sooner needs no bar."""


def _size(done: int, total: int | None, unit: str) -> str:
    """`1.2 MB of 98 MB`; nothing of what is not counted in bytes, or not yet."""
    if unit != BYTES or not (done or total):
        return ""
    from rich.filesize import decimal

    return decimal(done) if total is None else f"{decimal(done)} of {decimal(total)}"


@contextmanager
def stderr_progress() -> Iterator[Progress]:
    """Give a progress callback: a bar if standard error is a terminal, else a line per stage.

    A bar goes away when its stage is complete, so that the terminal is free for output.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        told: str | None = None

        def say_once(text: str, _done: int, _total: int | None, unit: str = BYTES) -> None:
            nonlocal told
            del unit  # figures are for those who watch
            if text != told:
                told = text
                tell(text)

        yield say_once
        return
    from rich import progress as rich
    from rich.console import Console

    bars = rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        *rich.Progress.get_default_columns()[1:],
        rich.TextColumn("{task.fields[size]}"),
        console=Console(stderr=True),
        transient=True,
    )
    stage = bars.add_task("", total=None, size="")
    current: str | None = None
    began = 0.0

    def show(text: str, done: int, total: int | None, unit: str = BYTES) -> None:
        nonlocal current, began
        if text != current:
            current, began = text, time.monotonic()
            bars.reset(stage, description=escaped(text), total=total)
        bars.update(stage, completed=done, total=total, size=_size(done, total, unit))
        if total is not None and done >= total:
            bars.stop()
        elif total is None or time.monotonic() - began > _PATIENCE:
            bars.start()

    try:
        yield show
    finally:
        bars.stop()
