"""Where a conversation's text stands: its tokens, or an answer as a document, and the search."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from entropix_tui.conversation.conversation import Conversation
from entropix_tui.widgets.text.markdown_view import MarkdownView
from entropix_tui.widgets.text.search import SearchBar
from entropix_tui.widgets.text.token_view import TokenView


class TextStage(Vertical):
    """`empty` stands there while the conversation is; without it the empty text does."""

    DEFAULT_CSS = """
    TextStage { height: 1fr; width: 1fr; }
    TextStage > TokenView { height: 1fr; }
    """

    def __init__(self, conversation: Conversation, empty: Widget | None) -> None:
        super().__init__(id="stage")
        self.conversation = conversation
        self.tokens = TokenView(conversation.transcript, id="tokens")
        self.markdown = MarkdownView(self.tokens, id="markdown")
        self.search = SearchBar(self.tokens, id="search")
        self._empty = empty

    def compose(self) -> ComposeResult:
        if self._empty is not None:
            yield self._empty
        yield self.tokens
        yield self.markdown
        yield self.search

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but what stands for it."""
        return self._empty is not None and self.conversation.is_empty

    def show(self) -> bool:
        """Have in sight what there is; whether that is what stands for nothing."""
        empty = self.is_empty
        tokens = not empty and not self.markdown.display
        if self.tokens.display != tokens:
            self.tokens.display = tokens
        if self._empty is not None and self._empty.display != empty:
            self._empty.display = empty
        return empty

    # The answer as a document.

    @on(TokenView.MarkdownWanted)
    async def action_markdown(self) -> None:
        """The answer as a document, or its tokens again."""
        if self.markdown.display:
            self.markdown.action_hide()
            return
        text = self.tokens.answer()
        if text is None:
            self._refuse("There is no answer yet.")
        elif self.conversation.busy:
            self._refuse("The answer is not finished yet.")
        else:
            await self.markdown.show(text)

    def close_markdown(self) -> None:
        """Show the tokens again; the focus stays where it is, unless it was in the document."""
        focused = self.screen.focused
        self.markdown.action_hide()
        if focused is not None and focused is not self.markdown:
            focused.focus()

    # The search.

    @on(TokenView.SearchWanted)
    def action_search(self) -> None:
        self.close_markdown()
        self.search.open()

    def on_search_bar_closed(self) -> None:
        self.tokens.focus()

    # The rest.

    def action_page(self, step: int) -> None:
        target = self.markdown if self.markdown.display else self.tokens
        (target.scroll_page_down if step > 0 else target.scroll_page_up)(animate=False)

    def action_breaks(self) -> None:
        """Show line breaks, or hide them."""
        self.tokens.lay_out(breaks=not self.conversation.transcript.breaks)

    def action_copy_answer(self) -> None:
        """Copy the last answer; in an answer with the cursor, that one. OSC 52: works over SSH."""
        text = self.tokens.answer()
        if text is None:
            self._refuse("There is no answer to copy yet.")
            return
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied {len(text)} characters.", markup=False)

    def _refuse(self, reason: str) -> None:
        self.notify(reason, severity="warning", markup=False)
