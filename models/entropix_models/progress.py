"""How long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""`(stage, done, total)`, in bytes; total is None while it isn't known.

Called from the thread that asked for the work. It may raise, to cancel: the work then leaves
nothing half-made and lets the exception through.
"""


def quiet(_stage: str, _done: int, _total: int | None) -> None:
    """The progress of those who don't care."""
