"""The limit of open files, which mlx-lm sets while it is imported."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit_kept_if_fixed() -> Iterator[None]:
    """Import mlx-lm in here: where it may not raise the limit, it goes on with what there is.

    It asks for a hard limit of 4,096, and does not expect to be refused.
    """
    original = resource.setrlimit

    def setrlimit(kind: int, limits: tuple[int, int], /) -> None:
        try:
            original(kind, limits)
        except ValueError:
            if kind != resource.RLIMIT_NOFILE or limits[1] <= resource.getrlimit(kind)[1]:
                raise

    resource.setrlimit = setrlimit
    try:
        yield
    finally:
        resource.setrlimit = original
