"""OpenBLAS, and products of our own, under MLX's Linux CPU backend.

The Linux wheel of MLX is linked with the reference BLAS, under which a prompt is read many times
slower than with OpenBLAS (`benchmarks/runtime.py`). The wheel `scipy-openblas32` carries one
that picks kernels by the processor it meets, but under prefixed names (`scipy_cblas_sgemm`),
which the dynamic linker cannot substitute. So the three products that `libmlx.so` imports are
redirected where the linker itself keeps their addresses: in the library's global offset table.
In front of its `sgemm` stands ours (`products.c`), which has the threads, if it was compiled.

Layouts follow the System V ABI (ELF-64, little-endian) for x86-64 and AArch64.
"""

import ctypes
import mmap
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from entropix_models.products import library

_PRODUCTS = (b"cblas_sgemm", b"cblas_dgemm", b"cblas_cgemm")

_PT_DYNAMIC = 2
_DT_PLTRELSZ, _DT_STRTAB, _DT_SYMTAB, _DT_RELA, _DT_RELASZ, _DT_JMPREL = 2, 5, 6, 7, 8, 23
_GLOB_DAT_OR_JUMP_SLOT = {6, 7, 1025, 1026}  # x86-64, AArch64

_redirected: str | None = None
_openblas: ctypes.CDLL | None = None


def description() -> str:
    """Which BLAS the CPU backend uses, for people."""
    if sys.platform == "darwin":
        return "Accelerate"
    return _redirected or "reference BLAS of the MLX wheel (slow)"


def use_openblas() -> bool:
    """Redirect MLX's matrix products; True if they are (now or already).

    Does nothing, and says False, where MLX is not the Linux CPU build or the extra `cpu` is not
    installed. May be called before or after MLX has computed something.
    """
    global _redirected, _openblas
    if _redirected:
        return True
    if not sys.platform.startswith("linux"):
        return False
    try:
        import mlx.core  # noqa: F401  (loads libmlx.so)
        from scipy_openblas32 import get_lib_dir
    except ImportError:
        return False
    wheel = Path(get_lib_dir()) / "libscipy_openblas.so"
    base = _load_address("libmlx.so")
    if base is None or not wheel.exists():
        return False
    openblas = ctypes.CDLL(str(wheel))
    imports = list(_imports(base))
    if not any(name in _PRODUCTS for name, _ in imports):
        return False
    targets = {name: getattr(openblas, f"scipy_{name.decode()}") for name in _PRODUCTS}
    threads = openblas.scipy_openblas_get_num_threads()  # by cores and OPENBLAS_NUM_THREADS
    own, few = library.load(), "no kernel for few rows: it was not compiled"
    if own is not None:
        kernel, number = next(iter(library.kernels().items()))
        few = f"up to 64 rows of input by {kernel}"
        own.entropix_use(openblas.scipy_cblas_sgemm, threads, number)
        openblas.scipy_openblas_set_num_threads(1)
        targets[b"cblas_sgemm"] = own.entropix_sgemm
    for name, slot in imports:
        if name not in targets:
            continue
        _make_writable(slot)
        ctypes.c_void_p.from_address(slot).value = ctypes.cast(targets[name], ctypes.c_void_p).value
    openblas.scipy_openblas_get_config.restype = ctypes.c_char_p
    words = openblas.scipy_openblas_get_config().decode().split()
    openblas.scipy_openblas_get_corename.restype = ctypes.c_char_p
    core = openblas.scipy_openblas_get_corename().decode()
    _redirected = f"{' '.join(words[:2])} ({core}, {threads} threads), {few}"
    _openblas = openblas
    return True


def _load_address(library: str) -> int | None:
    """Where the dynamic linker put a library of this process."""
    starts = [
        int(line.split("-", 1)[0], 16)
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith("/" + library)
    ]
    return min(starts, default=None)


def _imports(base: int) -> Iterator[tuple[bytes, int]]:
    """`(symbol name, address of its slot)` for each function that the library imports."""

    def read(layout: str, address: int) -> tuple[int, ...]:
        return struct.unpack(layout, ctypes.string_at(address, struct.calcsize(layout)))

    (header_offset,) = read("<Q", base + 32)
    size, count = read("<HH", base + 54)
    tags: dict[int, int] = {}
    for i in range(count):
        kind, _, _, address, _, _, length, _ = read("<IIQQQQQQ", base + header_offset + i * size)
        if kind == _PT_DYNAMIC:
            for tag, value in struct.iter_unpack("<qQ", ctypes.string_at(base + address, length)):
                tags.setdefault(tag, value)

    def pointer(tag: int) -> int:
        # glibc rewrites these to absolute addresses, musl leaves them relative.
        value = tags[tag]
        return value if value >= base else base + value

    for table, length in ((_DT_JMPREL, _DT_PLTRELSZ), (_DT_RELA, _DT_RELASZ)):
        if table not in tags:
            continue
        entries = ctypes.string_at(pointer(table), tags[length])
        for offset, info, _ in struct.iter_unpack("<QQq", entries):
            symbol, kind = info >> 32, info & 0xFFFFFFFF
            if symbol and kind in _GLOB_DAT_OR_JUMP_SLOT:
                (name,) = read("<I", pointer(_DT_SYMTAB) + 24 * symbol)
                yield ctypes.string_at(pointer(_DT_STRTAB) + name), base + offset


def _make_writable(address: int) -> None:
    """The page of a slot is read-only where the library was linked with `-z now`."""
    page = address - address % mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    size, protection = ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE
    if libc.mprotect(ctypes.c_void_p(page), size, protection) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
