"""Driving the application under Pilot: conditions are awaited, never timed."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from scripted import ScriptedFactory, ScriptedSession
from textual.pilot import Pilot

from entropix_tui.app import EntropixApp
from entropix_tui.engine.engine import Engine
from entropix_tui.look.styles import Colours
from entropix_tui.screens.chat.chat import ChatScreen

SMALL, LARGE = (80, 24), (140, 45)


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the application work until the condition holds; fail if it never does."""
    for _ in range(2000):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.005)
    raise AssertionError("the awaited condition never held")


@dataclass
class Chat:
    """A running application and what a test reads from it."""

    pilot: Pilot[None]
    app: EntropixApp
    screen: ChatScreen
    engine: Engine

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.pilot, condition)

    async def phase(self, *phases: str) -> None:
        await self.until(lambda: self.screen.conversation.phase in phases)

    async def ask(self, text: str = "Which?") -> None:
        """Send a prompt and wait for the whole answer."""
        await self.phase("ready")
        self.screen.prompt.put(text)
        await self.pilot.press("enter")
        blocks = self.screen.conversation.transcript.blocks
        await self.until(lambda: blocks and blocks[-1].kind in ("note", "error"))

    def told(self) -> str:
        """Everything that the user was notified of."""
        return "\n".join(notice.message for notice in self.app._notifications)

    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        lines = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in lines]

    def text(self) -> str:
        return "\n".join(self.rows())


def application(
    factory: ScriptedFactory, colours: Colours = "true", dark: bool = True, **options: Any
) -> EntropixApp:
    return EntropixApp(Engine(factory), colours=colours, dark=dark, **options)


@asynccontextmanager
async def chatting(
    *sessions: ScriptedSession | Exception,
    size: tuple[int, int] = SMALL,
    factory: ScriptedFactory | None = None,
    **options: Any,
) -> AsyncIterator[Chat]:
    """The application on a scripted engine; the engine has to end with it."""
    app = application(factory or ScriptedFactory(sessions or (ScriptedSession(),)), **options)
    try:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, ChatScreen) and app.screen.is_mounted)
            screen = app.screen
            assert isinstance(screen, ChatScreen)
            yield Chat(pilot, app, screen, app.engine)
    finally:
        assert app.engine.quit(30), "the engine thread did not end"
