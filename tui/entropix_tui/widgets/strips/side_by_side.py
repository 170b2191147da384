"""What stands beside two columns of tokens: their heads, a course of entropy, the pair in hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.strip import Strip

from entropix_mlx.records.measures import probability, surprisal
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.alignment import Kind
from entropix_tui.conversation.comparison import Comparing, Way
from entropix_tui.conversation.notes import ENDS
from entropix_tui.tokens import labels
from entropix_tui.tokens.labels import fit, fitting
from entropix_tui.tokens.measures import ENTROPY
from entropix_tui.transcript.blocks import DIVERGENCE
from entropix_tui.widgets.strips import lane
from entropix_tui.widgets.styled import Styled

NAMES = "AB"
_KINDS: dict[Kind, str] = {
    "same": "the same token",
    "changed": "another token",
    "added": "only in B",
    "removed": "only in A",
}
_SHORT = {"temperature": "T"}
GAP = "╌"
"""Stands where only the other branch has a token."""
_TOKEN = 14
_NUMBERS = ((7, "p"), (7, "H"), (7, "V"), (7, "S"), (6, "rank"))


class Head(Styled):
    """Above a column: which branch it is, what drew it, how it went."""

    DEFAULT_CSS = """
    Head { height: 2; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, name: str, way: Way, other: Way) -> None:
        super().__init__()
        self.called = name
        self.way = way
        self.other = other
        self.active = False
        """Whether the keys move in this column."""

    def render(self) -> RenderResult:
        mark = "▸" if self.active else " "
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{mark}{self.called} ", Style(bold=True, reverse=self.active or None))
        room = self.size.width - 2
        drawn = drawn_by(self.way.side.sampler, self.other.side.sampler)
        text.append(" " + fitting(drawn, room - 3))
        return text.append("\n " + fitting(self._figures(), room))

    def _figures(self) -> list[str]:
        summary, way = self.way.summary, self.way
        figures = [f"{summary.tokens} token{'s' * (summary.tokens != 1)}"]
        if way.growing:
            figures[0] += " …"
        elif way.finish != "stop" and way.finish:
            figures.append(ENDS[way.finish][0] if way.finish in ENDS else one_line(way.finish))
        if summary.mean_entropy is not None and summary.perplexity is not None:
            figures += [f"H {summary.mean_entropy:.2f} bits", f"ppl {summary.perplexity:.2f}"]
        return figures


