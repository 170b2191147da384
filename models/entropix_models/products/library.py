"""The library that the C files beside this one become.

It is compiled where the package is built (`hatch_build.py`) and named after its source, so that
what was compiled from another one is never used.
"""

import ctypes
import hashlib
import platform
import re
from pathlib import Path

FOLDER = Path(__file__).parent

_KERNELS = {"AVX-512": 2, "AVX2": 1, "plain": 0}
"""Names of the x86-64 kernels in `products.c:entropix_use`, the fastest first."""


def library_path() -> Path:
    """Where the library of this source lies, if it was compiled."""
    source = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.[ch]")))
    return FOLDER / f"products-{hashlib.sha256(source).hexdigest()[:16]}.so"


def load() -> ctypes.CDLL | None:
    """The library; None where it could not be compiled, or not for this machine."""
    try:
        return ctypes.CDLL(str(library_path()))
    except OSError:
        return None


def kernels() -> dict[str, int]:
    """Those that this processor has, by name, the fastest first."""
    if platform.machine() != "x86_64":
        return {"NEON": 0}
    found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = set(found[1].split()) if found else set()
    if not flags >= {"avx2", "fma"}:
        return {"plain": 0}
    return {
        name: number
        for name, number in _KERNELS.items()
        if name != "AVX-512" or flags >= {"avx512f", "avx512vl"}
    }
