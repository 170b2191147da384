"""The earlier tokens that a token's attention went to most."""

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from entropix_mlx.records.inspection import Inspection
from entropix_tui.look import styles
from entropix_tui.tokens.labels import fit, percent, spelling
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.inspector.candidates import bar
from entropix_tui.widgets.rows import Bar, Rows

MOST = 32
"""How many are listed and highlighted."""

TextOf = Callable[[int, int], str]
"""Record index and number of the id in it -> the token's text."""


class Attended(Rows[tuple[int, TokenRef, float]]):
    """Position in the context, the token there, its weight: a mean over layers and heads.

    By weight, the greatest first.
    """

    BINDING_GROUP_TITLE = "Attended tokens"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", "Go there", id="attended.go")]

    def __init__(self, text_of: TextOf, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text_of = text_of

    def show(self, inspection: Inspection | None) -> None:
        self.listed = attended(inspection) if inspection else []
        self.changed(row=0)

    @property
    def weights(self) -> dict[TokenRef, float]:
        return {ref: weight for _, ref, weight in self.listed}

    def heading(self, width: int) -> str:  # noqa: ARG002
        return "weight    at  mean of all heads" if self.listed else ""

    def draw(self, row: int, width: int, base: Style) -> list[Segment]:
        position, ref, weight = self.listed[row]
        blue = self.series(styles.ENTROPY)
        token = max(4, min(24, width - 20))
        return [
            Segment(f" {percent(weight)} {position:>6}  ", base),
            Segment(fit(spelling(self.text_of(*ref), position), token), base),
            Bar(bar(weight / self.listed[0][2], max(0, width - 15 - token)), base + blue),
        ]


def attended(inspection: Inspection) -> list[tuple[int, TokenRef, float]]:
    """Positions, tokens and weights; equal weights by position."""
    if inspection.attention is None:
        return []
    import numpy as np  # late: the first screen comes before it

    weights = inspection.attention.weights.astype(np.float64)[: len(inspection.places)]
    order = np.argsort(-weights, kind="stable")[:MOST]
    return [
        (int(i), TokenRef(*inspection.places[i]), float(weights[i]))
        for i in order
        if weights[i] > 0
    ]
