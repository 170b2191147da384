"""What is seen, as a file: the conversation as Markdown or plain text, the screen as SVG.

Texts of the user and the model are shown in full and do nothing: in Markdown they stand in fences
longer than any they contain, and control characters are written as they are on the screen.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textual.app import App

from entropix_mlx.records import Event, PromptRecord, RunHeader
from entropix_mlx.summary import Summary
from entropix_mlx.tree import ROOT, Tree
from entropix_tui.glyphs import glyphs, one_line

_ROLES = {"user": "You", "system": "System"}


class Turn(NamedTuple):
    """What one side said, and in how many tokens."""

    speaker: str
    text: str
    tokens: int


def turns(header: RunHeader, tree: Tree, leaf: int | None = None) -> list[Turn]:
    """The turns from the root to `leaf` (default: where the conversation stands)."""
    found: list[Turn] = []
    answering = False
    for node in tree.path(leaf):
        if isinstance(node, PromptRecord):
            found.append(Turn(_ROLES.get(node.role, node.role), node.text, len(node.ids)))
        elif answering:
            found[-1] = Turn(found[-1].speaker, found[-1].text + node.text, found[-1].tokens + 1)
        else:
            found.append(Turn(header.model, node.text, 1))
        answering = not isinstance(node, PromptRecord)
    return found


def plain(header: RunHeader, tree: Tree, leaf: int | None = None) -> str:
    """The turns one after another, each under its speaker's name."""
    parts = [
        f"{one_line(turn.speaker)}:\n{shown(turn.text).strip()}\n"
        for turn in turns(header, tree, leaf)
    ]
    return "\n".join(parts)


def markdown(header: RunHeader, tree: Tree, leaf: int | None = None) -> str:
    """The turns, the settings that made them and a summary."""
    parts = [f"# A conversation with {escaped(header.model)}"]
    for turn in turns(header, tree, leaf):
        count = f"{turn.tokens} token{'s' * (turn.tokens != 1)}"
        parts.append(f"## {escaped(turn.speaker)} ({count})\n\n{fenced(shown(turn.text))}")
    parts.append("## Summary\n\n" + _table(_summary(tree, leaf)))
    parts.append("## Settings\n\n" + _table(_settings(header, tree, leaf)))
    return "\n\n".join(parts) + "\n"


def svg(app: App[object]) -> str:
    """The screen as it is now. Names no font on the network, and is the same on every machine."""
    drawing = app.export_screenshot()
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    drawing = drawing.replace("Fira Code", "monospace")
    return re.sub(r"terminal-\d+", "terminal", drawing)


def default_name(kind: str, suffix: str, now: datetime.datetime, folder: Path) -> Path:
    """A name in `folder` that is not taken: `entropix-chat-2026-01-31-1200.md`."""
    stem = f"entropix-{kind}-{now:%Y-%m-%d-%H%M}"
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path


def shown(text: str) -> str:
    """Text with line breaks and tabs as they are, all else as the screen shows it."""
    parts = (
        part.source if part.source in "\n\t" else part.shown
        for part in glyphs(re.sub(r"\r\n", "\n", text))
    )
    return "".join(parts)


def fenced(text: str) -> str:
    """A Markdown block that nothing in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def escaped(text: object) -> str:
    """A value within a line of Markdown: every character stands for itself."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|~&:@.])", r"\\\1", one_line(str(text)))


def _summary(tree: Tree, leaf: int | None) -> Iterator[tuple[str, str]]:
    summary, milliseconds, timed = Summary(), 0.0, 0
    for node in tree.path(leaf):
        summary.add(node)
        for event in tree.events(node.index):
            summary.add(event)
        if not isinstance(node, PromptRecord) and node.ms:
            milliseconds, timed = milliseconds + node.ms, timed + 1
    yield "tokens generated", str(summary.tokens)
    if milliseconds:
        yield "tokens per second", f"{1000 * timed / milliseconds:.1f}"
    for name, value, unit in (
        ("mean entropy", summary.mean_entropy, " bits"),
        ("perplexity", summary.perplexity, ""),
        ("bits per byte", summary.bits_per_byte, ""),
    ):
        if value is not None:
            yield name, f"{value:.2f}{unit}"
    for region, count in sorted(summary.regions.items()):
        yield f"share of {region}", f"{100 * count / summary.tokens:.0f} %"
    yield "valleys", str(summary.valleys)


def _settings(header: RunHeader, tree: Tree, leaf: int | None) -> Iterator[tuple[str, str]]:
    for name in ("model", "revision", "device", "dtype", "seed", "date", "created"):
        value = getattr(header, name)
        if value is not None:
            yield name, str(value)
    for name, value in header.sampler.items():
        yield name, str(value)
    for number, event in _changes(tree, leaf):
        for name, value in (event.detail or {}).items():
            yield f"{name}, from token {number}", str(value)


def _changes(tree: Tree, leaf: int | None) -> Iterator[tuple[int, Event]]:
    """Settings that were changed on the way, each with the first generated token it ruled."""
    tokens = 0
    for index in (ROOT, *(node.index for node in tree.path(leaf))):
        tokens += index != ROOT and not isinstance(tree[index], PromptRecord)
        for event in tree.events(index):
            if event.kind == "setting":
                yield tokens + 1, event


def _table(rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])
