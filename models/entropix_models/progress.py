"""How long work says how far it is."""

from typing import Protocol

BYTES = "bytes"


class Progress(Protocol):
    """Called from the thread that asked for the work. It may raise, to cancel: the work then leaves
    nothing half-made and lets the exception through.
    """

    def __call__(self, stage: str, done: int, total: int | None, /, unit: str = BYTES) -> object:
        """`done` of `total`, counted in `unit`; total is None while it isn't known."""


def quiet(_stage: str, _done: int, _total: int | None, unit: str = BYTES) -> None:
    """The progress of those who don't care."""
    del unit
