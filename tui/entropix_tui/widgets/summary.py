"""The run's figures: of the present answer, and of the whole conversation beside it."""

import time
from collections.abc import Callable, Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from entropix_mlx.records.measures import percent
from entropix_mlx.records.quadrants import QUADRANTS, Quadrant
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_tui.look.throttle import SELDOM, Pace
from entropix_tui.tokens.labels import fitting
from entropix_tui.widgets.styled import Styled

DENSE, TABLE = 9, 14
"""Rows from which on the shares have a bar each, and from which on the figures have a row each."""
WIDE = 42
"""Columns from which on there is room for the conversation's figures too."""
NAME, FIGURE = 15, 13
BAR = 7


Line = list[tuple[str, Style]]


class RunSummary(Styled):
    """What `entropix_mlx.records.summary` makes of the records.

    `take` notes every record of the present branch, `flush` repaints, some four times a
    second.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id="summary")
        self.answer = Summary()
        self.whole = Summary()
        self.used = 0
        """Tokens in the model's context."""
        self.seed: int | None = None
        self.context: int | None = None
        self._pace = Pace(SELDOM, clock)
        self._dirty = False
        self._picture: list[Strip] = []

    def take(self, record: PromptRecord | TokenRecord | Event | End) -> None:
        """Note the next record of the present branch; a prompt begins a new answer."""
        if isinstance(record, PromptRecord):
            self.answer = Summary()
            self.used += len(record.ids)
        elif isinstance(record, TokenRecord):
            self.used += 1
        self.answer.add(record)
        self.whole.add(record)
        self._dirty = True

    def rebuild(
        self, path: Iterable[PromptRecord | TokenRecord], events: Iterable[Event | End] = ()
    ) -> None:
        """Show another branch, or a session that was restored; `events` in the path's order."""
        self.answer, self.whole, self.used = Summary(), Summary(), 0
        by_index: dict[int, list[Event | End]] = {}
        for event in events:
            at = event.leaf if isinstance(event, End) else event.index
            by_index.setdefault(at, []).append(event)
        for record in path:
            self.take(record)
            for event in by_index.get(record.index, ()):
                self.take(event)
        self._repaint()

    def facts(self, seed: int | None, context: int | None) -> None:
        """What the records don't say: the seed in force, and how many tokens the model can hold."""
        self.seed, self.context = seed, context
        self._repaint()

    def flush(self) -> None:
        """Paint what has come, if it is time to."""
        if not (self._dirty and self.is_on_screen and self._pace.due()):
            return
        self._dirty = False
        before, self._picture = self._picture, self._draw()
        changed = [y for y, strip in enumerate(self._picture) if strip not in before[y : y + 1]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    # Drawing.

    def _repaint(self) -> None:
        self._dirty = False
        self._picture = []
        self.refresh()

    def on_resize(self) -> None:
        self._repaint()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._picture = []

    def render_line(self, y: int) -> Strip:
        if not self._picture:
            self._picture = self._draw()
        if y < len(self._picture):
            return self._picture[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> list[Strip]:
        width, base = self.size.width, self.rich_style
        height = self.size.height
        lines = self._lines if height < DENSE else self._dense if height < TABLE else self._table
        return [
            Strip([Segment(text, base + style) for text, style in line if text]).crop_extend(
                0, width, base
            )
            for line in lines()
        ]

    @property
    def _context_use(self) -> str:
        if not self.context:
            return str(self.used)
        return f"{self.used}/{self.context} ({percent(self.used / self.context, brief=True)})"

    def _lines(self) -> Iterable[Line]:
        """Figures, then shares; the context and the seed where there is a line for them."""
        run, answer = self.answer, self.look("answer")
        yield [(" " + fitting(_figures(run), self.size.width - 1), answer)]
        shares: Line = [(" ", answer)]
        for quadrant in _told(run):
            shares.append((f" {self.word(quadrant)} ", self.look(quadrant or "answer")))
            shares.append((f" {_share(run, quadrant)}  ", answer))
        yield shares
        yield [(" " + fitting(self._rest, self.size.width - 1), self.look("note"))]

    @property
    def _rest(self) -> list[str]:
        """What is no figure of the records: the context's use, and the seed if there is one."""
        seeds = [] if self.seed is None else [f"seed {self.seed}"]
        return [f"context {self._context_use}", *seeds]

    def _dense(self) -> Iterable[Line]:
        """The answer's figures, two a line, and its shares."""
        figures, answer, note = _figures(self.answer), self.look("answer"), self.look("note")
        for at in range(0, len(figures), 2):
            yield [(" " + " · ".join(figures[at : at + 2]), answer)]
        yield from self._shares([self.answer])
        yield [(" " + fitting(self._rest, self.size.width - 1), note)]

    def _table(self) -> Iterable[Line]:
        columns = [self.answer, self.whole] if self.size.width >= WIDE else [self.answer]
        note, answer = self.look("note"), self.look("answer")
        heads = ("this answer", "conversation")[: len(columns)]
        yield [(" " * NAME + "".join(head.rjust(FIGURE) for head in heads), note)]
        for name, figure in _ROWS.items():
            figures = "".join(figure(column).rjust(FIGURE) for column in columns)
            yield [(f" {name}".ljust(NAME), note), (figures, answer)]
        yield from self._shares(columns)
        for fact in self._rest:
            yield [(f" {fact}", note)]

    def _shares(self, columns: list[Summary]) -> Iterable[Line]:
        note = self.look("note")
        for quadrant in _told(columns[-1]):
            word = f" {self.word(quadrant)} "
            line = [(" ", note), (word.ljust(NAME - 1), self.look(quadrant or "answer"))]
            for column in columns:
                line += self._bar(column, quadrant)
            yield line

    def _bar(self, run: Summary, quadrant: Quadrant | None) -> Line:
        """A share as a bar and a number, `FIGURE` cells together."""
        filled = round(BAR * run.quadrants[quadrant] / run.tokens) if run.tokens else 0
        return [
            (" " + "█" * filled, Style(color=self.look(quadrant or "answer").color)),
            ("·" * (BAR - filled), self.look("note")),
            (_share(run, quadrant).rjust(FIGURE - BAR - 1), self.look("answer")),
        ]


def _figures(run: Summary) -> list[str]:
    """In the order in which they are wanted where not all have room."""
    return [
        f"{run.tokens} tok",
        f"{_number(run.rate, 1)} tok/s",
        f"H {_number(run.mean_entropy)} bits",
        f"perplexity {_number(run.perplexity)}",
        f"attn {_number(run.mean_attn_entropy)} bits",
        f"{run.valleys} valley{'s' * (run.valleys != 1)}",
    ]


def _told(run: Summary) -> list[Quadrant | None]:
    """The quadrants, and none where some token is in none."""
    return [*QUADRANTS, *([None] if run.quadrants[None] else [])]


def _share(run: Summary, quadrant: Quadrant | None) -> str:
    return percent(run.quadrants[quadrant] / run.tokens, brief=True) if run.tokens else "-"


def _number(value: float | None, digits: int = 2) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if value < 1e5 else f"{value:.1e}"


_ROWS: dict[str, Callable[[Summary], str]] = {
    "tokens": lambda s: str(s.tokens),
    "tokens/s": lambda s: _number(s.rate, 1),
    "mean entropy": lambda s: f"{_number(s.mean_entropy)} bits",
    "perplexity": lambda s: _number(s.perplexity),
    "attn entropy": lambda s: f"{_number(s.mean_attn_entropy)} bits",
    "valleys": lambda s: str(s.valleys),
}
