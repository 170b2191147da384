"""Short texts for panels and tables: a token's spelling, a share, made to fit their cells."""

from collections.abc import Iterable

from rich.cells import cell_len

from entropix_mlx.records import measures
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.terminal.glyphs import enclosed, glyphs, hexadecimal

SPACE = "␣"


def spelling(text: str, id: int) -> str:
    """A token for a table: nothing raw, spaces visible; the id where there is no text."""
    shown = []
    for part in glyphs(text):
        if part.source == "\n":
            shown.append("↵")
        else:
            shown.append(SPACE * part.cells if part.shown.isspace() else part.shown)
    return "".join(shown) or enclosed(str(id))


def token(record: TokenRecord) -> str:
    """The token itself, byte for byte, whatever the stream gained: for headings and sentences."""
    raw = bytes.fromhex(record.bytes)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return hexadecimal(raw)
    return spelling(text, record.id)


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """Exactly so many cells: cut at a grapheme with an ellipsis, or filled with spaces.

    `text` is as `spelling` gives it.
    """
    wide = cell_len(text)
    if wide > cells:
        text = _cut(text, cells)
        wide = cell_len(text)
    blank = " " * (cells - wide)
    return blank + text if right else text + blank


def fitting(parts: Iterable[str], cells: int) -> str:
    """As many of the parts, the most wanted first, as have room in one line, divided by dots."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        if len(longer) <= cells:
            line = longer
    return line


def percent(share: float) -> str:
    """Five cells, to a tenth: `12.3%`, ` 0.4%`, `<0.1%` for what is next to nothing.

    As `measures.percent` briefly has it, but that what is nearly all is 99.9%: its sign would be a
    sixth cell.
    """
    if 0 < share < 1:
        brief = measures.percent(share, 1, brief=True).removesuffix(" %").lstrip(">")
        return f"{brief if brief[0] == '<' else f'{float(brief):4.1f}'}%"
    return " 100%" if share >= 1 else "   0%"


def _cut(text: str, cells: int) -> str:
    if cells < 1:
        return ""
    kept, used = "", 0
    for part in glyphs(text):
        if used + part.cells > cells - 1:
            break
        kept += part.shown
        used += part.cells
    return kept + "…"
