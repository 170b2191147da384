"""How fast this machine's memory is read: the roof of decoding on a CPU."""

import ctypes
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from entropix_models import large_pages


class Reader:
    """Reads every byte, by some threads: the C library's search for a byte that isn't there."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.threads)
        self._libc = ctypes.CDLL(None)

    def read(self, array: npt.NDArray[np.float32]) -> None:
        part = array.nbytes // self.threads
        places = [array.ctypes.data + n * part for n in range(self.threads)]
        list(self._pool.map(lambda place: self._search(place, part), places))

    def _search(self, place: int, length: int) -> None:
        self._libc.memchr(ctypes.c_void_p(place), 7, ctypes.c_size_t(length))

    def rate(self, count: int, rounds: int = 3) -> float:
        """Times a second that so many bytes are read, at best of some rounds."""
        array = np.ones(count // 4, np.float32)
        mover = large_pages.move([memoryview(array)])
        if mover is not None:
            mover.join()
        best = 0.0
        for _ in range(rounds):
            began = time.perf_counter()
            self.read(array)
            best = max(best, 1 / (time.perf_counter() - began))
        return best
