"""Passages to export, and what a browser would make of a page."""

import json
from html.parser import HTMLParser
from typing import Any

from traces import HEADER, token

from entropix_mlx.export.passage import Passage
from entropix_mlx.records.record import Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.records.tree import Node, Tree

THRESHOLDS = {
    "lelv_entropy": 1.5,
    "lelv_varentropy": 3.0,
    "helv_entropy": 4.0,
    "helv_varentropy": 6.0,
    "lehv_entropy": 1.5,
    "lehv_varentropy": 8.0,
    "hehv_entropy": 4.0,
    "hehv_varentropy": 10.0,
}
SAMPLED = RunHeader(
    **{
        **{name: getattr(HEADER, name) for name in HEADER.__struct_fields__},
        "sampler": {"preset": "calibrated", "temperature": 0.7, **THRESHOLDS},
    }
)


def said(index: int, text: str, **fields: Any) -> TokenRecord:
    raw = text.encode(errors="replace").hex()
    return token(index, text=text, **{"bytes": raw, **fields})


def asked(index: int, text: str, **fields: Any) -> PromptRecord:
    values: dict[str, Any] = {"parent": index - 1, "role": "user", "ids": [1, 2, 3], **fields}
    return PromptRecord(index=index, text=text, **values)


def passage(*records: Node | Event, header: RunHeader = SAMPLED, notes: Any = ()) -> Passage:
    return Passage.of(header, Tree.of(records), notes=notes)


class Page(HTMLParser):
    """Elements, their attributes and texts, and the page's data."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tokens: list[tuple[str, str]] = []
        """Class and text of each."""
        self.blocks: list[str] = []
        """What stands in the text's blocks."""
        self.scripts: list[tuple[str | None, str]] = []
        self.title = ""
        self.words: list[str] = []
        """Every text outside scripts and styles."""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    @property
    def data(self) -> list[dict[str, Any]]:
        """A dictionary for each token."""
        first, *pieces = [
            json.loads(text) for kind, text in self.scripts if kind == "application/json"
        ]
        texts = {"text", "bytes", "role", "quadrant", "strategy", "forced"}
        found = []
        for piece in pieces:
            for row in piece["r"]:
                cell = dict(zip(first["names"], row, strict=True))
                for name in texts:
                    cell[name] = None if cell[name] is None else piece["t"][cell[name]]
                ways = cell["candidates"]
                cell["candidates"] = [
                    (piece["t"][ways[k]], *ways[k + 1 : k + 3]) for k in range(0, len(ways), 3)
                ]
                found.append(cell)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag in ("meta", "input"):
            return
        self._open.append(tag)
        if tag == "i" and "div.t" in self._open:
            self.tokens.append((attributes["class"] or "", ""))
        if tag == "div" and attributes.get("class") == "t":
            self._open[-1] = "div.t"
            self.blocks.append("")
        if tag == "script":
            self.scripts.append((attributes.get("type"), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().partition(".")[0] == tag

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
            return
        if "style" in self._open:
            return
        if "title" in self._open and "svg" not in self._open:
            self.title += data
        self.words.append(data)
        if "div.t" in self._open:
            self.blocks[-1] += data
            if self._open[-1] == "i":
                self.tokens[-1] = (self.tokens[-1][0], self.tokens[-1][1] + data)
