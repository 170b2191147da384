"""Samplers of one's own: a class in a Python file, or one that an installed package brings.

Both are run only where the user names them. A trace names what drew it and the file's digest, and
never causes an import.
"""

import functools
import hashlib
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from entropix_mlx.sampling import settings
from entropix_mlx.sampling.chain import of
from entropix_mlx.sampling.link import Link
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import EntropixError, UsageError

GROUP = "entropix_mlx.samplers"
"""Of entry points."""

_FILE = ".py:"


def chosen(text: str) -> str:
    """The name by which a sampler is known that the user names: `FILE.py:NAME`, an entry point's
    name, or one that is known already. The first two are imported here.

    Raises UsageError, in one line with the place, for a file that cannot be used.
    """
    if _FILE in text:
        file, _, name = text.rpartition(":")
        return _adopted(Path(file).expanduser(), name, f"{Path(file).name}:{name}")
    point = _point(text)
    if point is None:
        return text
    try:
        found = point.load()
        source = Path(sys.modules[found.__module__].__file__ or "")
    except Exception as error:
        raise UsageError(
            f"the package's sampler {text!r} cannot be used: {_said(error)}"
        ) from error
    return _known(found, source, text)


def is_code(text: str) -> bool:
    """Whether `chosen` would import something."""
    return _FILE in text or _point(text) is not None


def _point(name: str) -> EntryPoint | None:
    if settings.named(name) is not None or not name.isidentifier():
        return None
    return next(iter(entry_points(group=GROUP, name=name)), None)


def _adopted(file: Path, name: str, called: str) -> str:
    try:
        source = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} could not be read ({error.strerror or error})") from error
    module = ModuleType(f"entropix_own_{hashlib.sha256(source).hexdigest()[:16]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where dataclasses look their annotations up
    try:
        exec(compile(source, str(file), "exec"), vars(module))
    except Exception as error:
        raise UsageError(_at(error, file)) from error
    found = getattr(module, name, None)
    if found is None:
        kinds = [n for n, each in vars(module).items() if _is_own(each, module.__name__)]
        has = f"; it has {', '.join(kinds)}" if kinds else ""
        raise UsageError(f"{file} has no {name!r}{has}")
    return _known(found, file, called)


def _is_own(each: object, module: str) -> bool:
    return (
        isinstance(each, type) and issubclass(each, Settings | Link) and each.__module__ == module
    )


def _known(found: object, file: Path, called: str) -> str:
    """Have it known by its name."""
    if not (isinstance(found, type) and issubclass(found, Settings | Link)):
        raise UsageError(f"{called}: {found!r} is no subclass of Settings or Link")
    for name in ("summary", "step", "explain") if issubclass(found, Settings) else ("apply",):
        if getattr(getattr(found, name, None), "__isabstractmethod__", not hasattr(found, name)):
            raise UsageError(f"{called}: {found.__name__} has no {name!r}")
    for name, each in [*vars(found).items()]:
        if not name.startswith("_") and (guarded := _guarded(each, file)) is not None:
            setattr(found, name, guarded)
    try:
        if issubclass(found, Link):
            found.called = classmethod(lambda _: called.rpartition(":")[2])  # type: ignore[assignment,method-assign]
        kind = of((found,)) if issubclass(found, Link) else found
        kind().check()
    except Exception as error:
        raise UsageError(_at(error, file)) from error
    kind.called = called
    kind.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    settings.OWN[called] = kind
    return called


def _guarded(each: object, file: Path) -> Any:
    """A method whose errors are a sentence with the line; None for what is no method."""
    if isinstance(each, classmethod | staticmethod):
        return type(each)(_telling(each.__func__, file))
    return _telling(each, file) if callable(each) and not isinstance(each, type) else None


def _telling(function: Callable[..., Any], file: Path) -> Callable[..., Any]:
    @functools.wraps(function)
    def told(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        except EntropixError:
            raise
        except Exception as error:
            raise UsageError(_at(error, file)) from error

    return told


def _at(error: Exception, file: Path) -> str:
    """Where in the file, and what."""
    if isinstance(error, SyntaxError):
        return f"{file}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    where = f"{file}, line {lines[-1]}" if lines else str(file)
    return f"{where}: {_said(error)}"


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
