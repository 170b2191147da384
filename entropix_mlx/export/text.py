"""A passage as Markdown or plain text, and in figures.

In Markdown what was said stands in fences longer than any that it contains.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from entropix_mlx.export.passage import Passage
from entropix_mlx.records.measures import percent
from entropix_mlx.records.quadrants import QUADRANTS, word
from entropix_mlx.records.summary import Summary
from entropix_mlx.terminal.glyphs import one_line, shown

Row = tuple[str, str]


def plain(passage: Passage) -> str:
    """The turns one after another, each under its speaker's name."""
    parts = (f"{one_line(turn.speaker)}:\n{shown(turn.text).strip()}\n" for turn in passage.turns)
    return "\n".join(parts)


def markdown(passage: Passage) -> str:
    """The turns, the settings that made them and a summary."""
    parts = [f"# {escaped(passage.title)}"]
    for turn in passage.turns:
        count = f"{turn.count} token{'s' * (turn.count != 1)}"
        parts.append(f"## {escaped(turn.speaker)} ({count})\n\n{fenced(shown(turn.text))}")
    parts.append("## Summary\n\n" + _table(summary(passage)))
    parts.append("## Settings\n\n" + _table(settings(passage)))
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """A Markdown block that nothing in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def escaped(text: object) -> str:
    """A value within a line of Markdown: every character stands for itself."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|~&:@.])", r"\\\1", one_line(str(text)))


def _table(rows: Iterable[Row]) -> str:
    lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])


def summary(passage: Passage) -> Iterator[Row]:
    """Names and values; what was not measured is left out."""
    totals = Summary.of(chain(passage.nodes, passage.ends))
    yield f"tokens {'scored' if passage.is_scored else 'generated'}", str(totals.tokens)
    if totals.rate is not None:
        yield "tokens per second", f"{totals.rate:.1f}"
    for name, value, unit in (
        ("mean entropy", totals.mean_entropy, " bits"),
        ("perplexity", totals.perplexity, ""),
        ("bits per byte", totals.bits_per_byte, ""),
        ("log-perplexity minus mean entropy", totals.excess, " bits"),
    ):
        if value is not None:
            yield name, f"{_plain(value)}{unit}"
    for quadrant in (*QUADRANTS, None):
        if count := totals.quadrants[quadrant]:
            name = word(quadrant, passage.header.quadrant_split)
            code = f" ({quadrant})" if quadrant else ""
            yield f"share of {name}{code}", percent(count / totals.tokens, brief=True)
    yield "valleys", str(len(passage.valleys))


def settings(passage: Passage) -> Iterator[Row]:
    """The header's, then what was changed on the way."""
    header = passage.header
    for name in ("model", "revision", "device", "dtype", "seed", "date", "created"):
        value = getattr(header, name)
        if value is not None:
            yield name, str(value)
    for name, value in header.sampler.items():
        yield name, _setting(value)
    for before, detail in passage.changes:
        for name, value in detail.items():
            yield f"{name}, from token {before + 1}", _setting(value)


def _setting(value: object) -> str:
    """To four digits: the trace has the rest."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: float) -> str:
    """With two decimals, unless that would fill the line."""
    return f"{value:.2f}" if abs(value) < 1e9 else f"{value:.3g}"
