"""Compiles the CPU's matrix products (`models/entropix_models/products`) while a wheel is built.

Only for Linux on x86-64 and AArch64, by the compiler that the wheel `ziglang` brings, so that a
machine needs nothing but Python. Where that compiler isn't, the package is built without the
library and does without it. `python hatch_build.py` compiles it into the source tree.
"""

import importlib.util
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent
PRODUCTS = ROOT / "models" / "entropix_models" / "products"

TARGETS = {
    "x86_64": ("x86_64-linux-gnu.2.17", "x86_64", "manylinux_2_17_x86_64"),
    "aarch64": ("aarch64-linux-gnu.2.17", "generic", "manylinux_2_17_aarch64"),
}
"""Per machine: zig's target with the oldest glibc, its least processor, the wheel's platform."""

FLAGS = [
    *("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-psabi"),
    *("-O3", "-ffp-contract=fast", "-fvisibility=hidden", "-shared", "-fPIC", "-s", "-lpthread"),
]
"""`fast`: a product and the sum it goes into are one operation wherever the machine has it."""


def compile_products(output: Path, machine: str) -> bool:
    """Compile the library to a file; False where there is no compiler, or none for the machine."""
    if machine not in TARGETS or importlib.util.find_spec("ziglang") is None:
        return False
    target, processor, _ = TARGETS[machine]
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-target", target]
    command += [f"-mcpu={processor}", "-o", str(output), *map(str, PRODUCTS.glob("*.c"))]
    subprocess.run(command, check=True)
    return True


def library_name() -> str:
    """The name that the package looks for."""
    spec = importlib.util.spec_from_file_location("library", PRODUCTS / "library.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.library_path().name)


def compile_in_place() -> bool:
    """For editable installs: the library of this source, and no older one, beside its source."""
    library = PRODUCTS / library_name()
    for other in PRODUCTS.glob("products-*.so"):
        if other != library:
            other.unlink()
    return compile_products(library, platform.machine())


def get_build_hook() -> Any:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class Products(BuildHookInterface):  # type: ignore[type-arg, misc]
        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if not sys.platform.startswith("linux"):
                return
            if version == "editable":
                built = compile_in_place()
            else:
                self._folder = tempfile.TemporaryDirectory()
                library = Path(self._folder.name) / library_name()
                built = compile_products(library, platform.machine())
                if built:
                    build_data["force_include"][str(library)] = (
                        f"entropix_models/products/{library.name}"
                    )
            if built:
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{TARGETS[platform.machine()][2]}"
            else:
                self.app.display_warning(
                    "built without the CPU's own products: no ziglang for this machine"
                )

        def finalize(self, *_: Any) -> None:
            if hasattr(self, "_folder"):
                self._folder.cleanup()

    return Products


if __name__ == "__main__":
    sys.exit(0 if compile_in_place() else "no ziglang for this machine: pip install ziglang")
