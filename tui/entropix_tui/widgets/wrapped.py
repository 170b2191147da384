"""A text that is wrapped to its view, and scrolled where there is more of it."""

import re
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from entropix_tui.widgets.line_view import LineView

_JOINT = re.compile(r"(?<=\b[THVS]) (?=\d)|(?<=\d) (?=%)|(?<=“) (?=\S)")
"""Between what stays on one line: a number and its letter or sign, a quoted space and its word."""
_GLUE = "\ue000"
"""What no text has, and what is wrapped as a letter; a no-break space would not be."""


def _replaced(text: Text, plain: str) -> Text:
    text.plain = plain  # as long: styles stay where they are
    return text


class WrappedText(LineView):
    """Subclasses say what the text is, and call `lay_out` when it is another."""

    # A scroll bar that came with the text would stand on what was wrapped without it.
    DEFAULT_CSS = "WrappedText { overflow-y: scroll; }"

    lines: Sequence[Text] = ()
    _wrapped: tuple[int, Text] | None = None
    """Of what, and to which width, they are: wrapping a long text takes a tenth of a second, and
    styles are told anew whenever the focus moves.
    """

    def text(self) -> Text:
        raise NotImplementedError

    def lay_out(self) -> None:
        width = self.room
        if width > 0:
            text = self.text()
            if self._wrapped != (width, text):
                self._wrapped = (width, text.copy())
                lines = _replaced(text, _JOINT.sub(_GLUE, text.plain)).wrap(self.app.console, width)
                self.lines = [_replaced(line, line.plain.replace(_GLUE, " ")) for line in lines]
            self.measure(len(self.lines))
            self.refresh()

    def on_resize(self) -> None:
        self.lay_out()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached:
            self.lay_out()

    def render_line(self, y: int) -> Strip:
        at = y + round(self.scroll_y)
        line = self.lines[at].render(self.app.console) if at < len(self.lines) else ()
        strip = Strip(Segment(text, self.base + (style or Style.null())) for text, style, _ in line)
        return strip.crop_extend(0, self.columns, self.base)
