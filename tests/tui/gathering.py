"""An engine without a screen: its outputs, gathered until a condition holds."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from entropix_models.devices import release_thread
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Output
from entropix_tui.engine.protocol import MakeSession

PATIENCE = 120
_PAUSE = threading.Event()


class Collected:
    """An engine whose outputs a test gathers until a condition holds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.outputs: list[Output] = []

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never held; got {self.outputs}"
            found = self.engine.drain()
            self.outputs += found
            if not found:
                _PAUSE.wait(0.002)  # a loop without a pause would keep the engine from running

    def until_waiting(self, count: int) -> None:
        """Until so many outputs wait, which nobody drains."""
        deadline = time.monotonic() + 20
        while self.engine._mail.waiting < count:
            assert time.monotonic() < deadline, f"only {self.engine._mail.waiting} wait"
            _PAUSE.wait(0.002)

    def of(self, kind: type) -> list[Output]:
        return [output for output in self.outputs if isinstance(output, kind)]

    def until_count(self, kind: type, count: int = 1) -> None:
        self.until(lambda: len(self.of(kind)) >= count)


@contextmanager
def running(make: MakeSession, **options: Any) -> Iterator[Collected]:
    """A started engine, which has to end with the test."""
    released = threading.Event()

    def release() -> None:
        release_thread()
        released.set()

    engine = Engine(make, release=release, **options)
    engine.start()
    try:
        yield Collected(engine)
    finally:
        assert engine.quit(60)
        assert released.is_set(), "the thread's last act is to release"
