"""A small application around a token view, to look at and to drive."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.style import Style
from scripted import token
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from entropix_mlx.records.record import PromptRecord
from entropix_tui.look.styles import Colours
from entropix_tui.transcript.transcript import Transcript
from entropix_tui.widgets.text.legend import Legend
from entropix_tui.widgets.text.markdown_view import MarkdownView
from entropix_tui.widgets.text.search import SearchBar
from entropix_tui.widgets.text.token_view import TokenView


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


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


class Host(App[None]):
    """All widgets of the text, and what they said."""

    CSS = "TokenView, MarkdownView { height: 1fr; }"

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.transcript = Transcript()
        self.view = TokenView(self.transcript, colours, id="tokens")
        self.markdown = MarkdownView(self.view)
        self.search = SearchBar(self.view)
        self.legend = Legend(colours)
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Static("status")
        yield self.view
        yield self.markdown
        yield self.legend
        yield self.search

    def on_token_view_cursor_moved(self, event: TokenView.CursorMoved) -> None:
        self.heard.append(event)

    on_token_view_fork_wanted = on_token_view_edit_wanted = on_token_view_cursor_moved  # type: ignore[assignment]
    on_token_view_markdown_wanted = on_token_view_cursor_moved  # type: ignore[assignment]
    on_search_bar_closed = on_markdown_view_closed = on_token_view_cursor_moved  # type: ignore[assignment]

    def on_token_view_search_wanted(self) -> None:
        self.search.open()

    def on_token_view_restyled(self) -> None:
        self.legend.restyle(letters=self.view.letters, colour=self.view.colour)


@dataclass
class Viewing:
    """A running host and what a test reads from it."""

    app: Host
    pilot: Pilot[None]
    view: TokenView = field(init=False)

    def __post_init__(self) -> None:
        self.view = self.app.view

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(2000):
            if condition():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.005)
        raise AssertionError("the awaited condition never held")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def heard(self, kind: type[Any]) -> Any:
        """The last message of a kind; None if there was none."""
        return next((m for m in reversed(self.app.heard) if isinstance(m, kind)), None)

    def rows(self, widget: Widget | None = None) -> list[str]:
        """What stands on the screen, or on a widget."""
        strips = self.app.screen._compositor.render_strips()
        region = self.app.screen.region if widget is None else widget.scrollable_content_region
        return [
            "".join(s.text for s in strip.crop(region.x, region.right)).rstrip()
            for strip in strips[region.y : region.bottom]
        ]

    def text(self) -> str:
        return "\n".join(self.rows())

    def style_of(self, text: str) -> Style:
        """The style in which a text is drawn, the first time that it stands on the view."""
        for strip in self.app.screen._compositor.render_strips():
            for segment in strip:
                if text in segment.text:
                    assert segment.style is not None
                    return segment.style
        raise AssertionError(f"{text!r} is not on the screen")


@asynccontextmanager
async def viewing(
    *, colours: Colours = "true", size: tuple[int, int] = (80, 24), turns: int = 0, length: int = 90
) -> AsyncIterator[Viewing]:
    app = Host(colours)
    fill(app.transcript, turns, length)
    async with app.run_test(size=size) as pilot:
        app.view.focus()
        app.view.update()
        await pilot.pause()
        yield Viewing(app, pilot)
