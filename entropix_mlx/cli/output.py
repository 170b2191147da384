"""What generated text looks like on standard output, and tables."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import click

from entropix_mlx.records.record import Record, TokenRecord
from entropix_mlx.terminal.palette import SIXTEEN, TRUECOLOR, Theme
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError

if TYPE_CHECKING:
    from rich.style import Style

Format = Literal["auto", "color", "plain", "jsonl"]
FORMATS: tuple[Format, ...] = ("auto", "color", "plain", "jsonl")

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    help="auto: colour on a terminal, else the text alone, ended by a newline; jsonl: the trace.",
)


class Output:
    """Writes records to standard output as a format wants them; `finish` ends the last line.

    `plain` is the text alone, with a final newline if it has none; its exact bytes are the trace's.
    On a terminal, and wherever there is colour, control characters are escaped. `jsonl` is the
    trace.
    """

    def __init__(self, format: Format) -> None:
        self._terminal = sys.stdout.isatty()
        if format == "auto":
            usable = os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
            format = "color" if self._terminal and usable else "plain"
        self._stream = sys.stdout.buffer
        self._line_open = False
        self.write: Callable[[Record], None]
        if format == "jsonl":
            from entropix_mlx.trace.trace import TraceWriter

            self.write = TraceWriter(self._stream).write
        elif format == "color":
            self._styles = _styles()
            self.write = self._colored
        else:
            self.write = self._plain

    def finish(self) -> None:
        if self._line_open:
            self._put("\n")

    def _plain(self, record: Record) -> None:
        if isinstance(record, TokenRecord) and record.text:
            self._put(escaped(record.text) if self._terminal else record.text)

    def _colored(self, record: Record) -> None:
        if not isinstance(record, TokenRecord) or not record.text:
            return
        text = escaped(record.text)
        if record.forced:
            text = f"⟨{text}⟩"
        render = self._styles.get(record.quadrant or "", str)
        # A style that spans a line break would colour the rest of the line on some terminals.
        self._put("\n".join(render(line) if line else "" for line in text.split("\n")))

    def _put(self, text: str) -> None:
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


def _styles() -> dict[str, Callable[[str], str]]:
    """How to render text of each quadrant on this terminal."""
    from rich.color import ColorSystem
    from rich.style import Style

    term, deep = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if deep in ("truecolor", "24bit") or not sys.stdout.isatty():
        system, palette = ColorSystem.TRUECOLOR, TRUECOLOR
    elif "256" in term:
        system, palette = ColorSystem.EIGHT_BIT, TRUECOLOR
    else:
        system, palette = ColorSystem.STANDARD, SIXTEEN

    def renderer(style: "Style") -> Callable[[str], str]:
        return lambda text: style.render(text, color_system=system)

    cues = palette[theme()]
    return {quadrant: renderer(Style.parse(cue.style)) for quadrant, cue in cues.items()}


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
