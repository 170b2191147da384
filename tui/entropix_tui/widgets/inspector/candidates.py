"""The candidates of one token: raw and final probabilities, and what another T would give."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.measures import probability
from entropix_mlx.records.record import Candidate, TokenRecord
from entropix_tui.look import styles
from entropix_tui.look.temperature import nearest, tempered
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.widgets.inspector.trial import TrialBar, trial_keys
from entropix_tui.widgets.rows import Bar, Rows

if TYPE_CHECKING:
    from entropix_tui.look.temperature import Floats

CHOSEN = "▸"
_BLOCKS = " ▏▎▍▌▋▊▉█"
_NUMBER = 6
_RANK = 7
_ROOMY = 41
_WIDE = 63


def ranks(record: TokenRecord) -> list[int]:
    """Ranks from 1 of the recorded candidates: the most likely in order, the chosen one's own."""
    return [
        record.rank + 1 if id_ == record.id and record.rank is not None else place
        for place, (id_, *_) in enumerate(record.candidates, 1)
    ]


def bar(share: float, cells: int) -> str:
    """So many cells, filled by a share of them in eighths; what is not nothing shows."""
    eighths = round(max(0.0, min(share, 1.0)) * cells * 8)
    if share > 0.001 and cells:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(cells)


class Candidates(Rows[Candidate]):
    """The recorded candidates; the chosen one is marked.

    Of another token the most likely are in sight; if the chosen one would not be, it is on the last
    line: its rank says that some were left out.
    """

    KEEPS_ROOM = True
    PLACE: ClassVar[str] = "rank"
    """Heads the column before the candidates."""
    BINDING_GROUP_TITLE = "Candidates"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take instead", id="candidates.take")
    ]

    record: TokenRecord | None = None
    inspection: Inspection | None = None
    _longest = 0  # cells of the candidate that needs most

    def show(self, record: TokenRecord | None, inspection: Inspection | None = None) -> None:
        """A token and what is known of it; with another token the cursor is on the chosen one."""
        same, self.record, self.inspection = record == self.record, record, inspection
        if same:
            self.changed()
            return
        self.listed, self._ranks = (record.candidates, ranks(record)) if record else ((), [])
        self._longest = max(
            (cell_len(spelling(text, id)) for id, text, *_ in self.listed), default=0
        )
        chosen = [row for row, (id_, *_) in enumerate(self.listed) if record and id_ == record.id]
        self.changed(row=chosen[0] if chosen else 0)
        self.scroll_to(y=0, animate=False, force=True)

    def settle(self) -> None:
        """Where it was scrolled to stays."""

    def row_at(self, line: int) -> int:
        row = super().row_at(line)
        return max(row, self.row) if line == self.size.height - self.top - 1 else row

    def heading(self, width: int) -> str:
        if not self.count:
            return self._nothing
        token, bits, _ = self._columns(width)
        names = f"{fit('candidate', token)}   raw {self._drawn}{'  bits' if bits else ''}"
        return f"  {self.PLACE} {names}"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        token, bits, cells = self._columns(width)
        blue = self.series(styles.ENTROPY)
        return [
            *self._candidate(row, token, base),
            Segment(f"{self._figures(row, bits)} ", base),
            Bar(bar(self.listed[row][3], cells), base + blue),
        ]

    def _figures(self, row: int, bits: bool) -> str:
        """Raw and final probability, and the surprisal where there is room."""
        _, _, logprob, final = self.listed[row]
        surprise = f" {min(99.9, -logprob / math.log(2)):5.2f}" if bits else ""
        drawn = percent(final) if self._drawn.strip() else self._drawn
        return f" {percent(probability(logprob))} {drawn}{surprise}"

    @property
    def _drawn(self) -> str:
        """The name of the column of probabilities drawn from; none where a text was only read."""
        read = self.record and self.record.strategy is None and self.record.forced is None
        return " " * 5 if read else "drawn"

    @property
    def _nothing(self) -> str:
        return "no candidates were recorded" if self.record else ""

    def _candidate(
        self, row: int, cells: int, base: Style, *, rank: bool = True
    ) -> Sequence[Segment]:
        id_, text, _, _ = self.listed[row]
        chosen = self.record is not None and id_ == self.record.id
        place = f"{self._ranks[row]:>5} " if rank else ""
        label = fit(spelling(text, id_), cells)
        mark = CHOSEN if chosen else " "
        return [Segment(f"{mark}{place}{label}", base + Style(bold=chosen or None))]

    def _columns(self, width: int) -> tuple[int, bool, int]:
        """Cells of the token, whether there is room for the surprisal, cells of the bar."""
        bits = width >= _ROOMY
        left = width - _RANK - (3 if bits else 2) * _NUMBER - 1
        token = max(4, min(24, left, max(left * 3 // 5, self._longest)))
        return token, bits, max(0, min(20, left - token))


class TrialCandidates(Candidates):
    """The candidates at the temperature used and at one tried, side by side, before filters.

    Exact over the whole vocabulary once there is an inspection; until then over those listed.
    """

    BINDING_GROUP_TITLE = "Candidates at another temperature"
    BINDINGS: ClassVar[list[BindingType]] = trial_keys("candidates")

    tried = 0.5
    _at: "tuple[Floats, Floats] | None" = None

    @property
    def used(self) -> float:
        """The temperature that the token was drawn at; 1, the raw one, where there was none."""
        return (self.record and self.record.temperature) or 1.0

    @property
    def scope(self) -> str:
        """Over what the probabilities are normalised."""
        return "of all" if self.inspection else f"of {self.count} listed"

    def try_out(self, temperature: float) -> None:
        self.tried = temperature
        self.changed()

    def changed(self, *, row: int | None = None) -> None:
        self._at = None
        super().changed(row=row)

    def probabilities(self, row: int) -> tuple[float, float]:
        """Of a candidate at the temperature used and at the one tried, filters aside."""
        if self._at is None:
            own = [logprob for _, _, logprob, _ in self.listed]
            every = self.inspection.logprobs if self.inspection else own
            used, tried = (tempered(every, t, own) for t in (self.used, self.tried))
            self._at = used, tried
        used, tried = self._at
        return float(used[row]), float(tried[row])

    def heading(self, width: int) -> str:
        if not self.count:
            return self._nothing
        token, wide, cells = self._columns(width)
        drawn_at = self.record is not None and self.record.temperature
        left = fit(f"T {self.used:.2f}" if drawn_at else "raw", cells)
        rank, bits = ("  rank", "  bits") if wide else ("", "")
        names = f"{rank} {fit('candidate', token)}   raw {self._drawn}{bits} tried"
        return f"{names} {left}│{fit(f'T {self.tried:.2f}', cells)}"

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        used, tried = self.probabilities(row)
        token, wide, cells = self._columns(width)
        before, after = (
            base + self.series(series) for series in (styles.ENTROPY, styles.VARENTROPY)
        )
        return [
            *self._candidate(row, token, base, rank=wide),
            Segment(f"{self._figures(row, wide)} {percent(tried)} ", base),
            Bar(bar(used, cells), before),
            Bar("│", base + self.look("note")),
            Bar(bar(tried, cells), after),
        ]

    def _columns(self, width: int) -> tuple[int, bool, int]:
        wide = width >= _WIDE
        left = width - (_RANK + 4 * _NUMBER if wide else 1 + 3 * _NUMBER) - 2
        token = max(4, min(24, left, max(left * 2 // 5, self._longest)))
        return token, wide, max(0, min(20, (left - token) // 2))

    def action_warm(self, step: float) -> None:
        self.post_message(TrialBar.Tried(nearest(self.tried + step)))
