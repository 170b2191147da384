"""A list of a sampler's preset and settings: what is in sight, and how it is drawn."""

import textwrap
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.widgets.sampler.editor import SamplerEditor, about, note, shown
from entropix_tui.widgets.styled import Styled

PRESET = "preset"
NAME, VALUE, WIDE = 18, 10, 19
LESS, MORE, CHANGED, HERE = "◂", "▸", "•", "▸"
ROOMY, BROAD = 16, 68
"""Rows from which on there are two last lines, columns from which on every setting is explained."""


class _Row(NamedTuple):
    """A heading (no name), the preset, or a setting."""

    name: str
    heading: str = ""


class SettingRows(Styled, can_focus=True):
    """The rows, one of them chosen, and under them a line or two on what goes on."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.editor = SamplerEditor()
        self._rows = self._list()
        self._at = 0
        self._top = 0  # first row in sight
        self._writing: str | None = None  # a value or a name that is being typed
        self._naming = False
        self._word = ""  # what went wrong, or was done, last

    # Moving about.

    def go(self, step: int) -> None:
        """Choose the row `step` rows further."""
        self._at = self._next(self._at, step)
        self._reveal()

    def _next(self, at: int, step: int) -> int:
        """The row `step` rows further that is no heading."""
        at = max(0, min(at + step, len(self._rows) - 1))
        if not self._rows[at].name:
            at += 1 if step > 0 else -1
        return at

    @property
    def _chosen(self) -> str:
        return self._rows[self._at].name

    @property
    def name_width(self) -> int:
        """Columns before the values: a chain's settings may have long names."""
        return max(NAME, *(len(row.name) + 3 for row in self._rows))

    @property
    def _room(self) -> int:
        """Rows of the list: all but the last line, which are two where they can be spared."""
        height = self.size.height
        return max(1, height - (2 if height >= ROOMY else 1))

    def _reveal(self) -> None:
        space = self._room
        # With the first setting of a group its heading comes into sight.
        first = self._at - (self._at > 0 and not self._rows[self._at - 1].name)
        self._top = max(0, min(self._top, first), self._at - space + 1)
        self.refresh()

    def _list(self) -> list[_Row]:
        rows = [_Row(PRESET)]
        for group, names in self.editor.offered():
            rows += [_Row("", group), *map(_Row, names)]
        return rows

    def _renew(self) -> None:
        """The preset has changed, and with it what there is to set."""
        chosen = self._chosen
        self._rows = self._list()
        names = [row.name for row in self._rows]
        self._at = names.index(chosen) if chosen in names else 0
        self._reveal()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(-2, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(2, event)

    def _scroll(self, by: int, event: events.Event) -> None:
        event.stop()
        room = self._room
        self._top = max(0, min(self._top + by, len(self._rows) - room))
        self.refresh()

    def on_resize(self) -> None:
        self._reveal()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        at = self._top + y
        if y >= self._room:
            parts = self._foot(y - self._room)
        elif at < len(self._rows):
            parts = self._row(at)
        else:
            parts = []
        segments = [Segment(text, base + style) for text, style in parts]
        strip = Strip(segments).crop_extend(0, width, base)
        bar = self._scrollbar(y)
        return Strip.join([strip.crop(0, width - 1), bar]) if bar else strip

    def _scrollbar(self, y: int) -> Strip | None:
        room = self._room
        if len(self._rows) <= room or y >= room:
            return None
        size = max(1, room * room // len(self._rows))
        at = self._top * (room - size) // max(1, len(self._rows) - room)
        return Strip([Segment("┃" if at <= y < at + size else "│", self.look("note"))])

    def _row(self, at: int) -> list[tuple[str, Style]]:
        row = self._rows[at]
        faint = self.look("note")
        if not row.name:
            return [(f" {row.heading} ", faint + Style(bold=True))]
        here = at == self._at
        if row.name == PRESET:
            changed = bool(self.editor.changed)
            value = self.editor.name
        else:
            changed = self.editor.is_changed(row.name)
            value = shown(self.editor.value(row.name))
        cells = value_width(row.name) - 2
        if here and self._writing is not None and not self._naming:
            value = self._writing[1 - cells :] + "▏"
        look = self.look("user" if changed or here else "answer")
        mark = Style(reverse=True) if here and self.has_focus else Style.null()
        after = f" {CHANGED} " if changed else "   "
        return [
            (f"{HERE if here else ' '} {row.name}".ljust(self.name_width), look),
            (LESS, faint),
            (f" {_fit(value, cells)} ", look + mark),
            (MORE, faint),
            (after, self.look("user")),
            (self._beside(row.name), faint),
        ]

    def _beside(self, name: str) -> str:
        """What is said beside a value."""
        if name == PRESET:
            return ""
        return about(name) if self.size.width >= BROAD else note(name)

    def _foot(self, line: int) -> list[tuple[str, Style]]:
        """What goes on, on as many lines as there are."""
        if self._naming:
            text, look = f"save as: {one_line(self._writing or '')}▏", "user"
        elif self._word:
            text, look = self._word, "error"
        elif self._chosen != PRESET:
            text, look = about(self._chosen), "note"
        else:
            changes = len(self.editor.changed)
            text = f"{changes} changed; s saves them under a name" if changes else "←→ switch"
            look = "note"
        lines = textwrap.wrap(text, max(1, self.size.width - 2)) if self._word else [text]
        return [(f" {lines[line]}" if line < len(lines) else "", self.look(look))]


def value_width(name: str) -> int:
    """Cells of a value."""
    return WIDE if name == PRESET else VALUE


def _fit(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").rjust(width)
