"""Text selected with the mouse: what is copied of it, and how it is drawn."""

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

from entropix_tui.transcript.layout import Line, Run
from entropix_tui.transcript.transcript import Transcript


def selected(transcript: Transcript, selection: Selection, gutter: int) -> str:
    """The selected text as the model gave it: wrapped lines joined, nothing of the gutter."""
    if selection.start is None and selection.end is None:
        return "\n".join(block.text.removesuffix("\n") for block in transcript.blocks)
    last = transcript.height - 1 if selection.end is None else selection.end.y
    parts: list[str] = []
    for y in range(0 if selection.start is None else selection.start.y, last + 1):
        row, span = transcript.row(y), selection.get_span(y)
        if row is None or span is None:
            continue
        start, end = (max(0, x - gutter) if x >= 0 else x for x in span)
        if row.line is not None:
            parts.append("".join(_covered(run, a, b) for run, a, b in _spans(row.line, start, end)))
        if row.line is None or row.line is row.block.sections[-1].layout.lines[-1]:
            parts.append("\n")
    return "".join(parts).removesuffix("\n")


def highlighted(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """Code points `start` to `end` (-1: all the rest) of what is drawn, in another style."""
    segments: list[Segment] = []
    for text, under, _ in strip:
        stop = len(text) if end < 0 else max(0, min(end, len(text)))
        begin = min(max(0, start), stop)
        for part, chosen in ((text[:begin], 0), (text[begin:stop], 1), (text[stop:], 0)):
            if part:
                segments.append(Segment(part, (under or Style.null()) + style if chosen else under))
        start -= len(text)
        end = end if end < 0 else max(0, end - len(text))
    return Strip(segments)


def _spans(line: Line, start: int, end: int) -> list[tuple[Run, int, int]]:
    """The runs of a line with the part of each that code points `start` to `end` cover."""
    spans = []
    for run in line.runs:
        length = len(run.shown)
        a, b = max(0, start), length if end < 0 else min(end, length)
        if a < b or (not run.shown and start <= 0 and end):
            spans.append((run, a, b))
        start -= length
        end = end if end < 0 else max(0, end - length)
    return spans


def _covered(run: Run, start: int, end: int) -> str:
    """The source of a part of a run; all of it where it is not drawn as it is spelt."""
    return run.source[start:end] if run.source == run.shown else run.source
