"""The quadrant plane: how sure, and how evenly so, all tokens of an answer were."""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from entropix_mlx.records.quadrants import KINDS, QUADRANTS, Quadrant, quadrant_of
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.settings import Settings
from entropix_tui.look.throttle import SELDOM, Pace
from entropix_tui.tokens.measures import ENTROPY, VARENTROPY
from entropix_tui.tokens.timeline import Timeline
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.plane.plane_map import Density, Divided, Place, PlaneMap, braille
from entropix_tui.widgets.styled import Styled

TRAIL = "●○○○∘∘∘∘"
"""Signs of the last tokens, the newest first."""
CURSOR = "◆"
GUTTER = 5
"""Cells of the varentropy's axis."""
ROOMY = 10
"""Rows from which on there is a heading, and a line about the token at hand."""


class QuadrantPlane(Styled):
    """Entropy to the right, varentropy upwards, divided as quadrants are told; or into the bands by
    which the sampler in force goes (`divide`).

    `take` only notes what came, `flush` repaints the rows that changed, some four times a
    second. More dots mean more tokens; so do bolder ones.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id="plane")
        self.timeline = Timeline()
        self.by_sampler = False
        """Whether it is divided into the sampler's bands."""
        self._settings: Settings | None = None
        self._cursor: TokenRef | None = None
        self._pace = Pace(SELDOM, clock)
        self._map: PlaneMap | None = None
        self._density: Density | None = None
        self._counted = 0  # columns of the timeline that are in the density
        self._signs: dict[tuple[int, int], str] = {}  # (row, column) -> trail and cursor
        self._words: dict[tuple[int, int], tuple[str, str]] = {}  # -> character and corner
        self._captions: list[tuple[Place, str]] = []
        self._ticks: dict[int, str] = {}
        self._picture: list[Strip | None] = []

    # What has come.

    def take(self, record: PromptRecord | TokenRecord | Event | End) -> None:
        """Note the next record of the present branch."""
        self.timeline.add(record)

    def rebuild(
        self, path: Iterable[PromptRecord | TokenRecord], events: Iterable[Event | End] = ()
    ) -> None:
        """Show another branch, or a session that was restored."""
        self.timeline.rebuild(path, events)
        self._restart()

    def use(self, settings: Settings | None) -> None:
        """These (bound) settings are in force; a threshold of None rules nowhere."""
        self._settings = settings
        self._map = None  # the density stays: tokens stay where they are
        self.refresh()

    def divide(self, by_sampler: bool) -> None:
        if by_sampler != self.by_sampler:
            self.by_sampler = by_sampler
            self._restart()

    @property
    def cursor(self) -> TokenRef | None:
        """The token under the text's cursor."""
        return self._cursor

    @cursor.setter
    def cursor(self, ref: TokenRef | None) -> None:
        if ref != self._cursor:
            self._cursor = ref
            self._paint()

    @property
    def here(self) -> TokenRecord | None:
        """The token that the last line is about: the cursor's, otherwise the newest."""
        return self.timeline.at_hand(self._cursor)

    def flush(self) -> None:
        """Paint what has come, if it is time to."""
        news = self._counted < len(self.timeline)
        if news and self.is_on_screen and self._pace.due():
            self._paint()

    def _paint(self) -> None:
        """Take what has come into the picture, and repaint the rows that it changes."""
        if self._map is None or self._density is None:
            self.refresh()
            return
        self._settle(self._map, self._density)
        changed = [y for y, strip in enumerate(self._picture) if strip is None]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _restart(self) -> None:
        """Measure and draw everything anew, when it is drawn next."""
        self._map = self._density = None
        self.refresh()

    def on_resize(self) -> None:
        self._restart()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._map = self._density = None

    # Where everything lies.

    @property
    def _roomy(self) -> bool:
        return self.size.height >= ROOMY

    def _begin(self) -> PlaneMap:
        columns = max(1, self.size.width - GUTTER)
        rows = max(1, self.size.height - (3 if self._roomy else 1))
        plane = self._map = PlaneMap(columns, rows, self._divided)
        density = self._density
        if density is None:
            density = Density(plane, "region" if self.by_sampler else "quadrant")
            self._counted = 0
            self._density = density
        self._signs = {}
        self._picture = [None] * self.size.height
        self._settle(plane, density)
        self._ticks = plane.ticks_y()
        self._write(plane)
        return plane

    @property
    def _divided(self) -> Divided | None:
        if self.by_sampler:
            corners = {} if self._settings is None else bounds(self._settings.to_dict())
            return partial(region_of, corners=corners)
        split = self.split
        if split is None or (split.entropy is None and not split.corners):
            return None
        return partial(quadrant_of, split=split)

    def _named(self, corner: Quadrant) -> str:
        """The sampler's bands go by their settings' names: they are no quadrants."""
        return corner if self.by_sampler else self.word(corner)

    def _settle(self, plane: PlaneMap, density: Density) -> None:
        """Take in new tokens, the trail and the cursor; forget the rows that they change."""
        most = density.most
        for row in density.add(self.timeline.answered(self._counted)):
            self._forget(row)
        self._counted = len(self.timeline)
        if density.most.bit_length() != most.bit_length():  # the levels of all counts move
            self._picture = [None] * len(self._picture)
        signs = self._marks(plane)
        for place, _ in signs.items() ^ self._signs.items():
            self._forget(place[0])
        self._signs = signs
        self._picture[-1] = None

    def _forget(self, row: int) -> None:
        self._picture[row + self._roomy] = None

    def _marks(self, plane: PlaneMap) -> dict[tuple[int, int], str]:
        """The trail, the newest on top, and the cursor over it."""
        signs: dict[tuple[int, int], str] = {}
        last = [
            self.timeline.records[column]
            for column in range(max(0, len(self.timeline) - len(TRAIL)), len(self.timeline))
            if not self.timeline.is_prompt(column)
        ]
        age = len(last)
        for record in last:
            age -= 1
            if _measured(record):
                signs[_cell(plane, record)] = TRAIL[age]
        here = self.here
        if self._cursor is not None and here is not None and _measured(here):
            signs[_cell(plane, here)] = CURSOR
        return signs

    def _write(self, plane: PlaneMap) -> None:
        """Put the corners' words into the picture, and their captions where there is room."""
        self._words, self._captions = {}, []
        for corner in QUADRANTS:
            word = f" {self._named(corner)} "
            place = plane.place(word, corner)
            if place is None:
                continue
            for i, char in enumerate(word):
                self._words[place.row, place.column + i] = (char, corner)
            caption = f" {KINDS[corner].caption} "
            if not self.by_sampler and (below := plane.place(caption, corner, place.row)):
                self._captions.append((below, caption))

    # Drawing.

    def render_line(self, y: int) -> Strip:
        plane = self._map or self._begin()
        if y >= len(self._picture):
            return Strip.blank(self.size.width)
        strip = self._picture[y]
        if strip is None:
            cells = self._row(y, plane)
            base = self.rich_style
            segments = []
            for _, group in groupby(cells, key=_look):
                run = list(group)
                segments.append(Segment("".join([char for char, _ in run]), base + run[0][1]))
            strip = Strip(segments, len(cells)).crop_extend(0, self.size.width, base)
            self._picture[y] = strip
        return strip

    def _row(self, y: int, plane: PlaneMap) -> list[tuple[str, Style]]:
        note = self.look("note")
        row = y - self._roomy
        if row < 0:
            whose = "   the sampler's bands" if self.by_sampler else ""
            return _cells(f" {VARENTROPY.name}, {VARENTROPY.unit}{whose}", note)
        if row > plane.rows:
            return self._about()
        if row == plane.rows:
            name = f"{ENTROPY.name}, {ENTROPY.unit}" if self._roomy else ENTROPY.unit
            left = "" if self._roomy else VARENTROPY.unit
            return _cells(left.ljust(GUTTER) + plane.axis(name), note)
        tick = self._ticks.get(row, "")
        axis = f"{tick:>{GUTTER - 1}}" + ("┤" if tick else "│")
        cells = _cells(axis + plane.lines[row], note)
        density = self._density
        assert density is not None
        kinds, counts, dots = density.kinds[row], density.counts[row], density.dots[row]
        for (at, begin), caption in self._captions:
            if at == row and not any(counts[begin : begin + len(caption)]):
                cells[GUTTER + begin : GUTTER + begin + len(caption)] = _cells(caption, note)
        for column in range(plane.columns):
            char, corner = self._words.get((row, column), (" ", ""))
            if sign := self._signs.get((row, column)):
                cells[GUTTER + column] = (sign, self._sign_style(sign))
            elif not char.isspace():
                cells[GUTTER + column] = (char, self.look(corner))
            elif dots[column]:
                behind = density.most.bit_length() - counts[column].bit_length()
                style = _strength(self.look(kinds[column] or "answer"), min(behind, 4) // 2)
                cells[GUTTER + column] = (braille(dots[column]), style)
        return cells

    def _sign_style(self, sign: str) -> Style:
        if sign == CURSOR:
            return self.cursor_look
        return self.look({TRAIL[0]: "user", TRAIL[1]: "answer"}.get(sign, "note"))

    def _about(self) -> list[tuple[str, Style]]:
        """The token at hand, in words."""
        record = self.here
        if record is None or record.entropy is None or record.varentropy is None:
            return []
        sign = CURSOR if self._cursor is not None else TRAIL[0]
        kind: str | None = record.region if self.by_sampler else record.quadrant
        word, note = kind or "not drawn", record.strategy or ""
        if not self.by_sampler:
            word = self.word(record.quadrant)
            note = KINDS[record.quadrant].caption if record.quadrant else ""
        head = [
            *_cells(f" {sign} ", self._sign_style(sign)),
            *_cells(f" {word} ", self.look(kind or "answer")),
            *_cells(f"  H {record.entropy:.2f}  V {record.varentropy:.2f}  ", self.look("answer")),
        ]
        whole = len(head) + cell_len(note) <= self.size.width  # half a sentence says something else
        return head + _cells(note if whole else "", self.look("note"))


@lru_cache(64)
def _strength(look: Style, faintness: int) -> Style:
    """A region's colour, bold where many tokens fell, faint where few did."""
    return Style(color=look.color, bold=faintness == 0 or None, dim=faintness == 2 or None)


def _measured(record: TokenRecord) -> bool:
    return record.entropy is not None and record.varentropy is not None


def _cell(plane: PlaneMap, record: TokenRecord) -> tuple[int, int]:
    dot = plane.dot(record.entropy or 0.0, record.varentropy or 0.0)
    return dot.row, dot.column


def _look(cell: tuple[str, Style]) -> int:
    """Styles are shared, and far cheaper to tell apart by identity."""
    return id(cell[1])


def _cells(text: str, style: Style) -> list[tuple[str, Style]]:
    return [(char, style) for char in text]
