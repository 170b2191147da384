"""All widgets of the text, without a chat around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness import Driver, Host, hosted
from scripted import token
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from entropix_mlx.records.record import PromptRecord
from entropix_tui.look.styles import Colours
from entropix_tui.transcript.transcript import Transcript
from entropix_tui.widgets.text.legend import Legend
from entropix_tui.widgets.text.markdown_view import MarkdownView
from entropix_tui.widgets.text.search import SearchBar
from entropix_tui.widgets.text.token_view import TokenView


def prompt(index: int, *tokens: str) -> PromptRecord:
    """A scored prompt, after one token of a template."""
    records = [token(n, text) for n, text in enumerate(("<|user|>", *tokens))]
    ids = [record.id for record in records]
    return PromptRecord(
        index=index, parent=index - 1, role="user", ids=ids, text="".join(tokens), records=records
    )


def fill(transcript: Transcript, turns: int, length: int) -> None:
    """Turns of one prompt and an answer of so many tokens, a line break after every 30."""
    index = 0
    for _ in range(turns):
        transcript.score(prompt(index, "Say", " it", "!"))
        answer = transcript.begin_answer()
        for n in range(length):
            index += 1
            answer.add(token(index, "\n" if n % 30 == 29 else f" word{index}"))
        transcript.say(f"{length} tokens", "note")
        index += 1
    transcript.settle()


class Texts(Container):
    """All widgets of the text."""

    DEFAULT_CSS = "Texts TokenView, Texts MarkdownView { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.transcript = Transcript()
        self.view = TokenView(self.transcript, id="tokens")
        self.markdown = MarkdownView(self.view)
        self.search = SearchBar(self.view)
        self.legend = Legend()

    def compose(self) -> ComposeResult:
        yield Static("status")
        yield self.view
        yield self.markdown
        yield self.legend
        yield self.search

    def on_token_view_search_wanted(self) -> None:
        self.search.open()

    def on_token_view_restyled(self) -> None:
        self.legend.restyle(letters=self.view.letters, colour=self.view.colour)


@dataclass
class Viewing(Driver):
    """All widgets of the text in an application, and what a test reads from them."""

    app: Host
    texts: Texts

    @property
    def view(self) -> TokenView:
        return self.texts.view

    def heard(self, kind: type[Any]) -> Any:
        """The last message of a kind; None if there was none."""
        return next(reversed(self.app.of(kind)), None)


@asynccontextmanager
async def viewing(
    *, colours: Colours = "true", size: tuple[int, int] = (80, 24), turns: int = 0, length: int = 90
) -> AsyncIterator[Viewing]:
    texts = Texts()
    fill(texts.transcript, turns, length)
    async with hosted(lambda: texts, size, colours=colours) as (app, pilot):
        texts.view.focus()
        texts.view.update()
        await pilot.pause()
        yield Viewing(pilot, app, texts)
