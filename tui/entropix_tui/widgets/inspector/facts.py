"""What a token's record says, in words: which strategy ruled, why, and what came of it."""

from collections.abc import Callable

from rich.style import Style
from rich.text import Text
from textual.selection import Selection
from textual.strip import Strip

from entropix_mlx.analysis.explain import running_text, why
from entropix_mlx.records.measures import probability, surprisal
from entropix_mlx.records.quadrants import KINDS, QuadrantSplit, told, word
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.explanation import Kind
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.valleys import Valley
from entropix_mlx.terminal.glyphs import one_line
from entropix_mlx.terminal.palette import VALLEY
from entropix_tui.tokens import labels
from entropix_tui.transcript.selection import highlighted
from entropix_tui.widgets.wrapped import WrappedText

_INDENT: dict[Kind, str] = {"check": "  ", "note": "  "}


def facts(
    record: TokenRecord,
    settings: Settings | None,
    before: str,
    keys: int | None,
    split: QuadrantSplit | None,
    valley: Valley | None,
    style: Callable[[str], Style],
) -> Text:
    """Line by line, the most important first; `keys` as `explain.why` has it."""
    faint, look = style("note"), style(record.quadrant or "answer")
    spelt = labels.token(record)
    text = Text.assemble((f"“{spelt}”", look), (f"  id {record.id} at {record.index}\n", faint))
    first, *reasons = why(record, settings, keys=keys)
    text.append(f"{first.text}\n")
    if quadrant := record.quadrant:
        shares = [probability(logprob) for _, _, logprob, _ in record.candidates[:3]]
        said = told(quadrant, split, shares)
        text.append(word(quadrant, split), look).append(f": {said}\n")
        text.append(f"{KINDS[quadrant].caption} ({quadrant})\n", faint)
    if valley is not None:
        text.append(f"{VALLEY} {_of_valley(valley)}\n")
    for kind, said in reasons:
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

    _record: TokenRecord | None = None
    _known: tuple[Settings | None, str, int | None] = (None, "", None)
    _valley: Valley | None = None

    def show(
        self,
        record: TokenRecord | None,
        settings: Settings | None,
        before: str,
        keys: int | None,
        valley: Valley | None,
    ) -> None:
        if record is not self._record:
            self.scroll_home(animate=False)
        self._record, self._known, self._valley = record, (settings, before, keys), valley
        self.lay_out()

    def text(self) -> Text:
        if self._record is None:
            return Text("no token under the cursor")
        return facts(self._record, *self._known, self.split, self._valley, self.look)

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


def _of_valley(valley: Valley) -> str:
    """A valley's figures."""
    later = f"{valley.delay} token{'s' * (valley.delay != 1)} later"
    return (
        f"valley: smoothed, the entropy fell by {valley.fall:.2f} bits to here; it had risen by "
        f"{valley.rise:.2f} {later}"
    )


def _number(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.2f}"
