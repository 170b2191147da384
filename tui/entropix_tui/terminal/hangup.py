"""The end of a terminal that sends no signal at its end."""

import select
import sys
import threading
from collections.abc import Callable


def watch(leave: Callable[[], object]) -> None:
    """Call `leave`, in a thread of its own, once the terminal is gone.

    A terminal that controls the process ends it by a signal. One that doesn't (in a container,
    under a supervisor) only comes to an end, which Textual's input would read again and again.
    """

    def wait() -> None:
        end = select.poll()
        end.register(sys.stdin, 0)
        if any(event & select.POLLHUP for _, event in end.poll()):
            leave()

    threading.Thread(target=wait, name="terminal", daemon=True).start()
