"""The kinds of export by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from entropix_mlx.export import page, svg, tables, text
from entropix_mlx.export.passage import Passage


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
