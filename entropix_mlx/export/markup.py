"""Text inside markup: what comes out is text there, whatever went in."""

import html
from functools import lru_cache

from entropix_mlx.terminal.glyphs import one_line, shown


def text(value: str) -> str:
    """For the inside of an element: line breaks and tabs stay, other controls are shown."""
    return html.escape(shown(value), quote=False)


token = lru_cache(16384)(text)
"""The same for what comes again and again."""


def line(value: object) -> str:
    """A value of any kind on one line, also for an attribute in quotes."""
    return html.escape(one_line(str(value)))
