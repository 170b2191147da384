"""The last door before the terminal: nothing of what widgets draw steers it."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from entropix_mlx.terminal.visible import STEERING


class Door(LineFilter):
    """Takes out of every line what a widget should have shown by its number.

    It takes no cells, so that the line stays as wide as it was laid out.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        if not any(STEERING.search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(STEERING.sub("", segment.text), segment.style)
            for segment in segments
        ]