def drawn_by(sampler: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """A sampler in a few words: its preset and seed, and what is otherwise in another one."""
    words = [one_line(str(sampler["preset"]))] if "preset" in sampler else []
    if sampler.get("seed") is not None:
        words.append(f"seed {sampler['seed']}")
    if sampler.get("preset") == other.get("preset"):
        for name, value in sampler.items():
            if name not in ("preset", "seed") and other.get(name, value) != value:
                shown = f"{value:g}" if isinstance(value, float) else str(value)
                words.append(one_line(f"{_SHORT.get(name, name)} {shown}"))
    return words


class Course(Styled):
    """The entropy of a column's tokens: a cell for each aligned row, the same in both columns."""

    DEFAULT_CSS = "Course { height: 1; }"

    @dataclass
    class Chosen(Message):
        """Row `row` was clicked at."""

        row: int

    def __init__(self, comparing: Comparing, side: int) -> None:
        super().__init__()
        self.comparing = comparing
        self.side = side
        self.row = 0

    @property
    def first(self) -> int:
        """The first row that is drawn: the cursor's stays inside."""
        width, count = max(1, self.size.width - 2), len(self.comparing.rows)
        return max(0, min(self.row - width // 2, count - width))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        width, base = self.size.width, self.rich_style
        note = base + self.look("note")
        bar = base + self.series(ENTROPY.name)
        mark = self.cursor_look
        cursor = base + Style(color=mark.bgcolor, bold=True, reverse=mark.reverse)
        segments = [Segment("H ", note)]
        way, parting = self.comparing.ways[self.side], self.comparing.parting
        first = self.first
        for row in range(first, min(len(self.comparing.rows), first + width - 2)):
            pair = self.comparing.rows[row]
            token = way.token(pair.b if self.side else pair.a)
            char, style = GAP, note
            if token is not None:
                style = bar
                value = token.record.entropy if token.record is not None else None
                char = lane.bars(value, ENTROPY.top, 1)
            if row == parting:
                char, style = DIVERGENCE, note
            if row == self.row:
                char, style = lane.CURSOR if char == GAP else char, cursor
            segments.append(Segment(char, style))
        return Strip(segments).crop_extend(0, width, base)

    def on_click(self, event: events.Click) -> None:
        row = self.first + event.x - 2
        if event.x >= 2 and 0 <= row < len(self.comparing.rows):
            self.post_message(self.Chosen(row))


class PairFigures(Styled):
    """The pair under the common cursor: figures of both and how they differ, candidates of both.

    Above it, where the branches part.
    """

    DEFAULT_CSS = """
    PairFigures {
        height: 6; border-top: solid $border-blurred;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, comparing: Comparing) -> None:
        super().__init__()
        self.comparing = comparing
        self.row: int | None = None

    def render(self) -> RenderResult:
        text = Text(no_wrap=True, overflow="crop", end="")
        text.append_text(self.parting()).append("\n")
        row = self.row
        if row is None or row >= len(self.comparing.rows):
            return text
        note = self.look("note")
        pair = self.comparing.rows[row]
        wide = self.size.width
        heads = "".join(f"{name:>{cells}}" for cells, name in _NUMBERS)
        kind = f"{row + 1} of {len(self.comparing.rows)}: {_KINDS[pair.kind]}"
        text.append(f"   {'token':<{_TOKEN}}{heads}  {kind}", note)
        records: list[TokenRecord | None] = []
        for name, way, ref in zip(NAMES, self.comparing.ways, (pair.a, pair.b), strict=True):
            token = way.token(ref)
            records.append(token and token.record)
            text.append(f"\n {name} ", "bold").append_text(self._figures(records[-1], wide))
        text.append("\n B-A".ljust(4 + _TOKEN) + " " * 7, note)
        for a, b in zip(*map(_measures, records), strict=True):
            # Of what is read above it, not of what was rounded there.
            change = None if a is None or b is None else round(b, 2) - round(a, 2)
            text.append("" if change is None else f"{change:>+z7.2f}", "bold")
        return text

    def parting(self) -> Text:
        """Where the branches part, and what each took there."""
        parting = self.comparing.parting
        text = Text(f" {DIVERGENCE} ", "bold", no_wrap=True, overflow="ellipsis", end="")
        if parting is None or self.comparing.apart is None:
            growing = self.comparing.is_growing
            return text.append("the same so far" if growing else "the same, to the end")
        parts = []
        where = "the end"
        for name, way, ref in zip(NAMES, self.comparing.ways, self.comparing.apart, strict=True):
            token = way.token(ref)
            if token is None:
                parts.append([f"{name} ends"])
                continue
            where = f"token {way.number(token.ref) + 1}" if token.part % 2 else "the prompt"
            parts.append([name, *_in_brief(token.record, token.id)])
        text.append(f"they part at {where}: ")
        room = self.size.width - text.cell_len
        while True:
            told = " │ ".join(map(" ".join, parts))
            longest = max(map(len, parts))
            if cell_len(told) <= room or longest <= 2:
                return text.append(told)
            parts = [part[: longest - 1] for part in parts]  # the same of both, and none in half

    def _figures(self, record: TokenRecord | None, wide: int) -> Text:
        if record is None:
            return Text("-", end="")
        text = Text(fit(labels.token(record), _TOKEN), "bold", end="")
        p = "-" if record.logprob is None else labels.percent(probability(record.logprob))
        text.append(f"{p:>7}")
        for value in _measures(record):
            text.append(f"{'-' if value is None else f'{value:.2f}':>7}")
        text.append(f"{'-' if record.rank is None else f'#{record.rank + 1}':>6}  ")
        room = wide - text.cell_len - 3
        return text.append(_candidates(record, room), self.look("note"))


def _measures(record: TokenRecord | None) -> tuple[float | None, float | None, float | None]:
    if record is None:
        return None, None, None
    return record.entropy, record.varentropy, surprisal(record)


def _in_brief(record: TokenRecord | None, id: int) -> list[str]:
    """The token, then its figures, the most wanted first."""
    if record is None:
        return [f"id {id}"]
    parts = [fit(labels.token(record), 20).rstrip()]
    if record.logprob is not None:
        parts.append(labels.percent(probability(record.logprob)).strip())
    if record.entropy is not None:
        parts.append(f"H {record.entropy:.2f}")
    if record.rank is not None:
        parts.append(f"#{record.rank + 1}")
    return parts


def _candidates(record: TokenRecord, room: int) -> str:
    """As many as there is room for, most likely first, raw probabilities."""
    drawn = ""
    for id, text, logprob, _ in record.candidates:
        p = labels.percent(probability(logprob)).strip()
        one = f"{fit(labels.spelling(text, id), 12).rstrip()} {p}  "
        if Text(drawn + one).cell_len > room:
            break
        drawn += one
    return drawn
