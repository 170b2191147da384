"""mlx-lm's networks and caches without the rest of mlx-lm.

Its package imports transformers, the Hub's client and, where it is installed, torch, before any
module in it can be had; that is most of what a short run would wait for, and of no use to it.
"""

import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

from entropix_models.open_files import limit_kept_if_fixed

_running = threading.RLock()


class _LatePackage(ModuleType):
    """A package whose modules can be imported; its own code runs when a name of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        whole_package(self.__name__)
        return getattr(self, name)


def late_package(name: str) -> None:
    """Let modules of a package be imported without running it; unless it is there already."""
    with _running:
        if name in sys.modules or (spec := importlib.util.find_spec(name)) is None:
            return
        package = importlib.util.module_from_spec(spec)
        package.__class__ = _LatePackage
        sys.modules[name] = package


def whole_package(name: str) -> None:
    """Run a package that is late, before modules of it that count on that are imported."""
    with _running:
        package: ModuleType | None = sys.modules.get(name)
        if isinstance(package, _LatePackage):
            package.__class__ = ModuleType  # type: ignore[assignment]
            assert package.__spec__ is not None
            assert package.__spec__.loader is not None
            with limit_kept_if_fixed():
                package.__spec__.loader.exec_module(package)
