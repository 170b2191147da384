"""How a test shows a screen, drives it and reads it: conditions are awaited, never timed."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from rich.style import Style
from textual._context import active_app
from textual._styles_cache import StylesCache
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from entropix_tui.app import EntropixApp
from entropix_tui.look.styles import Colours
from entropix_tui.look.themes import ThemedApp

SMALL, LARGE = (80, 24), (140, 45)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
HOSTILE = (
    "[/red] \x1b[31m\u202eabc\u202c \U0001f469\u200d\U0001f469\u200d\U0001f467 \x07 漢字[bold]"
)
"""Markup, an escape sequence, a turned direction, a joined emoji, a bell, wide characters."""
PATIENCE = 60
"""Seconds after which what is awaited counts as never coming."""


# Waiting.


def _works(pump: MessagePump) -> bool:
    """Whether it has something to do: it is not at the one place where it waits for a message."""
    if pump._closing or pump._closed or pump._task is None:
        return False
    queue = pump._message_queue
    return not queue.empty() or all(waiter.done() for waiter in queue.ready_event._waiters)


def _draws(app: App[Any]) -> bool:
    """Do now what the screen would do at its next sixtieth of a second; whether it had to."""
    screen = app.screen
    if app._resize_timer is not None:
        app._check_resize()
        return True
    waits = (
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )
    if waits:
        screen._on_timer_update()
    return bool(waits)


async def at_rest(*_: object) -> None:
    """Wait until no part of the application has anything to do, and all of it is drawn.

    In place of Textual's `wait_for_idle`, which takes a process that computes nothing for 20 ms for
    one that has nothing to do: too long alone, too short beside others. Waiting computes, too: what
    never rests has its patience of processor time, however little of it a loaded machine gives.
    """
    app = active_app.get()
    until, quiet = time.process_time() + PATIENCE, 0
    while quiet < 3:  # what a task or a thread has posted arrives at a later turn
        await asyncio.sleep(0)
        if app._exit or app._exception or not app._screen_stack:
            return
        works = any(map(_works, [app, *app._registry])) or _draws(app)
        quiet = 0 if works else quiet + 1
        if works and time.process_time() > until:
            busy = [pump for pump in (app, *app._registry) if _works(pump)]
            raise AssertionError(f"never at rest: {busy}")


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the application work until the condition holds; fail if it never does."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await at_rest()
                await asyncio.sleep(0.002)  # the processor is the engine's thread's for a while
            await pilot.pause()
    except TimeoutError:
        raise AssertionError("the awaited condition never held") from None


async def settled(pilot: Pilot[None]) -> None:
    """Let workers end, and what they brought be drawn."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Keys, and all that follows from them."""
    await pilot.press(*keys)
    await settled(pilot)


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


# Reading.

_read: dict[Screen[Any], list[Strip]] = {}


def lines(app: App[Any]) -> list[Strip]:
    """What is on the screen, drawn once for all who read it before anything can happen."""
    screen = app.screen
    if screen not in _read:
        _read[screen] = screen._compositor.render_strips()
        asyncio.get_running_loop().call_soon(_read.clear)
    return _read[screen]


def rows(app: App[Any], widget: Widget | None = None) -> list[str]:
    """What is on the screen, or on a widget, row by row."""
    region = app.screen.region if widget is None else widget.scrollable_content_region
    return [
        "".join(segment.text for segment in strip.crop(region.x, region.right)).rstrip()
        for strip in lines(app)[region.y : region.bottom]
    ]


def style_of(app: App[Any], text: str) -> Style:
    """The style in which a text is drawn, the first time that it stands on the screen."""
    for strip in lines(app):
        for segment in strip:
            if text in segment.text:
                assert segment.style is not None
                return segment.style
    raise AssertionError(f"{text!r} is not on the screen")


def steering(app: App[Any]) -> set[str]:
    """Characters on the screen that could steer a terminal."""
    return {
        char
        for char in "".join(rows(app))
        if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u202c"
    }


def told(app: App[Any]) -> str:
    """Everything that the user was notified of."""
    return "\n".join(notice.message for notice in app._notifications)


@dataclass
class Driver:
    """A running application and what a test reads from it."""

    pilot: Pilot[None]

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.pilot, condition)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    def rows(self, widget: Widget | None = None) -> list[str]:
        return rows(self.pilot.app, widget)

    def text(self) -> str:
        return "\n".join(self.rows())

    def style_of(self, text: str) -> Style:
        return style_of(self.pilot.app, text)

    def told(self) -> str:
        return told(self.pilot.app)

    def steering(self) -> set[str]:
        return steering(self.pilot.app)


# Showing.


class Host(ThemedApp):
    """One screen, or one widget that fills the screen if it has no size of its own.

    `answers`: what the screen was dismissed with; `posted`: what parts of our own posted.
    """

    AUTO_FOCUS = None  # as a screen has it

    def __init__(
        self,
        make: Callable[[], Widget],
        colours: Colours = "true",
        dark: bool = True,
        css: str = "",
    ) -> None:
        super().__init__(colours, dark=dark)
        self.make = make
        self.answers: list[Any] = []
        self.posted: list[Message] = []
        self.animation_level = "none"
        if css:
            self.stylesheet.add_source(css)

    async def on_mount(self) -> None:
        shown = self.make()
        if isinstance(shown, Screen):
            self.AUTO_FOCUS = "*"
            self.push_screen(shown, self.answers.append)
        else:
            await self.mount(shown)

    # The keys of these are the screens'; what they do is the program's.
    action_help = EntropixApp.action_help
    action_jump = EntropixApp.action_jump

    def keep(self, message: Message) -> None:
        """Keep a message; a hook is told of it at every stop on its way up."""
        ours = type(message).__module__.startswith("entropix_tui")
        if ours and not any(message is kept for kept in self.posted):
            self.posted.append(message)

    def of(self, kind: type[Any]) -> list[Any]:
        """The messages of a kind."""
        return [message for message in self.posted if isinstance(message, kind)]

    def rows(self) -> list[str]:
        return rows(self)

    def text(self) -> str:
        return "\n".join(rows(self))

    def steering(self) -> set[str]:
        return steering(self)


@asynccontextmanager
async def running(
    app: App[None], size: tuple[int, int] = SMALL, *, notices: bool = False
) -> AsyncIterator[Pilot[None]]:
    """Run an application until a test is done with it; `notices`: what is told is drawn, too."""
    hook = app.keep if isinstance(app, Host) else None
    async with app.run_test(size=size, message_hook=hook, notifications=notices) as pilot:
        await pilot.pause()
        yield pilot
    StylesCache.get_inner_outer.cache_clear()  # else what was drawn stays, see EntropixApp


@asynccontextmanager
async def hosted(
    make: Callable[[], Widget], size: tuple[int, int] = SMALL, **look: Any
) -> AsyncIterator[tuple[Host, Pilot[None]]]:
    app = Host(make, **look)
    async with running(app, size) as pilot:
        await settled(pilot)
        yield app, pilot


def drive(
    widget: Widget,
    steps: Callable[[Host, Pilot[None]], Any],
    size: tuple[int, int] = SMALL,
    **options: Any,
) -> None:
    """Run an application around a widget, and a test's coroutine against it."""

    async def run() -> None:
        async with hosted(lambda: widget, size, **options) as (host, pilot):
            await steps(host, pilot)

    asyncio.run(run())
