"""A text that is wrapped to its view, and scrolled where there is more of it."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from entropix_tui.widgets.line_view import LineView


class WrappedText(LineView):
    """Subclasses say what the text is, and call `lay_out` when it is another."""

    lines: Sequence[Text] = ()

    def text(self) -> Text:
        raise NotImplementedError

    def lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width > 0:
            self.lines = list(self.text().wrap(self.app.console, width))
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
