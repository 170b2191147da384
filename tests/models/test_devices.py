"""Choosing a device, and leaving a thread that computed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entropix_models import devices
from entropix_models.errors import BackendError, UsageError

PROGRAM = """
import sys, threading
import entropix_mlx as ex
from entropix_models import devices

def engine():
    model = ex.load(sys.argv[1], device="cpu")
    for token in ex.generate(model, "Hello", seed=1, max_tokens=3):
        print(token.id)
    devices.release_thread()

thread = threading.Thread(target=engine)
thread.start()
thread.join()
"""


def test_auto_is_something_that_is_here() -> None:
    chosen = devices.choose("auto")
    assert chosen.kind in ("metal", "cuda", "cpu")
    assert chosen.is_gpu == (chosen.kind != "cpu")
    assert chosen.description
    assert devices.choose("cpu").kind == "cpu"


def test_what_is_not_here_is_one_line() -> None:
    import mlx.core as mx

    with pytest.raises(UsageError, match="unknown device 'tpu'"):
        devices.choose("tpu")
    absent = "cuda" if mx.metal.is_available() else "metal"
    with pytest.raises(UsageError, match="not available here") as caught:
        devices.choose(absent)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mlx", "mlx.core"])
def test_a_missing_backend_is_explained(name: str) -> None:
    """A fresh process in which MLX, or its library, cannot be imported."""
    program = f"""
import importlib.util, sys
from entropix_models import devices, errors
if {name!r} == "mlx":
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda n, *a: None if n == "mlx" else find(n, *a)
else:
    sys.modules["mlx.core"] = None
try:
    devices.choose("cpu")
except errors.BackendError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.count("\n") == 1
    assert "pip install" in done.stdout
    assert issubclass(BackendError, Exception)


@pytest.mark.slow
def test_the_process_exits_cleanly_under_load(llama_folder: Path) -> None:
    """Five at once; without the last act of its thread one of them in four or so aborts."""

    def run(_: int) -> int:
        command = [sys.executable, "-c", PROGRAM, str(llama_folder)]
        return subprocess.run(command, stdout=subprocess.DEVNULL, timeout=300).returncode

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(run, range(5))) == [0] * 5
