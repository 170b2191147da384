"""The project's exceptions, and how their messages tell of something.

Every message is one line that names the thing, what is wrong with it and what to do.
"""


def one_line(value: object, limit: int = 200) -> str:
    """Something as a part of a message: its text, on one line, and not all of it if it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class EntropixError(Exception):
    """Base of every error that this project raises on purpose."""

    exit_status = 1
    """Of a command that ends with it."""


class UsageError(EntropixError, ValueError):
    """A flag, preset, setting or value that makes no sense."""

    exit_status = 2


class ModelNotFoundError(EntropixError):
    """No model goes by the name that was given."""


class DownloadError(EntropixError):
    """A source could not be reached, refused the request, or sent something else."""


class DamagedFileError(EntropixError):
    """A file is truncated, inconsistent or hostile."""


class UnsupportedError(EntropixError):
    """A well-formed thing (tensor type, tokenizer, architecture) that is not handled."""


class BackendError(EntropixError):
    """MLX, or its backend for this platform, is missing or does not work."""


class ContextLengthError(EntropixError):
    """The prompt does not fit the model's context."""


class TraceError(EntropixError):
    """A trace cannot be written or read."""
