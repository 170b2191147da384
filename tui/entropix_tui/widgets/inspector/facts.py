"""What a token's record says, in words: which strategy ruled, why, and what came of it."""

from collections.abc import Callable

from rich.style import Style
from rich.text import Text
from textual.selection import Selection
from textual.strip import Strip

from entropix_mlx.analysis.explain import running_text, why
from entropix_mlx.records.measures import surprisal
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.explanation import Kind
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.look import styles
from entropix_tui.tokens import labels
from entropix_tui.transcript.selection import highlighted
from entropix_tui.widgets.wrapped import WrappedText

_INDENT: dict[Kind, str] = {"check": "  ", "note": "  "}
_WORDS: dict[str, str] = {str(quadrant): word for quadrant, word in styles.WORDS.items()}


def facts(
    record: TokenRecord,
    settings: Settings | None,
    before: str,
    keys: int | None,
    style: Callable[[str], Style],
) -> Text:
    """Line by line, the most important first; `keys` as `explain.why` has it."""
    faint, look = style("note"), style(record.quadrant or "answer")
    spelt = labels.token(record)
    text = Text.assemble((f"“{spelt}”", look), (f"  id {record.id} at {record.index}\n", faint))
    if record.quadrant:
        ruled = f"  region {record.region or '-'}, {record.strategy or 'not drawn'}\n"
        text.append(styles.WORDS[record.quadrant], look)
        text.append(f" {record.quadrant}").append(ruled, faint)
    for kind, said in why(record, settings, keys=keys, words=_WORDS):
        text.append(f"{_INDENT.get(kind, '')}{said}\n", faint if kind == "note" else None)
    for name, mean, spread in (
        ("entropy", record.entropy, record.varentropy),
        ("attention", record.attn_entropy, record.attn_varentropy),
    ):
        text.append(f"{name:<10}", faint).append(f"H {_number(mean)}  V {_number(spread)}\n")
    surprise = surprisal(record)
    text.append("surprisal ", faint).append(f"S {_number(surprise)} bits\n")
    text.append("agreement ", faint).append(f"  {_number(record.agreement)}")
    text.append("  interaction ", faint).append(f"{_number(record.interaction_strength)}\n")
    return text.append(one_line(running_text(before, spelt, record)), faint)


class Facts(WrappedText, can_focus=True):
    """The page's text."""

    KEEPS_ROOM = True
    ALLOW_SELECT = True
    DEFAULT_CSS = "Facts { overflow-y: scroll; }"

    _record: TokenRecord | None = None
    _known: tuple[Settings | None, str, int | None] = (None, "", None)

    def show(
        self, record: TokenRecord | None, settings: Settings | None, before: str, keys: int | None
    ) -> None:
        if record is not self._record:
            self.scroll_home(animate=False)
        self._record, self._known = record, (settings, before, keys)
        self.lay_out()

    def text(self) -> Text:
        if self._record is None:
            return Text("no token under the cursor")
        return facts(self._record, *self._known, self.look)

    def render_line(self, y: int) -> Strip:
        at, strip = y + round(self.scroll_y), super().render_line(y)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(at)) is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            strip = highlighted(strip, *span, chosen)
        return strip.apply_offsets(0, at)

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(line.plain for line in self.lines)), "\n"


def _number(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.2f}"
