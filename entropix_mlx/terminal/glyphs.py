"""From model text to what a terminal may be given: graphemes of known width, nothing raw.

Control characters, escapes, bidirectional controls, invisible and unattached characters are
shown by their number between single guillemets, so that no text can steer the terminal or hide
in it. Widths are those that the compositor uses (`rich.cells`): a glyph never spans segments.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

ZWJ = "\u200d"
ZWNJ = "\u200c"
LONGEST = 16
"""Code points in one glyph at most: joined emoji need 11, towers of accents stop here."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Of ASCII, without tab and line feed."""


class Glyph(NamedTuple):
    """A grapheme: its text in the model's output, what is drawn for it, and in how many cells."""

    source: str
    shown: str
    cells: int


def hexadecimal(raw: bytes) -> str:
    """Bytes that make no character (yet), as they are shown: their values between guillemets."""
    return enclosed(raw.hex(" ").upper())


def enclosed(name: str) -> str:
    """The way in which everything is shown that cannot be shown itself."""
    return f"\u2039{name}\u203a"


@lru_cache(4096)
def _escape(char: str) -> str | None:
    """How a character that must not reach the terminal is shown; None for all others."""
    category = unicodedata.category(char)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and char not in (ZWJ, ZWNJ)):
        return _number(char)
    code = ord(char)
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:  # never characters
        return _number(char)
    return None


def _number(char: str) -> str:
    code = ord(char)
    return enclosed(f"{code:02X}" if code < 0x80 else f"U+{code:04X}")


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def joins(cluster: str, char: str) -> bool:
    """Whether `char` continues the grapheme `cluster` (which is not empty)."""
    if char < "\u0300":
        return False
    base, last = cluster[0], cluster[-1]
    if len(cluster) >= LONGEST or base.isspace() or _escape(base) or _escape(char):
        return False
    if last == ZWJ:
        return len(cluster) > 1 and unicodedata.category(char) in ("So", "Lo")
    if _is_flag_half(char):
        return len(cluster) == 1 and _is_flag_half(base)
    if get_character_cell_size(base) == 0 or get_character_cell_size(char) != 0:
        return False
    category = unicodedata.category(char)
    if char in (ZWJ, ZWNJ):
        return unicodedata.category(base) in ("So", "Lo")
    if category == "Sk":  # skin tones
        return get_character_cell_size(base) == 2
    if category == "Lo":  # vowels and finals of decomposed Hangul
        return unicodedata.category(base) == "Lo"
    return category in ("Mn", "Me", "Mc")


def glyph(cluster: str) -> Glyph:
    """The drawn form of one grapheme as `graphemes` divides them; a line break has none."""
    char = cluster[0]
    if escaped := _escape(char):
        return Glyph(cluster, escaped, len(escaped))
    cells = cell_len(cluster)
    if cells:
        # A joiner with nothing to join yet would join whatever is drawn next to it.
        return Glyph(cluster, cluster.rstrip(ZWJ), cells)
    if unicodedata.category(char) in ("Mn", "Me", "Mc") and len(cluster) == 1:
        shown = "\u25cc" + char
        return Glyph(cluster, shown, cell_len(shown))
    shown = "".join(map(_number, cluster))
    return Glyph(cluster, shown, len(shown))


def graphemes(text: str) -> list[str]:
    """Divide text; the parts, joined, are the text."""
    if text.isascii():
        return list(text)
    clusters: list[str] = []
    for char in text:
        if clusters and joins(clusters[-1], char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def glyphs(text: str) -> list[Glyph]:
    """All of a text's glyphs, on one line."""
    return [glyph(cluster) for cluster in graphemes(text)]


def one_line(text: str) -> str:
    """Text for labels and tables: line breaks drawn, everything else as in the transcript."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("↵" if part.source == "\n" else part.shown for part in glyphs(text))


def shown(text: str) -> str:
    """Text with line breaks (one for `\\r\\n`) and tabs as they are, all else as on the screen."""
    text = text.replace("\r\n", "\n")
    if text.isascii():
        return _CONTROLS.sub(lambda match: _number(match[0]), text)
    return "".join(part.source if part.source in "\n\t" else part.shown for part in glyphs(text))
