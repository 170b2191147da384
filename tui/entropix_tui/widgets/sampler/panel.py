"""The sampler at hand: its preset and every value of it, moved while it generates."""

import time
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.timer import Timer

from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.settings import Settings, declared, delete_preset
from entropix_mlx.terminal.glyphs import one_line
from entropix_models.errors import EntropixError
from entropix_tui.widgets.sampler.editor import ways
from entropix_tui.widgets.sampler.setting_rows import PRESET, SettingRows, value_width

HELD = 0.05
"""Seconds in which changes are gathered: a key that is held down says no more than that."""
ECHO = 5.0
"""Seconds in which settings that were posted are expected back."""
LONGEST = 40


class SamplerPanel(SettingRows):
    """A list of the preset and its settings; the last line says what the chosen one does.

    Nothing wrong is ever posted: it is told in the last line, and the value stays as it was.
    """

    DEFAULT_CSS = """
    SamplerPanel {
        border: round $border-blurred; border-title-color: $foreground;
        &:focus { border: round $border; }
    }
    """
    BINDINGS: ClassVar = [
        Binding("up", "go(-1)", "Setting above", show=False, id="sampler.above"),
        Binding("down", "go(1)", "Setting below", show=False, id="sampler.below"),
        Binding("home", "go(-99)", "First setting", show=False, id="sampler.first"),
        Binding("end", "go(99)", "Last setting", show=False, id="sampler.last"),
        Binding("left", "move(-1)", "Less", id="sampler.less"),
        Binding("right", "move(1)", "More", id="sampler.more"),
        Binding("shift+left", "move(-1, True)", "Much less", show=False, id="sampler.much_less"),
        Binding("shift+right", "move(1, True)", "Much more", show=False, id="sampler.much_more"),
        Binding("enter", "type", "Type", show=False, id="sampler.type"),
        Binding("backspace", "reset", "Reset", id="sampler.reset"),
        Binding("s", "save", "Save", id="sampler.save"),
        Binding("delete", "forget", "Delete preset", show=False, id="sampler.forget"),
    ]

    @dataclass
    class Changed(Message):
        """Other settings are to hold from the next token drawn."""

        settings: Settings

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "sampler"
        self._forgetting = False  # whether Delete was pressed once
        self._held: Timer | None = None
        self._calibration: Calibration | None = None
        self._sent: deque[tuple[float, Settings]] = deque(maxlen=64)

    def show(self, settings: Settings, calibration: Calibration | None = None) -> None:
        """Show a session's settings, bound or not: when it begins, and whenever they change.

        The panel's own changes come back this way, perhaps after others were made: they are
        passed over. With the session's calibration, a threshold of the model's own is told from
        one that was set to another value.
        """
        if calibration == self._calibration and self._is_echo(settings):
            return
        self._sent.clear()
        self._calibration = calibration
        self.editor.show(settings, calibration)
        self._renew()

    def _is_echo(self, settings: Settings) -> bool:
        """Whether these were posted from here a moment ago."""
        now = time.monotonic()
        while self._sent and now - self._sent[0][0] > ECHO:
            self._sent.popleft()
        at = next((i for i, (_, sent) in enumerate(self._sent) if sent == settings), None)
        if at is None:
            return False
        for _ in range(at + 1):
            self._sent.popleft()
        return True

    @property
    def settings(self) -> Settings:
        return self.editor.settings

    def action_go(self, step: int) -> None:
        self._leave()
        self.go(step)

    def action_move(self, direction: int, large: bool = False) -> None:
        self._leave()
        try:
            if self._chosen == PRESET:
                names = self._names()
                at = names.index(self.editor.name) if self.editor.name in names else 0
                self.editor.choose(names[(at + direction) % len(names)])
                self._renew()
            else:
                self.editor.move(self._chosen, direction, large=large)
        except EntropixError as error:
            self._tell(error)
            return
        self._post_soon()

    def _names(self) -> list[str]:
        """All presets; the built-in ones, and a word on the file, if that is damaged."""
        try:
            return self.editor.names
        except EntropixError as error:
            self._tell(error)
            return list(declared())

    def action_reset(self) -> None:
        """Back to the preset's value; on the preset itself, all of them."""
        self._leave()
        try:
            if self._chosen == PRESET:
                self.editor.choose(self.editor.name)
            else:
                self.editor.reset(self._chosen)
        except EntropixError as error:
            self._tell(error)
            return
        self._post_soon()

    def action_type(self) -> None:
        """Enter: the next preset, the next of a few words, or a number to be typed."""
        if self._chosen == PRESET or ways(self._chosen):
            self.action_move(1)
        else:
            self._leave()
            self._writing = ""
            self.refresh()

    def action_save(self) -> None:
        """Ask for a name in the last line."""
        self._leave()
        own = self.editor.name not in declared()
        self._writing, self._naming = (self.editor.name if own else ""), True
        self.refresh()

    def action_forget(self) -> None:
        """Delete the user's preset in force, at the second press."""
        sure = self._forgetting
        self._leave()
        name = self.editor.name
        try:
            if name in declared():
                self._word = f"{name} is built in"
            elif not sure:
                self._forgetting = True
                self._word = f"Delete once more forgets the preset {name}"
            else:
                delete_preset(name)
                self.editor.name = self.settings.preset
                self.editor.show(self.settings)
                self._word = f"forgot {name}"
        except EntropixError as error:
            self._tell(error)
        self._renew()

    def _commit(self) -> None:
        """Take what was typed."""
        text, naming = (self._writing or "").strip(), self._naming
        self._writing, self._naming = None, False
        if not text:
            self.refresh()
            return
        try:
            if naming:
                self.editor.save(text)
                self._word = f"saved: --sampler {text} and this panel know it"
                self.refresh()
            else:
                self.editor.put(self._chosen, text)
                self._post_soon()
        except EntropixError as error:
            self._tell(error)

    def _leave(self) -> None:
        """End typing without taking it, and forget the last word."""
        self._writing, self._naming, self._forgetting, self._word = None, False, False, ""

    def _tell(self, error: EntropixError) -> None:
        self._word = one_line(str(error))
        self.refresh()

    def _post_soon(self) -> None:
        self.refresh()
        if self._held is None:
            self._held = self.set_timer(HELD, self._post)

    def _post(self) -> None:
        self._held = None
        self._sent.append((time.monotonic(), self.settings))
        self.post_message(self.Changed(self.settings))

    # Keys and mouse.

    def on_key(self, event: events.Key) -> None:
        char = event.character or ""
        if self._writing is None:
            number = char.isdecimal() or char == "."
            if not number or self._chosen == PRESET or ways(self._chosen):
                return
            self._leave()
            self._writing = char
        elif event.key == "enter":
            self._commit()
        elif event.key == "escape":
            self._leave()
        elif event.key == "backspace":
            self._writing = self._writing[:-1]
        elif char.isprintable() and char and len(self._writing) < LONGEST:
            self._writing += char
        elif event.key in ("up", "down", "tab", "shift+tab"):
            self._leave()
            return
        event.stop()
        event.prevent_default()
        self.refresh()

    def on_blur(self) -> None:
        self._leave()
        self.refresh()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self._top <= self._top + offset.y < len(self._rows):
            return
        at = self._top + offset.y
        if offset.y >= self._room or not self._rows[at].name:
            return
        self._leave()
        self._at = at
        values, width = self.name_width, value_width(self._chosen)
        if offset.x == values:
            self.action_move(-1, event.shift)
        elif offset.x == values + 1 + width:
            self.action_move(1, event.shift)
        elif values < offset.x <= values + width:
            self.action_type()
        self.refresh()
