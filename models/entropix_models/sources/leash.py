"""A program that ends with whoever started it: `python leash.py MODULE [ARGUMENT...]`.

Standard input is the leash: a pipe into which nobody writes. Its other end closes with the process
that holds it, however that ends; then the module is terminated, and what it has started with it.
It must lead a process group of its own.
"""

import os
import runpy
import signal
import sys
import threading
import time

_GRACE_SECONDS = 3.0


def main() -> None:
    leash = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(leash: int) -> None:
    while os.read(leash, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
