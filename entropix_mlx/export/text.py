"""A passage as Markdown or plain text.

In Markdown what was said stands in fences longer than any that it contains.
"""

import re
from collections.abc import Iterable

from entropix_mlx.export import figures
from entropix_mlx.export.passage import Passage
from entropix_mlx.terminal.glyphs import one_line, shown


def plain(passage: Passage) -> str:
    """The turns one after another, each under its speaker's name."""
    parts = (f"{one_line(turn.speaker)}:\n{shown(turn.text).strip()}\n" for turn in passage.turns)
    return "\n".join(parts)


def markdown(passage: Passage) -> str:
    """The turns, the settings that made them and a summary."""
    what = "A text under" if passage.is_scored else "A conversation with"
    parts = [f"# {what} {escaped(passage.header.model)}"]
    for turn in passage.turns:
        count = f"{turn.count} token{'s' * (turn.count != 1)}"
        parts.append(f"## {escaped(turn.speaker)} ({count})\n\n{fenced(shown(turn.text))}")
    parts.append("## Summary\n\n" + _table(figures.summary(passage)))
    parts.append("## Settings\n\n" + _table(figures.settings(passage)))
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """A Markdown block that nothing in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def escaped(text: object) -> str:
    """A value within a line of Markdown: every character stands for itself."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|~&:@.])", r"\\\1", one_line(str(text)))


def _table(rows: Iterable[figures.Row]) -> str:
    lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])
