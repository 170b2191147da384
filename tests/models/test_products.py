"""The CPU's own matrix products: right, the same bits however they are cut, an end without ado."""

import ctypes
import itertools
import mmap
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from entropix_models.products import library

openblas = pytest.importorskip("scipy_openblas32", reason="the extra cpu of Linux brings it")

Matrix = npt.NDArray[np.float32]
Sgemm = Callable[..., Matrix]

ROW_MAJOR, COLUMN_MAJOR, PLAIN, TRANSPOSED = 101, 102, 111, 112
KERNELS = sorted(library.kernels())
LARGE = (1200, 576)
"""Rows of weights and columns: several chunks."""


def test_the_library_is_of_this_source() -> None:
    assert library.load() is not None, "compile it: python hatch_build.py"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, int], Sgemm]:
    """`(kernel, threads) -> product`, each a library of its own, with its own threads."""
    numbers = itertools.count()

    def made(kernel: str, threads: int) -> Sgemm:
        copy = tmp_path / f"{next(numbers)}.so"
        shutil.copy(library.library_path(), copy)
        own = ctypes.CDLL(str(copy))
        other = ctypes.CDLL(f"{openblas.get_lib_dir()}/libscipy_openblas.so")
        own.entropix_use(other.scipy_cblas_sgemm, threads, library.kernels()[kernel])

        def sgemm(
            a: Matrix,
            b: Matrix,
            *,
            into: Matrix | None = None,
            alpha: float = 1,
            beta: float = 0,
            transpose_a: bool = False,
            transpose_b: bool = True,
        ) -> Matrix:
            """`a b^T`, each as it lies in memory, with its leading dimension."""
            m, k = a.shape[::-1] if transpose_a else a.shape
            n = b.shape[0] if transpose_b else b.shape[1]
            c = np.full((m, n), np.nan, np.float32) if into is None else into
            own.entropix_sgemm(
                ROW_MAJOR,
                TRANSPOSED if transpose_a else PLAIN,
                TRANSPOSED if transpose_b else PLAIN,
                *(m, n, k),
                ctypes.c_float(alpha),
                *(ctypes.c_void_p(a.ctypes.data), a.strides[0] // 4),
                *(ctypes.c_void_p(b.ctypes.data), b.strides[0] // 4),
                ctypes.c_float(beta),
                *(ctypes.c_void_p(c.ctypes.data), c.strides[0] // 4),
            )
            return c

        return sgemm

    return made


def random(*shape: int, seed: int = 1) -> Matrix:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def assert_right(product: Matrix, a: Matrix, b: Matrix) -> None:
    """Against `a b` in float64: a float32 sum of n products errs by n u sum |a b| at most."""
    exact = a.astype(np.float64) @ b
    sizes = np.abs(a).astype(np.float64) @ np.abs(b)
    assert (np.abs(product - exact) <= a.shape[1] * 2.0**-24 * sizes).all()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("k", [1, 7, 8, 9, 15, 16, 17, 33, 576, 2050])
def test_few_rows_are_right(make: Callable[[str, int], Sgemm], kernel: str, k: int) -> None:
    sgemm = make(kernel, 1)
    for m, n in itertools.product((*range(1, 10), 17, 64), (1, 2, 3, 4, 101)):
        a, b = random(m, k), random(n, k, seed=2)
        assert_right(sgemm(a, b), a, b.T)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("k", [33, 576, 2050, 4100])
def test_a_row_among_others_is_the_row_alone(
    make: Callable[[str, int], Sgemm], kernel: str, k: int
) -> None:
    sgemm = make(kernel, 1)
    a, b = random(64, k), random(101, k, seed=2)
    alone = np.concatenate([sgemm(row[None], b) for row in a])
    for m in (*range(2, 10), 15, 64):
        np.testing.assert_array_equal(sgemm(a[:m], b), alone[:m])
    np.testing.assert_array_equal(sgemm(np.ascontiguousarray(a.T), b, transpose_a=True), alone)
    apart = random(8, 2 * k)[:, :k]
    np.testing.assert_array_equal(sgemm(apart, b)[:1], sgemm(apart[:1], b))


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("m", [1, 8, 19, 65])
def test_threads_change_no_bit(make: Callable[[str, int], Sgemm], kernel: str, m: int) -> None:
    alone, together = make(kernel, 1), make(kernel, 4)
    n, k = LARGE
    for seed in range(8):  # chunks fall to other threads each time
        a, b = random(m, k, seed=seed), random(n, k, seed=seed + 100)
        product = together(a, b)
        np.testing.assert_array_equal(product, alone(a, b))
        assert_right(product, a, b.T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_was_there_is_added_to_or_not_looked_at(
    make: Callable[[str, int], Sgemm], kernel: str
) -> None:
    sgemm, a, b = make(kernel, 1), random(3, 40), random(5, 40, seed=2)
    product = sgemm(a, b)
    assert not np.isnan(product).any()  # over NaN
    there = random(3, 5, seed=3)
    np.testing.assert_array_equal(sgemm(a, b, into=there.copy(), beta=1), product + there)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
def test_other_products_go_on(make: Callable[[str, int], Sgemm], threads: int) -> None:
    sgemm = make("plain", threads)
    a, b = random(3, 700), random(700, 4000, seed=2)
    assert_right(sgemm(a, b, transpose_b=False), a, b)
    b = random(4000, 700, seed=2)
    assert_right(sgemm(a, b, alpha=2), 2 * a, b.T)
    a = random(70, 700)
    assert_right(sgemm(np.ascontiguousarray(a.T), b, transpose_a=True), a, b.T)
    assert_right(sgemm(a, b, into=np.ones((70, 4000), np.float32), beta=0), a, b.T)


def test_nothing_is_read_beyond_the_end(make: Callable[[str, int], Sgemm]) -> None:
    """The last weights lie before a page that can't be read."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 64 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None)
    assert libc.mprotect(ctypes.c_void_p(start + 63 * page), page, 0) == 0
    for kernel, k, m in itertools.product(KERNELS, (9, 17, 576), (1, 3, 8)):
        sgemm, n = make(kernel, 1), 10
        b = np.frombuffer(memory, np.float32, n * k, 63 * page - 4 * n * k).reshape(n, k)
        a = random(m, k)
        np.testing.assert_array_equal(sgemm(a, b), 0)


def test_two_at_once(make: Callable[[str, int], Sgemm]) -> None:
    sgemm = make(KERNELS[0], 2)
    n, k = LARGE
    inputs = [(random(2, k, seed=s), random(n, k, seed=s + 10)) for s in range(3)]
    expected = [sgemm(a, b) for a, b in inputs]
    wrong: list[int] = []

    def work(number: int) -> None:
        a, b = inputs[number]
        for _ in range(50):
            if not np.array_equal(sgemm(a, b), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


PROGRAM = """
import ctypes, os, sys
import numpy as np
from scipy_openblas32 import get_lib_dir
from entropix_models.products import library

own = library.load()
own.entropix_use(ctypes.CDLL(get_lib_dir() + "/libscipy_openblas.so").scipy_cblas_sgemm, 3, 0)
x = np.random.default_rng(1).standard_normal((2, 576), dtype=np.float32)
w = np.random.default_rng(2).standard_normal((1200, 576), dtype=np.float32)

def product():
    y = np.empty((2, 1200), np.float32)
    p = [ctypes.c_void_p(array.ctypes.data) for array in (x, w, y)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    own.entropix_sgemm(101, 111, 112, 2, 1200, 576, one, p[0], 576, p[1], 576, zero, p[2], 1200)
    return y

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
expected = product()
assert threads() == before + 2
"""


@pytest.mark.slow
def test_a_fork_has_threads_of_its_own() -> None:
    _run(
        "child = os.fork()\n"
        "same = all(np.array_equal(product(), expected) for _ in range(20))\n"
        "if child == 0:\n"
        "    os._exit(0 if same and threads() == 3 else 1)\n"
        "sys.exit(0 if same and os.waitpid(child, 0)[1] == 0 else 1)\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("_again", range(5))
def test_the_program_ends(_again: int) -> None:
    _run("sys.exit(0)  # the threads look for work still\n")


def _run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
