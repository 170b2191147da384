"""What a token's record says, in words: which strategy ruled, why, and what came of it."""

import math

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.selection import Selection
from textual.strip import Strip

from entropix_mlx.analysis.explain import running_text, why
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.explanation import Kind
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.look import styles
from entropix_tui.tokens import labels
from entropix_tui.transcript.selection import highlighted
from entropix_tui.widgets.line_view import LineView

Line = list[Segment]

_INDENT: dict[Kind, str] = {"check": "  ", "note": "  "}
_WORDS: dict[str, str] = {str(quadrant): word for quadrant, word in styles.WORDS.items()}


def facts(
    record: TokenRecord,
    settings: Settings | None,
    before: str,
    keys: int | None,
    colours: styles.Colours,
    dark: bool,
) -> list[Line]:
    """Line by line, the most important first, not wrapped; `keys` as `explain.why` has it."""
    faint = styles.style("note", colours, dark)
    look = styles.style(record.quadrant or "answer", colours, dark)
    spelt = labels.token(record)
    lines = [[Segment(f"“{spelt}”", look), Segment(f"  id {record.id} at {record.index}", faint)]]
    if record.quadrant:
        ruled = f"  region {record.region or '-'}, {record.strategy or 'not drawn'}"
        word = Segment(styles.WORDS[record.quadrant], look)
        lines.append([word, Segment(f" {record.quadrant}"), Segment(ruled, faint)])
    for kind, said in why(record, settings, keys=keys, words=_WORDS):
        style = faint if kind == "note" else None
        lines += [[Segment(part, style)] for part in f"{_INDENT.get(kind, '')}{said}".split("\n")]
    for name, mean, spread in (
        ("entropy", record.entropy, record.varentropy),
        ("attention", record.attn_entropy, record.attn_varentropy),
    ):
        figures = Segment(f"H {_number(mean)}  V {_number(spread)}")
        lines.append([Segment(f"{name:<10}", faint), figures])
    surprise = None if record.logprob is None else -record.logprob / math.log(2)
    lines += [
        [Segment("surprisal ", faint), Segment(f"S {_number(surprise)} bits")],
        [
            Segment("agreement ", faint),
            Segment(f"  {_number(record.agreement)}"),
            Segment("  interaction ", faint),
            Segment(_number(record.interaction_strength)),
        ],
        [Segment(one_line(running_text(before, spelt, record)), faint)],
    ]
    return lines


class Facts(LineView, can_focus=True):
    """The page's text, wrapped and scrollable."""

    KEEPS_ROOM = True
    ALLOW_SELECT = True
    DEFAULT_CSS = """
    Facts {
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        &:focus { scrollbar-color: $primary; scrollbar-background: $border-blurred; }
    }
    """

    def __init__(self, colours: styles.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.colours = colours
        self._record: TokenRecord | None = None
        self._known: tuple[Settings | None, str, int | None] = (None, "", None)
        self._lines: list[Line] = []

    def show(
        self, record: TokenRecord | None, settings: Settings | None, before: str, keys: int | None
    ) -> None:
        if record is not self._record:
            self.scroll_home(animate=False)
        self._record, self._known = record, (settings, before, keys)
        self._lay_out()

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached:
            self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width < 1:
            return
        whole = [[Segment("no token under the cursor")]]
        if self._record is not None:
            dark = self.app.current_theme.dark
            whole = facts(self._record, *self._known, self.colours, dark)
        self._lines = [part for line in whole for part in self._wrapped(line, width)]
        self.measure(len(self._lines))
        self.refresh()

    def _wrapped(self, line: Line, width: int) -> list[Line]:
        if sum(segment.cell_length for segment in line) <= width:
            return [line]
        text = Text.assemble(*((text, style or "") for text, style, _ in line), end="")
        console = self.app.console
        return [list(part.render(console)) for part in text.wrap(console, width)]

    def render_line(self, y: int) -> Strip:
        at, base = y + round(self.scroll_y), self.base
        line = self._lines[at] if at < len(self._lines) else []
        strip = Strip([Segment(text, base + (style or Style.null())) for text, style, _ in line])
        strip = strip.crop_extend(0, self.columns, base)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(at)) is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            strip = highlighted(strip, *span, chosen)
        return strip.apply_offsets(0, at)

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        lines = ["".join(segment.text for segment in line) for line in self._lines]
        return selection.extract("\n".join(lines)), "\n"


def _number(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.2f}"
