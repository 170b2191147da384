"""Progress of downloads and other long work, on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from entropix_models.progress import Progress


@contextmanager
def stderr_progress() -> Iterator[Progress]:
    """Give a progress callback: a bar if standard error is a terminal, else a line per stage."""
    if not sys.stderr.isatty():
        yield _LinePerStage()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        stage = bars.add_task("", visible=False, total=None)
        current: str | None = None

        def show(text: str, done: int, total: int | None) -> None:
            nonlocal current
            if text != current:
                current = text
                bars.reset(stage, description=text, total=total, visible=True)
            bars.update(stage, completed=done, total=total)

        yield show


class _LinePerStage:
    def __init__(self) -> None:
        self._stage: str | None = None

    def __call__(self, stage: str, _done: int, _total: int | None) -> None:
        if stage != self._stage:
            self._stage = stage
            print(stage, file=sys.stderr, flush=True)
