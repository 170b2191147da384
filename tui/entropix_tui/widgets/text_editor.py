"""A text that is written: what is put or pasted into it is made harmless first."""

import re
import unicodedata
from functools import lru_cache

from textual import events
from textual.strip import Strip
from textual.widgets import TextArea

from entropix_mlx.terminal.glyphs import ZWJ, ZWNJ

LONGEST = 200_000
"""Characters that are pasted at most: far more than any model here reads."""


class Editor(TextArea):
    """Plain text, wrapped. Nothing that steers a terminal or hides in a text gets into it."""

    def __init__(self, *, placeholder: str, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder=placeholder,
        )
        self.cursor_blink = False  # each blink repaints, in the time of the model

    def put(self, text: str) -> None:
        """Replace the text, the cursor after it."""
        self.load_text(harmless(text))
        self.move_cursor(self.document.end)

    def render_line(self, y: int) -> Strip:
        """Where there is no room for a single character, Textual can't wrap the placeholder."""
        return super().render_line(y) if self.content_size.width > 0 else Strip.blank(0)

    async def _on_paste(self, event: events.Paste) -> None:
        text = harmless(event.text)
        left_out = len(re.sub(r"\r\n?", "\n", event.text)) - len(text)
        room = max(0, LONGEST - len(self.text) + len(self.selected_text))
        if left_out:
            self._tell(f"{left_out} control or invisible character{'s' * (left_out > 1)} left out")
        if len(text) > room:
            self._tell(f"Cut at {LONGEST:,} characters, which is more than the model reads")
            text = text[:room]
        event.text = text
        await super()._on_paste(event)
        event.prevent_default()
        event.stop()

    def _tell(self, notice: str) -> None:
        self.app.notify(notice, severity="warning", markup=False)


def harmless(text: str) -> str:
    """The text with one kind of line break, and without what steers a terminal or hides in it."""
    text = re.sub(r"\r\n?|[\u2028\u2029\x85]", "\n", text)
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char for char in text if _is_harmless(char))


@lru_cache(4096)
def _is_harmless(char: str) -> bool:
    if char in "\n\t" + ZWJ + ZWNJ:
        return True
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs")
