"""What a folder of modules declares: one class of a kind in each."""

import importlib
import pkgutil
from typing import TypeVar

Kind = TypeVar("Kind")


def declared(package: str, kind: type[Kind]) -> dict[str, type[Kind]]:
    """By the module's name. Raises TypeError for a module with none, or with several."""
    folder = importlib.import_module(package)
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(folder.__path__)):
        module = importlib.import_module(f"{package}.{name}")
        kinds = [
            each
            for each in vars(module).values()
            if isinstance(each, type)
            and issubclass(each, kind)
            and each.__module__ == module.__name__
        ]
        if len(kinds) != 1:
            raise TypeError(f"{module.__name__} declares {len(kinds)} classes; it has to be one")
        found[name] = kinds[0]
    return found
