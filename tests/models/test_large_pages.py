"""Memory moved into large pages: the same contents, in pages that the system says are large."""

import mmap
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from entropix_models import large_pages

SIZE = 2 << 20


def _large(address: int) -> int:
    """kB in large pages of the mapping at an address."""
    for found in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", found)
        if bounds and int(bounds[1], 16) <= address < int(bounds[2], 16):
            kilobytes = re.search(r"AnonHugePages:\s+(\d+)", found)
            return int(kilobytes[1]) if kilobytes else 0
    return 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux is asked")
def test_contents_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = mmap.mmap(-1, 8 * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    numbers = np.frombuffer(memory, np.float32)
    expected = np.random.default_rng(1).standard_normal(numbers.size, dtype=np.float32)
    numbers[:] = expected
    memory.madvise(14)  # MADV_HUGEPAGE: allowed again, for what comes
    parts = [memoryview(part) for part in np.array_split(numbers, 7)]
    mover = large_pages.move(parts)
    if mover is None:
        pytest.skip("this system has no large pages")
    mover.join()
    np.testing.assert_array_equal(numbers, expected)
    release = tuple(int(part) for part in re.findall(r"\d+", _release())[:2])
    if release >= (6, 1):
        assert _large(numbers.ctypes.data + 2 * SIZE) >= 6 * SIZE // 1024
    monkeypatch.setattr(large_pages, "_page_size", lambda: 0)
    assert large_pages.move(parts) is None


def _release() -> str:
    return Path("/proc/sys/kernel/osrelease").read_text()


def test_blocks_beside_each_other_are_one() -> None:
    numbers = np.zeros(100_000, np.float32)
    first, second, third = numbers[:100], numbers[110:200], numbers[90_000:]
    begin = numbers.ctypes.data
    assert large_pages._joined([memoryview(p) for p in (third, second, first)]) == [
        (begin, begin + 800),
        (begin + 360_000, begin + 400_000),
    ]
