"""OpenBLAS under MLX, before and after MLX has computed something."""

import importlib.util
import json
import subprocess
import sys

import pytest

from entropix_models import blas

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or importlib.util.find_spec("scipy_openblas32") is None,
    reason="only the Linux CPU backend of MLX is redirected, by the extra cpu",
)

PROGRAM = """
import json, sys, time
from pathlib import Path
import numpy as np
from entropix_models import blas
from entropix_models.products import library as products
if "plainly" in sys.argv:
    products.library_path = lambda: Path("/nowhere.so")

def worst():
    # The greatest error, as a share of what float32 allows a sum of n products: n u sum |a b|.
    import mlx.core as mx
    mx.set_default_device(mx.cpu)
    rng = np.random.default_rng(1)
    found = 0.0
    for rows, inner, columns in ((1, 576, 1536), (64, 576, 1536), (7, 33, 129), (65, 64, 1)):
        a = rng.normal(size=(rows, inner)).astype(np.float32)
        b = rng.normal(size=(columns, inner)).astype(np.float32)
        exact = a.astype(np.float64) @ b.T
        bound = inner * 2.0**-24 * (np.abs(a).astype(np.float64) @ np.abs(b).T)
        product = np.array(mx.array(a) @ mx.array(b).T)
        batch = np.array(mx.matmul(mx.array(a)[None, :, None], mx.array(b).T[None]))[0, :, 0]
        for computed in (product, batch):
            found = max(found, float((np.abs(computed - exact) / bound).max()))
    return found

before = worst() if sys.argv[1] == "after" else 0.0
plain = blas.description()
used = [blas.use_openblas(), blas.use_openblas()]
import ctypes
library = blas._openblas
def address(function):
    return ctypes.cast(function, ctypes.c_void_p).value
known = {address(getattr(library, f"scipy_cblas_{kind}gemm")): "OpenBLAS" for kind in "sdc"}
if own := products.load():
    known[address(own.entropix_sgemm)] = "own"
slots = {
    name.decode(): known.get(ctypes.c_void_p.from_address(slot).value)
    for name, slot in blas._imports(blas._load_address("libmlx.so")) if name in blas._PRODUCTS
}
print(json.dumps({"plain": plain, "used": used, "worst": [before, worst()],
                  "description": blas.description(), "slots": slots}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("how", "sgemm", "words"),
    [("natively", "own", "rows of input"), ("plainly", "OpenBLAS", "not compiled")],
)
def test_products_go_elsewhere(when: str, how: str, sgemm: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, when, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["used"] == [True, True]
    assert "slow" in told["plain"]
    assert "OpenBLAS" in told["description"]
    assert words in told["description"]
    assert max(told["worst"]) < 1  # whatever order a kernel sums in
    others = {"cblas_dgemm": "OpenBLAS", "cblas_cgemm": "OpenBLAS"}
    assert told["slots"] == {"cblas_sgemm": sgemm, **others}


def test_other_platforms_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_redirected", None)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not blas.use_openblas()
    assert blas.description() == "Accelerate"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_redirected", None)
    monkeypatch.setitem(sys.modules, "scipy_openblas32", None)
    assert not blas.use_openblas()
    assert "slow" in blas.description()
