"""Imports run only downwards, and what is heavy or foreign is known where it must be only."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {"entropix_models": "models", "entropix_mlx": ".", "entropix_tui": "tui"}

FLOORS = {
    "entropix_models": [
        "errors progress products large_pages rotation dense open_files generation_loop",
        "paths blas late_package",
        "devices attention row_cache dense_copy tokenizer network",
        "joined_layer",
        "language_model gguf",
        "sources",
        "loader",
    ],
    "entropix_mlx": [
        "records",
        "terminal trace",
        "sampling",
        "conditions analysis decoding export",
        "session run",
        "debugger checks evaluation",
        "api",
        "",
        "cli",
    ],
    "entropix_tui": [
        "terminal keys tokens",
        "look",
        "transcript engine",
        "conversation replay",
        "debugger",
        "widgets",
        "widgets.text widgets.inspector widgets.plane widgets.sampler widgets.strips",
        "widgets.conversation",
        "screens",
        "screens.compare",
        "screens.step",
        "screens.conversation",
        "screens.score",
        "screens.chat screens.replay",
        "app",
        "cli",
    ],
}
"""Rooms (folders, or single modules beside them) from the ground up.

A module imports from its own room and from floors below. Rooms on one floor don't know each other.
A folder inside a room that is named here is a room of its own; the rest of the outer room is not
above it. The empty name is the package's own `__init__`.
"""

WITH_MLX_LM = {
    "entropix_models.attention",
    "entropix_models.joined_layer",
    "entropix_models.language_model",
    "entropix_models.network",
    "entropix_models.row_cache",
    "entropix_models.sources.sources",
    "entropix_mlx.checks.speed",  # what the project is measured against, from outside
}
ORACLES = {"transformers", "torch", "scipy", "llama_models", "gguf", "hypothesis", "pytest"}

COMMAND_IN_PYTHON = {"entropix_mlx.api.generate", "entropix_mlx.api.generate_batch"}
"""Their keywords are the options of `entropix-mlx generate`, documented and completed as such."""

LONGEST_FILE, MOST_PARAMETERS = 350, 8


def sources() -> Iterator[tuple[str, Path]]:
    """Every module of the project by its name; a package that only has a docstring is none."""
    for package, folder in PACKAGES.items():
        root = ROOT / folder
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


FILES = dict(sources())


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"), str(FILES[module]))


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what a module imports, wherever in it: modules, or names of modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=module, level=level):
                assert level == 0, "imports name their packages"
                yield from (f"{module}.{alias.name}" for alias in node.names)


def project_imports(module: str) -> set[str]:
    """The project's modules that a module imports from."""
    found = set()
    for name in imports(parsed(module)):
        while name and name not in FILES:
            name = name.rpartition(".")[0]
        if name and name != module:
            found.add(name)
    return found


ROOMS = {
    f"{package}.{room}".rstrip("."): (number, place)
    for number, (package, floors) in enumerate(FLOORS.items())
    for place, floor in enumerate(floors)
    for room in floor.split() or [""]
}


def room(module: str) -> str | None:
    """The innermost room that a module is in."""
    if module in ROOMS:
        return module
    package, _, _ = module.partition(".")
    name = module.rpartition(".")[0]
    while name and name != package:
        if name in ROOMS:
            return name
        name = name.rpartition(".")[0]
    return None


def test_every_module_has_a_room() -> None:
    homeless = [
        module
        for module in FILES
        if room(module) is None and any(project_imports(module) or parsed(module).body[1:])
    ]
    assert not homeless, f"give them a floor in {Path(__file__).name}"


def test_imports_run_downwards() -> None:
    wrong = []
    for module in FILES:
        own = room(module)
        for target in project_imports(module):
            theirs = room(target)
            if own is None or theirs is None or own == theirs:
                continue
            if ROOMS[theirs] >= ROOMS[own]:
                wrong.append(f"{module} imports {target}, which is not below it")
    assert not wrong, "\n".join(wrong)


def test_there_are_no_circles() -> None:
    try:
        graph = {module: project_imports(module) for module in FILES}
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_the_table_names_nothing_that_is_gone() -> None:
    known = set(FILES) | {name.rpartition(".")[0] for name in FILES}
    gone = (set(ROOMS) | WITH_MLX_LM) - known
    assert not gone


def test_foreign_libraries_stay_where_they_are_known() -> None:
    wrong = []
    for module in FILES:
        for name in imports(parsed(module)):
            library = name.partition(".")[0]
            if (
                library in ORACLES
                or (library == "mlx_lm" and module not in WITH_MLX_LM)
                or (library == "textual" and not module.startswith("entropix_tui"))
            ):
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_files_stay_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FILE}


def test_functions_take_few_parameters() -> None:
    """But for the commands, whose options are click's, and what Python has in a command's place."""
    wrong = []
    for module in FILES:
        for node in ast.walk(parsed(module)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_command(node):
                continue
            if f"{module}.{node.name}" in COMMAND_IN_PYTHON:
                continue
            given = node.args
            names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            if len(set(names) - {"self", "cls"}) > MOST_PARAMETERS:
                wrong.append(f"{module}.{node.name} takes {len(names)}")
    assert not wrong, "\n".join(wrong)


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("command" in ast.unparse(decorator) for decorator in node.decorator_list)
