"""What generated text looks like on standard output, and tables."""

import os
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from entropix_mlx.records.record import Record, TokenRecord
from entropix_mlx.terminal.palette import PLAIN, SIXTEEN, TRUECOLOR, Cue, Theme
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError

if TYPE_CHECKING:
    from rich.style import Style

K = TypeVar("K", bound=Hashable)
Depth = Literal["true", "many", "sixteen", "none"]
Render = Callable[[str], str]
Format = Literal["auto", "color", "plain", "jsonl"]
FORMATS: tuple[Format, ...] = ("auto", "color", "plain", "jsonl")

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    help="auto: colour on a terminal (weight and slant alone with NO_COLOR), else the text alone, "
    "ended by a newline; jsonl: the trace.",
)


class Output:
    """Writes records to standard output as a format wants them; `finish` ends the last line.

    `plain` is the text alone, with a final newline if it has none; its exact bytes are the trace's.
    On a terminal, and wherever there is colour, control characters are escaped. `jsonl` is the
    trace.
    """

    format: Format
    """The one that was asked for; in place of `auto`, what it comes to."""
    depth: Depth
    """Colours that its cues have; none where they are not wanted, unless they were asked for."""

    def __init__(self, format: Format) -> None:
        self._terminal = sys.stdout.isatty()
        self.depth = "none" if format == "auto" and os.environ.get("NO_COLOR") else depth()
        if format == "auto":
            usable = self._terminal and os.environ.get("TERM") != "dumb"
            format = "color" if usable else "plain"
        self.format = format
        self._stream = sys.stdout.buffer
        self._line_open = False
        self.write: Callable[[Record], None]
        if format == "jsonl":
            from entropix_mlx.trace.trace import TraceWriter

            self.write = TraceWriter(self._stream).write
        elif format == "color":
            self._styles = renderers(self.depth, TRUECOLOR, SIXTEEN, PLAIN)
            self.write = self._colored
        else:
            self.write = self._plain

    def finish(self) -> None:
        if self._line_open:
            self.put("\n")

    def _plain(self, record: Record) -> None:
        if isinstance(record, TokenRecord) and record.text:
            self.put(escaped(record.text) if self._terminal else record.text)

    def _colored(self, record: Record) -> None:
        if not isinstance(record, TokenRecord) or not record.text:
            return
        text = escaped(record.text)
        if record.forced:
            text = f"⟨{text}⟩"
        self.put(self._styles[record.quadrant](text) if record.quadrant else text)

    def put(self, text: str) -> None:
        """Write a text that is safe where it goes."""
        self._line_open = not text.endswith("\n")
        try:
            self._stream.write(text.encode("utf-8", "replace"))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EntropixError(
                f"cannot write to standard output: {reason}; make room, or write elsewhere"
            ) from error


def depth() -> Depth:
    """How many colours standard output has; a file is taken to have all of them."""
    term, deep = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if deep in ("truecolor", "24bit") or not sys.stdout.isatty():
        return "true"
    return "many" if "256" in term else "sixteen"


def renderers(
    depth: Depth,
    true: Mapping[Theme, Mapping[K, Cue]],
    sixteen: Mapping[Theme, Mapping[K, Cue]],
    plain: Mapping[K, Cue],
) -> dict[K, Render]:
    """How to render text with each cue on standard output: of those for many colours, for sixteen,
    and for none.
    """
    from rich.color import ColorSystem
    from rich.style import Style

    systems = {
        "true": ColorSystem.TRUECOLOR,
        "many": ColorSystem.EIGHT_BIT,
        "sixteen": ColorSystem.STANDARD,
        "none": ColorSystem.STANDARD,  # weight and slant need a system, too
    }
    system = systems[depth]
    cues = plain if depth == "none" else (sixteen if depth == "sixteen" else true)[theme()]

    def renderer(style: "Style") -> Render:
        # A style that spans a line break would colour the rest of the line on some terminals.
        return lambda text: "\n".join(
            style.render(line, color_system=system) if line else "" for line in text.split("\n")
        )

    return {name: renderer(Style.parse(cue.style)) for name, cue in cues.items()}


def theme() -> Theme:
    """Dark, unless the terminal says in COLORFGBG that its background is light."""
    background = os.environ.get("COLORFGBG", "").rsplit(";", 1)[-1]
    return "light" if background in ("7", "15") else "dark"


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """A line for each row, every column as wide as its widest word; safe for a terminal."""
    table = [[" ".join(escaped(str(cell)).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
