"""The CPU's own products of a few rows against OpenBLAS's, and both against reading as many bytes.

`python benchmarks/products.py`: all take turns in one process, on weights that no cache holds; the
figures are medians. Then whole tokens, alone and beside two programs that only count. Prints
Markdown tables.
"""

import argparse
import ctypes
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

import numpy as np
import numpy.typing as npt
from machine import describe
from memory import Reader
from scipy_openblas32 import get_lib_dir

import entropix_mlx as ex
from entropix_mlx.checks import speed
from entropix_models import large_pages
from entropix_models.products import library

SHAPES = {
    "SmolLM2-135M": [(576, 576), (1536, 576), (576, 1536), (49152, 576)],
    "Llama-3.2-1B": [(2048, 2048), (8192, 2048), (2048, 8192)],
}
"""Rows of weights and columns."""

ROWS = (1, 2, 4, 8)
BYTES = 200_000_000
BUSY = 2

Matrix = npt.NDArray[np.float32]


class Products:
    """One function of two libraries, each with its own threads."""

    def __init__(self) -> None:
        self.openblas = ctypes.CDLL(f"{get_lib_dir()}/libscipy_openblas.so")
        own = library.load()
        if own is None:
            raise SystemExit("the library was not compiled")
        self.threads = self.openblas.scipy_openblas_get_num_threads()
        number = next(iter(library.kernels().values()))
        own.entropix_use(self.openblas.scipy_cblas_sgemm, self.threads, number)
        self.own = own
        self.reader = Reader(self.threads)

    def by_own(self, x: Matrix, weights: Matrix, y: Matrix) -> None:
        self._call(self.own.entropix_sgemm, x, weights, y)

    def by_openblas(self, x: Matrix, weights: Matrix, y: Matrix) -> None:
        self._call(self.openblas.scipy_cblas_sgemm, x, weights, y)

    @staticmethod
    def _call(function: Callable[..., None], x: Matrix, weights: Matrix, y: Matrix) -> None:
        (m, k), n = x.shape, len(weights)
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        a, b, c = (ctypes.c_void_p(array.ctypes.data) for array in (x, weights, y))
        function(101, 111, 112, m, n, k, one, a, k, b, k, zero, c, n)


def measure(products: Products, n: int, k: int, rounds: int) -> list[tuple[float, float, float]]:
    """GB/s of weights by ours, by OpenBLAS, and read, for each number of rows."""
    copies = max(1, BYTES // (4 * n * k))
    weights = np.ones((copies, n, k), np.float32)
    mover = large_pages.move([memoryview(weights)])
    if mover is not None:
        mover.join()
    found = []
    for m in ROWS:
        x, y = np.ones((m, k), np.float32), np.empty((m, n), np.float32)
        runs = []
        for _ in range(rounds):
            seconds = []
            for take in (products.by_own, products.by_openblas):
                began = time.perf_counter()
                for each in weights:
                    take(x, each, y)
                seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            products.reader.read(weights)
            seconds.append(time.perf_counter() - began)
            runs.append([weights.nbytes / 1e9 / each for each in seconds])
        ours, theirs, read = (median(run[i] for run in runs) for i in range(3))
        found.append((ours, theirs, read))
    return found


def busy(rounds: int) -> None:
    """Tokens a second of the embedded model, alone and beside others, in turns."""
    model = ex.load("smollm2-135m", device="cpu")
    speed.instrumented(model, 64, 8)
    pairs = []
    for _ in range(rounds):
        alone = speed.instrumented(model, 64, 24)
        with ExitStack() as stack:
            for _ in range(BUSY):
                loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
                stack.callback(loop.wait)
                stack.callback(loop.kill)
            pairs.append((alone, speed.instrumented(model, 64, 24)))
    print(f"\n{describe(model)}\n")
    print("| alone | beside two busy loops | ratio | wanted |")
    print("|---|---|---|---|")
    ratio = median(beside / alone for alone, beside in pairs)
    alone, beside = (median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"| {alone:.1f} tokens/s | {beside:.1f} tokens/s | {ratio:.2f} | 0.35 |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    products = Products()
    rows = [f"{m} row{'s' * (m > 1)}" for m in ROWS]
    print(f"GB/s of weights, {products.threads} threads: ours, OpenBLAS, share of reading.\n")
    print(f"| | rows of weights x columns | {' | '.join(rows)} | 8 rows over 1 |")
    print("|---|---|" + "---|" * (len(ROWS) + 1))
    for name, shapes in SHAPES.items():
        for n, k in shapes:
            found = measure(products, n, k, options.rounds)
            cells = [f"{o:.1f}, {t:.1f}, {o / r:.2f}" for o, t, r in found]
            over = found[0][0] / found[-1][0]
            print(f"| {name} | {n} x {k} | {' | '.join(cells)} | {over:.1f} |", flush=True)
    busy(options.rounds // 2 + 1)


if __name__ == "__main__":
    main()
