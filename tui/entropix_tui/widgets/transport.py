"""The line that a replay is played with: where it stands, a bar to go elsewhere, how fast."""

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.replay.playback import AT_ONCE, Playback
from entropix_tui.widgets.styled import Styled

PLAYED, REST, TURN, TURN_AHEAD, HEAD = "━", "─", "╋", "┼", "●"
LEAST = 8
"""Cells of the bar below which figures give way to it."""

_STEP = Binding.Group("token", compact=True)
_SPEED = Binding.Group("speed", compact=True)
_TURN = Binding.Group("turn", compact=True)


def _key(key: str, action: str, name: str, id: str, tooltip: str, **rest: object) -> Binding:
    return Binding(key, f"screen.{action}", name, id=f"replay.{id}", tooltip=tooltip, **rest)  # type: ignore[arg-type]


class Transport(Styled, can_focus=True):
    """Stands where a chat has its prompt. A click on the bar, or dragging along it, goes there."""

    BINDING_GROUP_TITLE = "The replay's line"
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("space", "play", "Play", "play", "Play or pause; at the end, from the beginning"),
        _key("left", "travel('token', -1)", "Token", "left", "Back to the token before",
             group=_STEP),
        _key("right", "travel('token', 1)", "Token", "right", "On to the token after",
             group=_STEP),
        _key("T", "travel('turn', -1)", "Turn", "turn_before", "Back to where a turn's answer "
             "began", group=_TURN),
        _key("t", "travel('turn', 1)", "Turn", "turn_after", "On to the next turn", group=_TURN),
        _key("less_than_sign", "faster(-1)", "Speed", "slower", "Play slower", group=_SPEED),
        _key("greater_than_sign", "faster(1)", "Speed", "faster", "Play faster", group=_SPEED),
        _key("enter", "step", "Step in", "step", "The debugger, at the token under the cursor"),
        _key("v", "travel('valley', 1)", "Valley", "valley_after", "On to the next valley",
             show=False),
        _key("V", "travel('valley', -1)", "Valley", "valley_before", "Back to the valley before",
             show=False),
        _key("home", "seek(0)", "Beginning", "beginning", "To the beginning", show=False),
        _key("end", "seek(1)", "End", "end", "To the end", show=False),
    ]  # fmt: skip
    DEFAULT_CSS = """
    Transport {
        height: 3; border: round $border-blurred; padding: 0 1;
        border-title-color: $foreground; border-subtitle-color: $foreground;
        &:focus { border: round $border; }
    }
    """

    @dataclass
    class Sought(Message):
        """A share (0 to 1) of the whole was pointed at."""

        share: float

    def __init__(self, playback: Playback, name: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.playback = playback
        self.border_title = Text(one_line(name))
        self.border_subtitle = "Space plays · ⏎ steps in"
        self._bar = range(0)  # cells from the widget's left edge
        self._told: object = None
        self._dragging = False

    def tell(self) -> None:
        """Repaint if anything on it is another."""
        playback = self.playback
        now = playback.position, playback.length, int(playback.elapsed), playback.playing
        if (told := (*now, playback.speed)) != self._told:
            self._told = told
            self.refresh()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, base)
        playback, note = self.playback, self.look("note")
        known, total = playback.tokens
        # Of the same width wherever it stands: a bar that moves can't be dragged along.
        whole, every = str(total), _clock(playback.duration)
        left = f"{'▶' if playback.playing else '‖'} {known:>{len(whole)}}/{whole} tokens "
        times = f" {_clock(playback.elapsed):>{len(every)}} / {every} "
        speed = f" {_speed(playback.speed):>5}"
        if width - len(left) - len(times) - len(speed) < LEAST:
            times = ""
        bar = max(0, width - len(left) - len(times) - len(speed))
        first = self.gutter.left + len(left)
        self._bar = range(first, first + bar)
        segments = [
            Segment(left, base + Style(bold=True)),
            *self._drawn(bar, base, note),
            Segment(times, base + note),
            Segment(speed, base + Style(bold=True)),
        ]
        return Strip(segments).crop_extend(0, width, base)

    def _drawn(self, cells: int, base: Style, note: Style) -> list[Segment]:
        """The bar: what was played, the head, what is to come; where turns begin."""
        playback = self.playback
        last = max(1, cells - 1)
        head = round(playback.position / max(1, playback.length) * last)
        turns = {round(at / max(1, playback.length) * last) for at in playback.turns}
        played, rest = base + self.look("user"), base + note
        segments = []
        for cell in range(cells):
            ahead = cell > head
            mark = (TURN_AHEAD if ahead else TURN) if cell in turns else REST if ahead else PLAYED
            segments.append(Segment(HEAD if cell == head else mark, rest if ahead else played))
        return segments

    # The mouse.

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x in self._bar:
            self._dragging = True
            self.capture_mouse()
            self._point(event.x)
        elif event.x < self._bar.start:
            self.screen.action_play()  # type: ignore[attr-defined]

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._point(event.x)

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _point(self, x: int) -> None:
        share = (x - self._bar.start) / max(1, len(self._bar) - 1)
        self.post_message(self.Sought(max(0.0, min(share, 1.0))))


def _clock(seconds: float) -> str:
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def _speed(speed: float) -> str:
    return "at once" if speed == AT_ONCE else f"×{speed:g}"
