"""The whole vocabulary that a token was drawn from: its head, its tail, and the fall between."""

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import Candidate, TokenRecord
from entropix_tui.look.temperature import nearest, tempered
from entropix_tui.tokens import labels
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.widgets.inspector.candidates import CHOSEN
from entropix_tui.widgets.inspector.decay import Decay
from entropix_tui.widgets.inspector.trial import TrialBar, trial_keys
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.rows import Rows
from entropix_tui.widgets.styled import Styled

if TYPE_CHECKING:
    from entropix_tui.look.temperature import Floats

SHARES = (0.5, 0.9, 0.99)


def makes(probabilities: "Floats", share: float) -> int:
    """How many of the most likely tokens, listed in descending order, make a share of the mass."""
    found = int(np.searchsorted(np.cumsum(probabilities), share, side="left")) + 1
    return min(found, len(probabilities))


class Vocabulary(Screen[int | None]):
    """Gives the id of the token that is taken, or None; without `takes` none can be.

    `tried`: the trial temperature.
    """

    BINDING_GROUP_TITLE = "The whole vocabulary"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="vocabulary.back"),
        *trial_keys("vocabulary"),
    ]
    DEFAULT_CSS = """
    Vocabulary {
        layout: vertical; overflow: hidden;
        Decay { height: 6; }
        &.-high Decay { height: 13; }
        _Table { height: 1fr; }
    }
    """

    def __init__(self, record: TokenRecord, inspection: Inspection, *, takes: bool = True) -> None:
        super().__init__()
        self.tried = 0.5
        self._summary = _Summary(record, inspection)
        self._decay = Decay(inspection.logprobs)
        self._bar = TrialBar()
        self.table = _Table(record, inspection, takes=takes)

    def compose(self) -> ComposeResult:
        yield self._summary
        yield self._decay
        yield self._bar
        yield self.table
        yield KeyBar()

    def on_mount(self) -> None:
        self.table.focus()
        self._try(self.tried)

    def action_warm(self, step: float) -> None:
        self._try(nearest(self.tried + step))

    def on_trial_bar_tried(self, event: TrialBar.Tried) -> None:
        event.stop()
        self._try(event.temperature)

    def _try(self, temperature: float) -> None:
        self.tried = temperature
        self.table.try_out(temperature)
        self._bar.put(temperature, "of all")
        self._summary.try_out(temperature)

    def on_rows_taken(self, event: Rows.Taken) -> None:
        event.stop()
        found = self.table.listed[event.row]
        if found is not None:
            self.dismiss(found.candidate[0])


class _Entry(NamedTuple):
    """A row of the table: `at` counts tokens from the most likely, 0."""

    at: int
    candidate: Candidate


class _Table(Rows[_Entry | None]):
    """None stands for the tokens that are not spelt out."""

    BINDING_GROUP_TITLE = "The vocabulary's table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take it", id="vocabulary.fork")
    ]

    def __init__(self, record: TokenRecord, inspection: Inspection, *, takes: bool) -> None:
        super().__init__()
        self.takes = takes
        self.chosen = record.id
        self._logprobs, self._normaliser = inspection.logprobs, inspection.normaliser
        size, head, tail = len(inspection.logprobs), inspection.head, inspection.tail
        self._between = range(len(head), size - len(tail))
        self.listed = [
            *(_Entry(i, one) for i, one in enumerate(head)),
            *([None] if self._between else []),
            *(_Entry(i, one) for i, one in enumerate(tail, size - len(tail))),
        ]
        raw = tempered(inspection.logprobs, 1.0)
        self._sums = np.cumsum(raw)
        self._missing = float(raw[self._between.start : self._between.stop].sum())
        self._tried, self.tried = raw, 1.0
        here = [n for n, line in enumerate(self.listed) if line and line.candidate[0] == record.id]
        self.row = here[0] if here else 0

    def on_mount(self) -> None:
        self.changed()

    def try_out(self, temperature: float) -> None:
        self._tried, self.tried = tempered(self._logprobs, temperature), temperature
        self.refresh()

    def heading(self, width: int) -> str:
        token, tried = fit("token", self._token_cells(width)), fit(f"T {self.tried:.2f}", 6)
        return f"    rank      id {token}   logit    raw {tried}  up to here"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        line = self.listed[row]
        if line is None:
            text = f"  ⋮ {len(self._between):,} tokens between, {percent(self._missing).strip()}"
            return [Segment(f"{text} of the probability", base + self.look("note"))]
        id_, text, logprob, p = line.candidate
        now = id_ == self.chosen
        label = fit(spelling(text, id_), self._token_cells(width))
        mark = CHOSEN if now else " "
        tried, up_to = float(self._tried[line.at]), 1.0
        if line.at + 1 < len(self._sums):
            up_to = min(float(self._sums[line.at]), 0.999999)  # not all, however near
        logit = f"{logprob + self._normaliser:8.2f}"
        return [
            Segment(f"{mark}{line.at + 1:>7,} {id_:>7} {label}", base + Style(bold=now or None)),
            Segment(f"{logit}  {percent(p)}  {percent(tried)}  {100 * up_to:9.4f}%", base),
        ]

    def _token_cells(self, width: int) -> int:
        return max(4, min(40, width - 51))


class _Summary(Styled):
    """How many tokens make most of the mass, raw and at the trial temperature."""

    DEFAULT_CSS = "_Summary { height: 3; }"

    def __init__(self, record: TokenRecord, inspection: Inspection) -> None:
        super().__init__()
        self._record, self._logprobs = record, inspection.logprobs
        self._raw = self._counts(1.0)
        self._tried = ""

    def try_out(self, temperature: float) -> None:
        self._tried = f"T {temperature:.2f}    {self._counts(temperature)}"
        self.refresh()

    def _counts(self, temperature: float) -> str:
        p = tempered(self._logprobs, temperature)
        return "   ".join(f"{100 * share:g} % in {makes(p, share):,}" for share in SHARES)

    def render(self) -> RenderResult:
        record, text = self._record, Text(no_wrap=True, overflow="ellipsis")
        look = self.look(record.quadrant or "answer")
        text.append(f"“{fit(labels.token(record), 24).rstrip()}”", look)
        text.append(f" at {record.index}, out of {len(self._logprobs):,} tokens", Style(bold=True))
        if record.entropy is not None:
            text.append(f"   H {record.entropy:.2f} bits", self.look("note"))
        return text.append(f"\nraw       {self._raw}\n{self._tried}")
