"""Everything one token's record says; nothing is computed, no model is asked."""

import math

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget

from entropix_mlx.records import TokenRecord
from entropix_tui import cues
from entropix_tui.glyphs import enclosed, hexadecimal, one_line

BAR = 10


class Inspector(VerticalScroll, can_focus=True):
    """The panel beside the text; on a narrow screen under it, its two halves side by side."""

    DEFAULT_CSS = """
    Inspector {
        border: round $border-blurred; padding: 0 1; scrollbar-size-vertical: 1;
        border-title-color: $foreground;
        &:focus { border: round $border; }
        _Page { height: auto; width: 1fr; }
    }
    """

    def __init__(self, colours: cues.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.colours = colours
        self.border_title = "token"
        self._facts, self._candidates = _Page(), _Page()

    def compose(self) -> ComposeResult:
        yield self._facts
        yield self._candidates

    def show(self, record: TokenRecord | None) -> None:
        """Show a record; None empties the panel."""
        dark = self.app.current_theme.dark
        blank = Text("")
        self._facts.put(blank if record is None else facts(record, self.colours, dark))
        self._candidates.put(blank if record is None else candidates(record, self.colours, dark))


class _Page(Widget):
    _text = Text("")

    def put(self, text: Text) -> None:
        self._text = text
        self.refresh(layout=True)

    def render(self) -> Text:
        return self._text


def facts(record: TokenRecord, colours: cues.Colours, dark: bool) -> Text:
    """A token, what the model felt about it, and how it was drawn."""
    faint = cues.style("note", colours, dark)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(_label(record), cues.style(record.quadrant or "answer", colours, dark))
    text.append(f"  id {record.id} at {record.index}\n", faint)
    if record.quadrant:
        text.append(f"{cues.WORDS[record.quadrant]} {record.quadrant}")
        text.append(f"  region {record.region or '-'}, {record.strategy or '-'}\n", faint)
    if record.forced:
        text.append(f"not drawn: inserted ({record.forced})\n")
    if record.rank is not None and record.logprob is not None:
        text.append(f"rank {record.rank + 1}, p {_percent(math.exp(record.logprob)).strip()}")
        text.append(f"  surprisal {-record.logprob / math.log(2):.2f} bits\n", faint)
    for name, mean, variance in (
        ("entropy", record.entropy, record.varentropy),
        ("attention", record.attn_entropy, record.attn_varentropy),
    ):
        text.append(f"{name:<10}", faint).append(f"H {_number(mean)}  V {_number(variance)}\n")
    text.append("agreement ", faint).append(f"  {_number(record.agreement)}")
    text.append("  interaction ", faint).append(f"{_number(record.interaction_strength)}\n")
    used = (
        ("T", record.temperature),
        ("k", record.top_k),
        ("p", record.top_p),
        ("min-p", record.min_p),
    )
    drawn = " ".join(f"{name} {value:.3g}" for name, value in used if value is not None)
    return text.append("drawn ", faint).append(drawn or "no randomness")


def candidates(record: TokenRecord, colours: cues.Colours, dark: bool) -> Text:
    """The most likely tokens: probability in the raw distribution and under the final draw."""
    faint = cues.style("note", colours, dark)
    bar = cues.series_style(cues.ENTROPY, colours, dark)
    text = Text(no_wrap=True, overflow="crop")
    if record.candidates:
        text.append(f"{'candidates':13}{'raw':>6} {'drawn':>6}\n", faint)
    for id_, spelt, logprob, final in record.candidates:
        mark = "▸" if id_ == record.id else " "
        spelt = spelt if spelt.strip(" ") else "␣" * len(spelt)
        text.append(f"{mark}{_fit(one_line(spelt) or enclosed(str(id_)), 11)} ")
        text.append(f"{_percent(math.exp(logprob))} {_percent(final)} ")
        text.append("█" * round(BAR * final) + "\n", bar)
    return text


def _label(record: TokenRecord) -> str:
    """The token in quotation marks, so that its spaces are seen."""
    if record.text:
        return f"“{one_line(record.text)}”"
    raw = bytes.fromhex(record.bytes)
    try:
        return one_line(raw.decode()) or enclosed(str(record.id))
    except UnicodeDecodeError:
        return hexadecimal(raw)


def _number(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:5.1f}%" if share >= 0.0005 or not share else " <0.1%"


def _fit(text: str, cells: int) -> str:
    fitted = Text(text)
    fitted.truncate(cells, overflow="ellipsis", pad=True)
    return fitted.plain
