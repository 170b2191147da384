"""Memory in large pages (2 MB on most machines) in the place of thousands of small ones.

A pass on the CPU reads all weights, and finding where each small page lies can take as long as
reading it. Linux has large pages for those who ask, unless it is set to `never`.
"""

import ctypes
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_COLLAPSE = 25
"""Advice to madvise, since Linux 6.1: move what is there, at once."""

_GAP = 1 << 16
"""Bytes between blocks that lie beside each other in a heap, at most."""

_AT_ONCE = 64 << 20
"""Bytes that a process which ends may have to wait for."""

_SIZE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")


def move(blocks: Iterable[memoryview]) -> threading.Thread | None:
    """Have the memory of blocks moved into large pages beside whatever else is done.

    Contents and addresses stay, and nothing has to wait for it: it is all copying, so a model can
    be used meanwhile. Small blocks share pages with those beside them: pass all of them at once.
    """
    size = _page_size()
    if not size:
        return None
    ranges = _joined(blocks)
    mover = threading.Thread(target=_move, args=(ranges, size), name="large pages", daemon=True)
    mover.start()
    return mover


def _move(ranges: list[tuple[int, int]], size: int) -> None:
    """What was freed meanwhile, or is refused, is left as it is."""
    libc = ctypes.CDLL(None)
    for begin, end in ranges:
        last = end // size * size
        for first in range(-(-begin // size) * size, last, _AT_ONCE):
            length = min(_AT_ONCE, last - first)
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(length), _COLLAPSE)


def _joined(blocks: Iterable[memoryview]) -> list[tuple[int, int]]:
    """Where blocks begin and end, those beside each other as one."""
    joined: list[tuple[int, int]] = []
    for begin, length in sorted((np.asarray(b).ctypes.data, b.nbytes) for b in blocks):
        if joined and begin - joined[-1][1] <= _GAP:
            joined[-1] = (joined[-1][0], begin + length)
        else:
            joined.append((begin, begin + length))
    return joined


def _page_size() -> int:
    """Bytes of a large page; 0 where there are none."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return int(_SIZE.read_text())
    except (OSError, ValueError):
        return 0
