"""What went wrong in the engine, in one line that says what to do."""

from entropix_models.errors import EntropixError


class CancelledError(Exception):
    """Raised inside a progress callback: the user has quit or pressed stop."""


_SIGNS = ("out of memory", "outofmemory", "insufficient memory", "unable to allocate", "malloc")
"""How MLX and its backends say it, in lower case; they raise RuntimeError or ValueError."""


def is_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on the host or on the GPU."""
    if isinstance(error, MemoryError):
        return True
    message = str(error).lower()
    return not isinstance(error, EntropixError) and any(sign in message for sign in _SIGNS)


def one_line(error: BaseException) -> str:
    """What to tell the user."""
    if isinstance(error, EntropixError | CancelledError):
        return str(error)
    message = " ".join(str(error).split())
    named = f"{type(error).__name__}{': ' + message if message else ''}"
    if is_memory(error):
        return (
            "out of memory: what was said is kept; begin a new, shorter conversation (Ctrl+N) or "
            f"choose a smaller model ({named})"
        )
    return f"the engine failed: {named}"
