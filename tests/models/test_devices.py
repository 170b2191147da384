"""Choosing a device, and leaving a thread that computed."""

import os
import platform
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import mlx.core as mx
import pytest

from entropix_models import devices
from entropix_models.errors import BackendError, EntropixError, UsageError

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


COMPILING = """
import mlx.core as mx
mx.disable_compile = lambda: None
"""

KERNEL = """
mx.eval(mx.compile(lambda x: mx.exp(x) + x)(mx.ones(3)))
"""

PLANT = """
#include <cstdlib>
#include <fstream>
__attribute__((constructor)) static void planted() { std::ofstream(std::getenv("MARKER")); }
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="MLX's CPU backend compiles with g++")
def test_a_library_in_the_temporary_folder_does_not_run(llama_folder: Path, tmp_path: Path) -> None:
    """In place of a kernel that MLX left there when it compiled; it loads whatever it finds."""
    marker, shared = tmp_path / "marker", tmp_path / "shared"
    shared.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "MLX_DISABLE_COMPILE"}
    env |= {"TMPDIR": str(shared), "MARKER": str(marker)}

    def run(program: str) -> int:
        command = [sys.executable, "-c", program, str(llama_folder)]
        return subprocess.run(command, env=env, capture_output=True, timeout=300).returncode

    assert run(PROGRAM) == 0
    assert list(shared.iterdir()) == []

    assert run(COMPILING + PROGRAM + KERNEL) == 0
    kernels = list(shared.glob("mlx/*/cpu/lib*"))
    assert kernels
    source, plant = tmp_path / "plant.cpp", tmp_path / "plant.so"
    source.write_text(PLANT)
    subprocess.run(["g++", "-shared", "-fPIC", str(source), "-o", str(plant)], check=True)
    for kernel in kernels:
        shutil.copy(plant, kernel)
    run(COMPILING + PROGRAM + KERNEL)
    assert marker.exists()  # so the plant works
    marker.unlink()

    assert run(PROGRAM) == 0
    assert not marker.exists()


def test_compilation_is_off_in_every_thread_of_a_process_that_chose_the_cpu(tmp_path: Path) -> None:
    """Also for functions that were compiled before; a compiled one calls Python only once."""
    program = """
import threading
import mlx.core as mx
from entropix_models import devices

calls = []
@mx.compile
def double(x):
    calls.append(x)
    return x * 2 + 1

def compute():
    for _ in range(3):
        double(mx.ones(3))

mx.enable_compile()
compute()
print(len(calls))
devices.choose("cpu")
compute()
thread = threading.Thread(target=compute)
thread.start()
thread.join()
print(len(calls))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert after - before == 6


@pytest.fixture
def cuda(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with CUDA as far as `choose` can see; returns where its kernels are kept."""
    monkeypatch.setenv("MLX_PTX_CACHE_DIR", "")  # and restored afterwards
    monkeypatch.setattr(mx.metal, "is_available", lambda: False)
    monkeypatch.setattr(mx.cuda, "is_available", lambda: True)
    monkeypatch.setattr(mx, "device_info", lambda _device: {})
    monkeypatch.setattr(devices, "_CUDA_BACKENDS", ("mlx-lm",))  # one that is installed
    monkeypatch.setattr(platform, "node", lambda: "a machine")
    monkeypatch.setattr(mx, "set_default_device", lambda _device: None)
    return private_cache / "entropix" / "kernels" / f"{version('mlx')}-a-machine"


def test_cuda_keeps_its_kernels_in_a_folder_of_the_users_own(
    cuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert devices.choose("auto").kind == "cuda"
    assert os.environ["MLX_PTX_CACHE_DIR"] == str(cuda)
    assert stat.S_IMODE(cuda.stat().st_mode) == 0o700
    devices.choose("cuda")  # the folder is there

    own = tmp_path / "chosen"
    monkeypatch.setenv("MLX_PTX_CACHE_DIR", str(own))
    devices.choose("cuda")
    assert os.environ["MLX_PTX_CACHE_DIR"] == str(own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


@pytest.mark.parametrize("what", ["mode", "owner", "link", "file"])
def test_a_folder_of_kernels_that_is_not_the_users_own_is_refused(
    cuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    cuda.parent.mkdir(parents=True)
    if what == "file":
        cuda.touch(0o700)
    elif what == "link":
        (tmp_path / "elsewhere").mkdir(0o700)
        cuda.symlink_to(tmp_path / "elsewhere")
    else:
        cuda.mkdir(0o700)
        if what == "mode":
            cuda.chmod(0o770)
        else:
            other = os.getuid() + 1
            monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(EntropixError) as caught:
        devices.choose("cuda")
    assert str(cuda) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not os.environ["MLX_PTX_CACHE_DIR"]
