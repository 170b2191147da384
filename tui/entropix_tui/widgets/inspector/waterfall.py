"""A distribution through each stage of the sampler: a row a token, a column a stage."""

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from entropix_tui.look import styles
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.widgets.inspector.candidates import CHOSEN, bar
from entropix_tui.widgets.rows import Bar, Rows
from entropix_tui.widgets.styled import Styled

if TYPE_CHECKING:
    from entropix_mlx.records.inspection import Stage, Waterfall

REMOVED, GONE = "✗", "·"
"""Stand before what a stage removed, and where a stage before it did."""
_NARROWEST = 8
_PERCENT = 5


def columns(width: int, stages: int) -> tuple[int, int]:
    """Cells of the tokens' column, and of each stage's with the space before it."""
    token = max(8, min(22, width // 6))
    return token, max(_NARROWEST, (width - token - 1) // max(1, stages))


class WaterfallTable(Rows[tuple[int, str]]):
    """The tokens that are followed, the most likely first; `▸` stands before the one proposed."""

    BINDING_GROUP_TITLE = "The sampler's stages"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take", id="step.waterfall_take", tooltip="Take this token")
    ]

    waterfall: "Waterfall | None" = None
    token: int | None = None
    _times: Counter[int]

    def show(self, waterfall: "Waterfall | None", token: int | None) -> None:
        """Another one, and the id that is proposed, which may have been forced."""
        self.waterfall, self.token = waterfall, token
        self.listed = waterfall.tokens if waterfall else ()
        self._times = Counter(waterfall.drawn if waterfall else ())
        self.changed()

    @property
    def stages(self) -> "list[Stage]":
        return self.waterfall.stages if self.waterfall else []

    def heading(self, width: int) -> str:
        if self.waterfall is None:
            return ""
        token, cells = columns(width, len(self.stages))
        names = ("temp." if s.name == "temperature" and cells < 12 else s.name for s in self.stages)
        return f" {fit('token', token)}" + "".join(f" {fit(name, cells - 1)}" for name in names)

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        id_, text = self.listed[row]
        token, cells = columns(width, len(self.stages))
        chosen = id_ == self.token
        label = f"{CHOSEN if chosen else ' '}{fit(spelling(text, id_), token)}"
        segments = [Segment(label, base + Style(bold=chosen or None))]
        note = base + self.look("note")
        blue, red = (base + self.series(series) for series in (styles.ENTROPY, styles.VARENTROPY))
        before = 0.0
        for stage in self.stages:
            share = stage.p[row]
            room = cells - 2 - _PERCENT
            if share <= 0 < before:
                gone = Segment(percent(before).strip(), red + Style(strike=True))
                rest = " " * (cells - 2 - len(gone.text))
                segments += [Segment(f" {REMOVED}", red), gone, Segment(rest, base)]
            elif share <= 0:
                segments.append(Segment(f" {fit(f'  {GONE}', cells - 1)}", note))
            elif stage.name == "draws" and self._times[id_] and room >= 2:
                times = fit(f"×{self._times[id_]}", min(3, room))
                left = room - len(times)
                segments += [
                    Segment(f" {percent(share)} {times}", base + Style(bold=chosen or None)),
                    Bar(bar(share, left), blue),
                ]
            else:
                segments.append(Segment(f" {percent(share)} ", base))
                segments.append(Bar(bar(share, room), blue))
            before = share
        return segments


class WaterfallFoot(Styled):
    """What each stage was set to, left and removed; then the draws."""

    DEFAULT_CSS = "WaterfallFoot { height: 5; }"

    waterfall: "Waterfall | None" = None

    def show(self, waterfall: "Waterfall | None") -> None:
        self.waterfall = waterfall
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        what = self.waterfall
        if what is None:
            return text
        width = self.size.width
        token, cells = columns(width - 1, len(what.stages))
        faint = self.look("note")
        for name, values in (
            ("set to", ["" if s.setting is None else f"{s.setting:.3g}" for s in what.stages]),
            ("tokens left", [f"{s.kept:,}" for s in what.stages]),
            ("removed", [percent(s.removed).strip() if s.removed else "-" for s in what.stages]),
        ):
            text.append(f" {fit(name, token)}", faint)
            text.append("".join(f" {fit(value, cells - 1)}" for value in values) + "\n")
        return text.append_text(self._draws(what, width, faint))

    def _draws(self, what: "Waterfall", width: int, faint: Style) -> Text:
        """The draws in order with their scores; the one that is kept is marked, once."""
        names, kept = dict(what.tokens), False
        # Where it looked ahead, more than its likelihood makes a draw the best.
        looked = any(stage.name == "looked at" for stage in what.stages)
        scored = "ln p + confidence" if looked and what.strategy == "adaptive" else "ln p"
        lines = [Text(f" {what.strategy}, draws in order ({scored}): ", faint)]
        for id_, score in zip(what.drawn, what.scores, strict=True):
            best = id_ == what.token and not kept
            kept = kept or best
            shown = spelling(names[id_], id_)
            one = Text(f"{CHOSEN if best else ''}{fit(shown, min(12, 2 * len(shown))).rstrip()}")
            one.stylize("bold" if best else "none")
            one.append(f" {score:.2f}  ", faint)
            if lines[-1].cell_len + one.cell_len > width:
                if len(lines) == 2:
                    lines[-1].append("…")
                    break
                lines.append(Text(" "))
            lines[-1].append_text(one)
        return Text("\n").join(lines)


class WaterfallPage(Vertical):
    """The table and its foot; a line instead where there is none."""

    DEFAULT_CSS = """
    WaterfallPage {
        WaterfallTable { height: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = WaterfallTable(id="waterfall")
        self.foot = WaterfallFoot()

    def compose(self) -> ComposeResult:
        yield self.table
        yield self.foot

    def show(self, waterfall: "Waterfall | None", token: int | None) -> None:
        self.table.show(waterfall, token)
        self.foot.show(waterfall)
