"""Live strips: measures of the last tokens, one under the other, on fixed labelled scales."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from entropix_mlx.records.measures import Scale
from entropix_mlx.records.quadrants import levels
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.terminal.palette import FORMING
from entropix_tui.look.throttle import Pace
from entropix_tui.tokens.measures import ENTROPY, MEASURES, VARENTROPY
from entropix_tui.tokens.timeline import Timeline
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.strips import lane
from entropix_tui.widgets.strips.lane import LEAST, MOST, NARROW, ROWS, WIDTH, Bars, Column
from entropix_tui.widgets.styled import Styled


class Strips(Styled, can_focus=True):
    """One column a token, the same token in every strip; the newest, or the cursor's, in sight.

    `take` only notes what came; `flush` repaints, eight times a second at most, so it is called at
    every tick of the screen, with or without news. One widget for all strips: what the compositor
    spends on a repaint, it spends once.
    """

    DEFAULT_CSS = "Strips { height: auto; }"
    BINDINGS: ClassVar = [
        Binding("up", "choose(-1)", "Strip above", show=False, id="strips.above"),
        Binding("down", "choose(1)", "Strip below", show=False, id="strips.below"),
        Binding("m", "cycle(1)", "Scale", id="strips.measure"),
        Binding("M", "cycle(-1)", "Scale before", show=False, id="strips.measure_before"),
        Binding("left", "token(-1)", "Token before", show=False, id="strips.token_before"),
        Binding("right", "token(1)", "Token after", show=False, id="strips.token_after"),
        Binding("home", "end(0)", "First token", show=False, id="strips.first"),
        Binding("end", "end(-1)", "Last token", show=False, id="strips.last"),
    ]

    @dataclass
    class Picked(Message):
        """A token was pointed at, with the mouse or the arrow keys."""

        ref: TokenRef

    def __init__(
        self,
        measures: Sequence[str] = (ENTROPY.name, VARENTROPY.name),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(id="strips")
        self.timeline = Timeline()
        self.measures: list[Scale] = [MEASURES[name] for name in measures]
        self.slot = 0
        """The strip that the keys act on."""
        self._cursor: TokenRef | None = None
        self._held = False  # whether the window was moved away from the newest by hand
        self._dragging = False
        self._pace = Pace(clock=clock)
        self._dirty_from: int | None = None  # first column that is not painted yet
        self._bars: list[Bars] = []
        self._picture: list[Strip] = []

    # What has come.

    def take(self, record: PromptRecord | TokenRecord | Event | End) -> None:
        """Note the next record of the present branch."""
        before = len(self.timeline)
        self.timeline.add(record)
        if isinstance(record, PromptRecord):
            self._held = False
        if len(self.timeline) > before and self._dirty_from is None:
            self._dirty_from = before
        elif isinstance(record, Event) and record.kind == "valley":
            self._dirty_from = 0  # it lies somewhere behind

    def rebuild(
        self, path: Iterable[PromptRecord | TokenRecord], events: Iterable[Event | End] = ()
    ) -> None:
        """Show another branch, or a session that was restored."""
        self.timeline.rebuild(path, events)
        self._held = False
        self._settle()

    def resplit(self) -> None:
        """Quadrants are told by another split: draw its lines."""
        self._repaint()

    def select(self, slot: int, name: str) -> None:
        """Have the strip `slot`, from 0, show the measure `name`."""
        self.measures[slot] = MEASURES[name]
        self._repaint()

    def flush(self) -> None:
        """Paint what has come, if it is time to."""
        # Without a size yet there is no window to move; it begins with one that is filled.
        if self._dirty_from is None or not self.size.width or not self._pace.due():
            return
        first, self._dirty_from = self._dirty_from, None
        pinned = self._held or self._cursor is not None
        moved = not pinned and self.timeline.follow(self._columns)
        if moved or first <= self.timeline.start:
            self._repaint()
            return
        before, self._picture = self._picture, self._draw()
        # The compositor repaints a row from its widget's left edge: what can be spared is what
        # lies right of the newest bar, and whole rows that look as before.
        right = self._label_width + len(self.timeline) - self.timeline.start
        right = min(right, self.size.width)
        changed = [y for y, strip in enumerate(self._picture) if strip not in before[y : y + 1]]
        if changed:
            self.refresh(*(Region(0, y, right, 1) for y in changed))

    # The cursor.

    @property
    def cursor(self) -> TokenRef | None:
        """The token under the text's cursor; it is always in sight, however long ago it was."""
        return self._cursor

    @cursor.setter
    def cursor(self, ref: TokenRef | None) -> None:
        if ref != self._cursor:
            if self._cursor is None:
                self._settle()  # what came last may not be painted yet
            self._cursor = ref
            self._settle()

    def _settle(self) -> None:
        """Have the cursor in the window, or else the newest, and draw it."""
        ref = self._cursor
        column = None if ref is None else self.timeline.column_of(ref)
        if column is not None:
            self.timeline.show(column, self._columns)
        elif not self._held:
            self.timeline.follow(self._columns)
        self._repaint()

    def value(self, measure: Scale) -> float | None:
        """A measure of the token under the cursor, otherwise of the newest."""
        record = self.timeline.at_hand(self._cursor)
        return None if record is None else measure.value(record)

    def _pick(self, column: int) -> None:
        if 0 <= column < len(self.timeline):
            ref = self.timeline.ref(column)
            if ref != self._cursor:
                self._held = False
                self.cursor = ref
                self.post_message(self.Picked(ref))

    # Keys and mouse.

    def action_choose(self, step: int) -> None:
        self.slot = max(0, min(self.slot + step, len(self.measures) - 1))
        self._repaint()

    def action_cycle(self, step: int) -> None:
        """Show the next measure on the strip that was chosen."""
        self._cycle(self.slot, step)

    def action_token(self, step: int) -> None:
        here = None if self._cursor is None else self.timeline.column_of(self._cursor)
        self._pick(len(self.timeline) - 1 if here is None else here + step)

    def action_end(self, column: int) -> None:
        self._pick(column % max(1, len(self.timeline)))

    def _cycle(self, slot: int, step: int) -> None:
        names = list(MEASURES)
        at = names.index(self.measures[slot].name)
        self.select(slot, names[(at + step) % len(names)])

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.slot = max(0, min(event.y // self._rows, len(self.measures) - 1))
        if event.x < self._label_width:
            self._cycle(self.slot, -1 if event.button == 3 else 1)
            return
        self._dragging = True
        self.capture_mouse()
        self._pick(self._column_at(event.x))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._pick(self._column_at(event.x))

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._pan(-1, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._pan(1, event)

    def _pan(self, step: int, event: events.Event) -> None:
        event.stop()
        if self.timeline.pan(step * max(1, self._columns // 4), self._columns):
            self._held = self.timeline.start + self._columns < len(self.timeline)
            self._repaint()

    def _column_at(self, x: int) -> int:
        """The column under a cell, within the window."""
        last = min(self._columns, len(self.timeline) - self.timeline.start) - 1
        return self.timeline.start + max(0, min(x - self._label_width, last))

    # Drawing.

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        rows = min(viewport.height // ROWS, MOST)
        return len(self.measures) * (rows if rows >= LEAST else 1)

    @property
    def _rows(self) -> int:
        """Rows of one strip."""
        return max(1, self.size.height // len(self.measures))

    @property
    def _label_width(self) -> int:
        return NARROW if self._rows == 1 else WIDTH

    @property
    def _columns(self) -> int:
        return max(1, self.size.width - self._label_width)

    def on_resize(self) -> None:
        if self._held:
            self.timeline.pan(0, self._columns)  # a wider window has more to show
        self._settle()

    def on_focus(self) -> None:
        self._repaint()

    on_blur = on_focus

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._bars.clear()
        self._picture.clear()

    def _repaint(self) -> None:
        """Draw everything anew."""
        self._dirty_from = None
        self._bars.clear()
        self._picture.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if not self._picture:
            self._picture = self._draw()
        return self._picture[y] if y < len(self._picture) else Strip.blank(self.size.width)

    def _draw(self) -> list[Strip]:
        """All rows of all strips; of the bars, only those that have come."""
        base, dark = self.rich_style, self.dark
        height, width = self._rows, self._columns
        active = self.slot if self.has_focus else None
        looks = [
            lane.looks(measure.name, self.colours, dark, base, slot == active)
            for slot, measure in enumerate(self.measures)
        ]
        if not self._bars:
            self._bars = [
                Bars(measure, self._thresholds(measure), height, drawn_as)
                for measure, drawn_as in zip(self.measures, looks, strict=True)
            ]
        self._extend(width)
        picture: list[Strip] = []
        total = self._label_width + width
        for slot, (bars, drawn_as) in enumerate(zip(self._bars, looks, strict=True)):
            measure = bars.measure
            labels = lane.label(
                measure,
                self.value(measure),
                self._thresholds(measure),
                height,
                slot == active,
                measure is ENTROPY,
            )
            for (text, is_name), row in zip(labels, bars.rows(width), strict=True):
                head = _label(text, is_name or height == 1, drawn_as)
                picture.append(Strip([*head, *row], total))
        self._mark_forming(picture, looks)
        return [strip.crop_extend(0, self.size.width, base) for strip in picture]

    def _extend(self, width: int) -> None:
        """Add what has come since to the bars."""
        timeline = self.timeline
        start = timeline.start + self._bars[0].drawn
        stop = min(len(timeline), timeline.start + width)
        cursor = None if self._cursor is None else timeline.column_of(self._cursor)
        places = range(start, stop)
        marks = [(timeline.is_prompt(i), i == cursor) for i in places]
        records = timeline.records[start:stop]
        for bars in self._bars:
            value = bars.measure.value
            valleys: Iterable[bool] = repeat(False)
            course: Iterable[float | None] = repeat(None)
            if bars.measure is ENTROPY:
                valleys = map(timeline.is_valley, places)
                course = timeline.course.values(start, stop) if self._rows > 1 else course
            columns = zip(records, marks, valleys, course, strict=False)
            bars.add(Column(value(r), *mark, valley, at) for r, mark, valley, at in columns)

    def _mark_forming(self, picture: list[Strip], looks: Sequence[lane.Looks]) -> None:
        """Put the hollow sign where a valley forms: it moves, so it lies over what stands."""
        at = self.timeline.course.forming
        column = None if at is None else at - self.timeline.start
        if column is None or not 0 <= column < self._columns:
            return
        x = self._label_width + column
        for slot, (measure, drawn_as) in enumerate(zip(self.measures, looks, strict=True)):
            if measure is ENTROPY:
                strip = picture[slot * self._rows]
                sign = Strip([Segment(FORMING, drawn_as.course)], 1)
                picture[slot * self._rows] = Strip.join(
                    [strip.crop(0, x), sign, strip.crop(x + 1, strip.cell_length)]
                )

    def _thresholds(self, measure: Scale) -> list[float]:
        """The levels of a measure at which tokens change their quadrant, whatever else they are."""
        if self.split is None or measure not in (ENTROPY, VARENTROPY):
            return []
        return list(levels(self.split)[measure is VARENTROPY])


def _label(text: str, named: bool, styles: lane.Looks) -> list[Segment]:
    """A row of the label; a name is drawn in its measure's colour, and only the name is marked."""
    if not named:
        return [Segment(text, styles.note)]
    name = text.rstrip()
    plain = Style(reverse=False)
    return [Segment(name, styles.name), Segment(text[len(name) :], styles.note + plain)]
