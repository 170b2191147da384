"""Writes the map in docs/architecture.md: `python docs/rooms.py`.

The rooms and their floors are those of tests/test_floors.py, what stands beside each is the first
line of its docstring.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- written by docs/rooms.py -->\n", "<!-- end of what it writes -->\n"


def rooms() -> Iterator[str]:
    """Lines of Markdown, the highest floor first."""
    sys.path.insert(0, str(ROOT / "tests"))
    from test_floors import FILES, FLOORS, parsed

    for package, floors in reversed(FLOORS.items()):
        yield f"\n`{package}`\n\n| floor | room | what it holds |\n|---|---|---|\n"
        for floor, names in reversed([*enumerate(floors)]):
            for room in names.split() or [""]:
                module = f"{package}.{room}".rstrip(".")
                path = FILES[module]
                place = path.parent if path.stem == "__init__" else path
                told = (ast.get_docstring(parsed(module)) or "").partition("\n")[0]
                link = f"[`{room or package}`](../{place.relative_to(ROOT).as_posix()})"
                yield f"| {floor} | {link} | {told} |\n"
    yield "\n"


def page() -> str:
    """docs/architecture.md with the map as the code has it."""
    before, _, rest = FILE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{''.join(rooms())}{END}{after}"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
