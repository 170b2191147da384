"""Where the arithmetic runs: Metal, CUDA or the CPU, and the BLAS under the last."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from entropix_models import blas
from entropix_models.errors import BackendError, UsageError
from entropix_models.paths import cache_root, private_folder

Kind = Literal["metal", "cuda", "cpu"]
NAMES = ("auto", "metal", "cuda", "cpu")

_CUDA_BACKENDS = ("mlx-cuda-12", "mlx-cuda-13")
_KERNEL_FOLDER = "MLX_PTX_CACHE_DIR"


@dataclass(frozen=True)
class Device:
    """A device that was chosen and set as MLX's default in this process."""

    kind: Kind
    description: str

    @property
    def is_gpu(self) -> bool:
        return self.kind != "cpu"


def choose(name: str = "auto") -> Device:
    """Make `name` the default device; `auto` takes a GPU where there is one.

    Once the CPU was chosen, MLX compiles nothing in this process, for no device and no thread.
    Raises BackendError with the install line where MLX or its backend is missing, UsageError
    where the device does not exist here, EntropixError where others could write CUDA's kernels.
    """
    if name not in NAMES:
        raise UsageError(f"unknown device {name!r}: choose one of {', '.join(NAMES)}")
    require_backend()
    import mlx.core as mx

    gpu: Kind | None = None
    if mx.metal.is_available():
        gpu = "metal"
    elif mx.cuda.is_available():
        gpu = "cuda"
    kind = cast(Kind, (gpu or "cpu") if name == "auto" else name)
    if kind != "cpu" and kind != gpu:
        raise UsageError(
            f"device {kind!r} is not available here; use --device {gpu or 'cpu'} or leave it out"
        )
    if kind == "cpu":
        mx.set_default_device(mx.cpu)
        # Compiled kernels spare little here, need a C++ compiler, and are loaded from the shared
        # temporary folder by guessable names, whoever put them there.
        mx.disable_compile()
        blas.use_openblas()
        return Device("cpu", f"CPU, {os.cpu_count()} cores, {blas.description()}")
    info = mx.device_info(mx.gpu)
    mx.set_default_device(mx.gpu)
    return Device(kind, str(info.get("device_name", kind)))


def compile_nothing() -> None:
    """Have MLX compile nothing in this process, as on the CPU. Raises what `require_backend` does.

    Otherwise a GPU has a decision as one compiled graph, and what mlx-lm marks for it.
    """
    require_backend()
    import mlx.core as mx

    mx.disable_compile()


def limit_memory(size: int) -> None:
    """Keep within `size` bytes what MLX holds of freed memory and, on Metal, keeps resident.

    What a run needs beyond that is taken all the same. Raises UsageError where the machine has no
    such memory, and what `require_backend` does.
    """
    require_backend()
    import mlx.core as mx

    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > whole:
        raise UsageError(
            f"a memory limit of {size / 1e9:.1f} GB is more than this machine has "
            f"({whole / 1e9:.1f} GB): give less"
        )
    mx.set_memory_limit(size)
    usual = mx.set_cache_limit(size)
    mx.set_cache_limit(min(usual, size))
    if mx.metal.is_available():
        most = mx.device_info(mx.gpu)["max_recommended_working_set_size"]
        mx.set_wired_limit(min(size, int(most)))


def require_backend() -> None:
    """Import MLX. Raises BackendError, with the line that installs it, where that can't be done."""
    hint = (
        "pip install 'entropix-mlx[cpu]' (or [cuda12], [cuda13] with an NVIDIA GPU)"
        if sys.platform.startswith("linux")
        else "pip install 'mlx>=0.32.4'"
    )
    if importlib.util.find_spec("mlx") is None:
        raise BackendError(f"MLX is not installed; install it with: {hint}")
    if any(_is_installed(name) for name in _CUDA_BACKENDS):
        _keep_kernels_private()
    try:
        import mlx.core  # noqa: F401
    except ImportError as error:
        raise BackendError(
            f"MLX has no backend for this machine ({error}); install one with: {hint}"
        ) from error


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _keep_kernels_private() -> None:
    """Have MLX keep CUDA's compiled kernels where nobody else can put one; before its import.

    By itself it uses the shared temporary folder. A kernel's name says neither MLX's version nor
    the GPU's architecture, and machines share home folders; the folder's name tells them apart.
    """
    machine = re.sub("[^A-Za-z0-9.-]", "-", platform.node()) or "machine"
    target = f"{importlib.metadata.version('mlx')}-{machine}"
    chosen = os.environ.get(_KERNEL_FOLDER)
    folder = Path(chosen) if chosen else cache_root() / "kernels" / target
    private_folder(folder)
    os.environ[_KERNEL_FOLDER] = str(folder)


def release_thread() -> None:
    """The last act of a thread that evaluated arrays.

    Without it the process aborts at exit in up to half of the runs (streams belong to threads).
    """
    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.synchronize()
        mx.clear_streams()
