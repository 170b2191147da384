"""The kinds of export by name, and what is exported as files."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from entropix_mlx.export import page, svg, tables, text
from entropix_mlx.export.passage import Passage
from entropix_models.paths import atomic_file


class Format(NamedTuple):
    """`make` gives the whole file; `endings` are those of its name, the usual one first."""

    title: str
    make: Callable[[Passage], str]
    endings: tuple[str, ...]


FORMATS = {
    "html": Format("a page", page.page, (".html", ".htm")),
    "svg": Format("a picture", svg.svg, (".svg",)),
    "csv": Format("a table", tables.csv_table, (".csv",)),
    "json": Format("data", tables.json_table, (".json",)),
    "md": Format("Markdown", text.markdown, (".md", ".markdown")),
    "txt": Format("plain text", text.plain, (".txt",)),
}


def by_ending(path: Path) -> str | None:
    """The format that a file's name asks for."""
    ending = path.suffix.lower()
    return next((name for name, format in FORMATS.items() if ending in format.endings), None)


def write(path: Path, data: str) -> None:
    """Write a text file whole or not at all; what is no regular file is written to as it is.

    Half of a surrogate pair, which is no Unicode, becomes its escape. Raises OSError.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(data)
        return
    with atomic_file(path.resolve()) as beside:
        with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(data)
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
