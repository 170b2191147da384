"""Imports run only downwards, and what is heavy or foreign is known where it must be only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"entropix_models": "models", "entropix_mlx": ".", "entropix_tui": "tui"}

FLOORS = [
    {"entropix_models"},
    *(
        {f"entropix_mlx.{name}" for name in floor.split()}
        for floor in (
            "records metrics valleys calibration palette stopping visible inspection glyphs",
            "settings presets",
            "lexing patterns operands terms conditions stops breakpoints halts",
            "attention_file strategies state trace summary fitting tree formulas shelf",
            "filters sampling archive journal explain export differing",
            "choice selfcheck",
            "decoding recording",
            "answer inspecting reader run scoring waterfall",
            "turn",
            "session",
            "resuming rerunning speed stepper verifying",
            "debugger",
            "arguments moving deciding commands telling",
        )
    ),
    {"entropix_mlx.api"},
    {"entropix_mlx"},  # the package itself names what `api` and others offer
    {"entropix_mlx.cli"},
    {"entropix_tui"},
]
"""From the ground up. A module imports from its own floor and those below; the longest name wins.

A package that stands for all its modules has no others in the table; `entropix_mlx` alone is only
its `__init__`.
"""

TUI_COMMANDS = {
    "entropix_tui.cli",
    "entropix_tui.replay_command",
    "entropix_tui.step_command",
}
WHOLE = ("entropix_models", "entropix_mlx.export", "entropix_mlx.cli", "entropix_tui")
INSIDE_MLX_LM = {
    "entropix_models.attention",
    "entropix_models.language_model",
    "entropix_models.loading",
    "entropix_models.sources",
    # What the project is measured against, from outside.
    "entropix_mlx.speed",
}
ORACLES = {"transformers", "torch", "scipy", "llama_models", "gguf", "hypothesis", "pytest"}


def modules() -> dict[str, ast.Module]:
    """Every module of the project by its name."""
    found = {}
    for package, folder in PACKAGES.items():
        root = ROOT / folder
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what a module imports, wherever in it: modules, or names of modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=module, level=level):
                assert level == 0, "imports name their packages"
                yield from (f"{module}.{alias.name}" for alias in node.names)


def project_module(name: str) -> str | None:
    """The module of the project that an imported name is or comes from."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def floor(module: str) -> int | None:
    names = [module]
    names += [package for package in WHOLE if module.startswith(f"{package}.")]
    return next((n for n, table in enumerate(FLOORS) if not table.isdisjoint(names)), None)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module: str) -> None:
    own = floor(module)
    assert own is not None, f"{module} is new: give it a floor in {Path(__file__).name}"
    for name in imports(MODULES[module]):
        target = project_module(name)
        if target is None:
            continue
        below = floor(target)
        assert below is not None
        assert below <= own, f"{module} (floor {own}) imports {target} (floor {below})"


def test_the_table_names_nothing_that_is_gone() -> None:
    for name in set.union(*FLOORS) | INSIDE_MLX_LM:
        assert name in MODULES, f"{name} is no module any more: take it out of the table"


def test_a_module_in_two_floors_is_in_none() -> None:
    named = [name for table in FLOORS for name in table]
    assert sorted(named) == sorted(set(named))


def test_nobody_imports_the_screen_and_only_its_command_the_commands() -> None:
    for module, tree in MODULES.items():
        package = module.partition(".")[0]
        for name in imports(tree):
            if package != "entropix_tui":
                assert not name.startswith("entropix_tui"), f"{module} imports {name}"
            if name.startswith("entropix_mlx.cli"):
                allowed = module.startswith("entropix_mlx.cli") or module in TUI_COMMANDS
                assert allowed, f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_foreign_libraries_stay_where_they_are_known(module: str) -> None:
    for name in imports(MODULES[module]):
        library = name.partition(".")[0]
        assert library not in ORACLES, f"{module} imports {library}, which only tests may"
        if library == "mlx_lm":
            assert module in INSIDE_MLX_LM, f"{module} imports {name}: ask entropix_models for it"
        if library == "textual":
            assert module.startswith("entropix_tui"), f"{module} imports {name}"
