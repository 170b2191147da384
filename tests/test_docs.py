"""What the documentation names is there: links, files, functions, and the map of the rooms."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_floors import FILES, PACKAGES, ROOT

from entropix_tui.cli.main import entropix_tui

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ABOUT_CODE = ("CONTRIBUTING.md", "docs/architecture.md")
FOLDERS = [ROOT, *(ROOT / folder / package for package, folder in PACKAGES.items())]
"""What a path in the documentation may be relative to."""

FOREIGN = {"mlx", "mx", "libmlx", "snapshot_report"}
"""Libraries and files of others, which are written like names of our own."""

_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_MAP = re.compile(r"<!-- written by .*?<!-- end of", re.DOTALL)  # which has a test of its own
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"(\.?\w[\w./-]*/[\w./-]*|[\w/]+\.(?:py|md|toml|json))(?::([\w.]+))?")
_DOTTED = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
_CLASS = re.compile(r"([A-Z][a-z]+[A-Za-z]*)(?:\(.*\))?")


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    wrong = []
    for page in PAGES:
        for link in _LINK.findall(prose(page)):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{page.name}: {link}")
    assert not wrong, "\n".join(wrong)


def test_the_readme_names_every_screen() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {name for name in entropix_tui.commands if f"entropix-tui {name}" not in readme}
    assert "pip install -e '.[web]'" in readme, "which needs an extra"


@cache
def names(file: Path) -> frozenset[str]:
    """What a module defines, with the members of its classes: `Class.member`."""
    found: set[str] = set()

    def note(body: list[ast.stmt], before: str) -> None:
        for node in body:
            match node:
                case ast.ClassDef():
                    found.add(before + node.name)
                    note(node.body, f"{before}{node.name}.")
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    found.add(before + node.name)
                    if before:
                        found.update(before + own for own in attributes(node))
                case ast.Assign(targets=targets):
                    found.update(before + t.id for t in targets if isinstance(t, ast.Name))
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found.add(before + name)

    note(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return frozenset(found)


def attributes(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """What a method assigns to `self`."""
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@cache
def all_names() -> frozenset[str]:
    return frozenset().union(*map(names, FILES.values()))


"""Every name that any module defines."""


def missing(span: str) -> bool:
    """Whether something in backquotes names a file, a function or a class that isn't there."""
    if found := _PATH.fullmatch(span):
        path, name = found.groups()
        first = path.partition("/")[0]
        if not path.endswith(".py") and not any((folder / first).exists() for folder in FOLDERS):
            return False  # a folder of the user's
        there = [folder / path for folder in FOLDERS if (folder / path).exists()]
        return not there or (bool(name) and not any(name in names(file) for file in there))
    if found := _DOTTED.fullmatch(span):
        first, rest = found[1], found[2]
        if first in FOREIGN:
            return False
        if first in PACKAGES:
            return first + rest not in FILES
        return first + rest not in all_names()
    if found := _CLASS.fullmatch(span):
        return found[1] not in all_names()
    return False


@pytest.mark.slow
def test_what_is_named_is_there() -> None:
    wrong = [
        f"{page}: {span}"
        for page in ABOUT_CODE
        for span in _SPAN.findall(_MAP.sub("", prose(ROOT / page)))
        if missing(span)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("span", "gone"),
    [
        ("entropix_mlx/api.py", False),
        ("entropix_mlx/apis.py", True),
        ("decoding/decoder.py:Decoder.generate", False),
        ("decoding/decoder.py:Decoder.pending", False),
        ("decoding/decoder.py:Decoder.generates", True),
        ("docs/nothing.md", True),
        ("Decoder.generate", False),
        ("Decoder.generates", True),
        ("Decoders", True),
        ("Decoder(heads=True)", False),
        ("entropix_tui.app", False),
        ("entropix_tui.apps", True),
        ("mx.random.categorical", False),
        ("kernels/", False),
        ("ruff check .", False),
    ],
)
def test_what_is_not_there_is_found(span: str, gone: bool) -> None:
    assert missing(span) == gone


def test_the_map_is_that_of_the_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import rooms

    assert rooms.FILE.read_text(encoding="utf-8") == rooms.page(), "run docs/rooms.py"
    sys.modules.pop("rooms")


def test_from_the_first_lines_to_the_line_that_decides() -> None:
    top = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert "docs/architecture.md" in _LINK.findall(top)
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("\n## ")[1]
    found = re.search(r"```python\n(.+?)```.+?`([\w/]+\.py):([\w.]+)`", section, re.DOTALL)
    assert found
    code, file, function = found.groups()
    source = (ROOT / file).read_text(encoding="utf-8")
    node: ast.AST = ast.parse(source)
    for name in function.split("."):
        (node,) = (n for n in ast.walk(node) if getattr(n, "name", "") == name)
    assert code in (ast.get_source_segment(source, node) or "") + "\n"


def test_pre_commit_checks_what_the_checks_check() -> None:
    config = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = [line.strip() for line in re.findall(r"entry: (.+)", config)]
    everything = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    checks = [line for line in everything if line.startswith((".venv/bin/ruff", ".venv/bin/mypy"))]
    checks = [line.removesuffix(" &") for line in checks]  # beside the tests
    assert entries == checks
