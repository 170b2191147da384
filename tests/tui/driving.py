"""The application on a scripted engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness import SMALL, Driver, running, until
from scripted import ScriptedFactory, ScriptedSession

from entropix_tui.app import EntropixApp
from entropix_tui.engine.engine import Engine
from entropix_tui.look.styles import Colours
from entropix_tui.screens.chat.chat import ChatScreen


@dataclass
class Chat(Driver):
    """The application with its chat."""

    app: EntropixApp
    screen: ChatScreen
    engine: Engine

    async def phase(self, *phases: str) -> None:
        await self.until(lambda: self.screen.conversation.phase in phases)

    async def ask(self, text: str = "Which?") -> None:
        """Send a prompt and wait for the whole answer."""
        await self.phase("ready")
        self.screen.composer.prompt.put(text)
        await self.pilot.press("enter")
        blocks = self.screen.conversation.transcript.blocks
        await self.until(lambda: blocks and blocks[-1].kind in ("note", "error"))


def application(
    factory: ScriptedFactory, colours: Colours = "true", dark: bool = True, **options: Any
) -> EntropixApp:
    config = options.pop("config", None)
    chat = ChatScreen(Engine(factory), **options)
    return EntropixApp(chat, colours, dark=dark, config=config)


@asynccontextmanager
async def chatting(
    *sessions: ScriptedSession | Exception,
    size: tuple[int, int] = SMALL,
    notices: bool = False,
    factory: ScriptedFactory | None = None,
    **options: Any,
) -> AsyncIterator[Chat]:
    """The application on a scripted engine; the engine has to end with it."""
    app = application(factory or ScriptedFactory(sessions or (ScriptedSession(),)), **options)
    try:
        async with running(app, size, notices=notices) as pilot:
            await until(pilot, lambda: isinstance(app.screen, ChatScreen) and app.screen.is_mounted)
            screen = app.screen
            assert isinstance(screen, ChatScreen)
            yield Chat(pilot, app, screen, app.first.engine)
    finally:
        assert app.first.engine.quit(30), "the engine thread did not end"
