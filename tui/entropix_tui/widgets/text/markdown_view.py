"""A finished answer as a document, in place of its tokens."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widget import Widget

from entropix_mlx.terminal.glyphs import glyphs

if TYPE_CHECKING:  # what reads Markdown takes long to import: the first document brings it in
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from textual.widgets import Markdown

LONGEST = 100_000
BLOCKS = 300
"""Characters and blocks that are shown at most: each paragraph, item and cell is a widget, and
takes some milliseconds.
"""


class MarkdownView(VerticalScroll):
    """Headings, lists, tables and code of an answer; links do nothing.

    Out of sight until `show`, which puts another widget out of sight in turn.
    """

    BINDINGS: ClassVar = [
        Binding("m,escape", "hide", "back to the tokens", id="markdown.back"),
    ]
    DEFAULT_CSS = """
    MarkdownView {
        display: none; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        &:focus { scrollbar-color: $primary; scrollbar-background: $border-blurred; }
        Markdown { padding: 0 2; margin: 0; background: transparent; }
    }
    """

    def __init__(self, instead_of: Widget, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._other = instead_of
        self._document: Markdown | None = None

    async def show(self, text: str) -> None:
        """Show a text, from its beginning, and take the keys."""
        if self._document is None:
            from textual.widgets import Markdown

            self._document = Markdown(parser_factory=parser, open_links=False)
            await self.mount(self._document)
        await self._document.update(beginning(text))
        self.scroll_home(animate=False)
        self._other.display = False
        self.display = True
        self.focus()

    def action_hide(self) -> None:
        """Put the tokens back, as they were."""
        if self.display:
            self.display = False
            self._other.display = True
            self._other.focus()

    def on_markdown_link_clicked(self, event: "Markdown.LinkClicked") -> None:
        event.stop()


def beginning(text: str) -> str:
    """As much of a text as is shown; it says if that is not all."""
    end, blocks = min(len(text), LONGEST), 0
    for token in parser().parse(text[:end]):
        blocks += token.nesting == 1 or token.type in ("fence", "code_block")
        if blocks > BLOCKS and token.map is not None:
            end = sum(map(len, text.split("\n", token.map[0])[:-1])) + token.map[0]
            break
    return text if end == len(text) else f"{text[:end]}\n\n---\n\nThis is only its beginning."


def parser() -> "MarkdownIt":
    """Markdown whose text is safe to draw: HTML stays text, and nothing in it is raw."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("gfm-like", {"html": False, "linkify": False})
    # The last rule of all, since references such as `&#27;` have become characters by then.
    markdown.core.ruler.push("safe", lambda state: _clean(state.tokens))
    return markdown


def _clean(tokens: "Iterable[Token]") -> None:
    for token in tokens:
        token.content = "".join(
            part.source if part.source in "\n\t" else part.shown for part in glyphs(token.content)
        )
        _clean(token.children or ())
