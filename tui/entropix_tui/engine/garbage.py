"""The garbage collector, kept off a hundred thousand records."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many objects that stay, and hold no cycles, in half the time.

    Afterwards the collector leaves all that there is alone: a walk over a long conversation would
    hold up a key for a tenth of a second. What was there is still freed when its last name goes.
    """
    gc.unfreeze()  # what was left alone before may have gone
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
