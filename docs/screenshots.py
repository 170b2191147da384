"""Makes the documentation's pictures: `python docs/screenshots.py [--scripted] [--out FOLDER]`.

Runs the chat screen without a terminal, on the embedded model and a fixed seed (or on the tests'
scripted engine), asks one of the demo questions and exports the screens of docs/tour.md; then the
replay's, of the same answer. Times are made equal, so that the same tokens give the same picture.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
from textual.pilot import Pilot

from entropix_mlx.records.record import End, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.devices import release_thread
from entropix_tui.app import EntropixApp
from entropix_tui.conversation.demos import DEMOS
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.factory import SessionFactory
from entropix_tui.engine.outputs import Ready, Restored, TurnRecord
from entropix_tui.engine.protocol import (
    Complain,
    MakeSession,
    Progress,
    SessionLike,
    SessionRequest,
)
from entropix_tui.engine.scorer import MakeScoreSession, score_session
from entropix_tui.look import screenshot
from entropix_tui.replay.recording import IdleEngine, Recording, Revival
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.replay.replay import ReplayScreen
from entropix_tui.screens.score.score import ScoreScreen
from entropix_tui.screens.step.step import StepScreen

ROOT = Path(__file__).resolve().parents[1]
MS = 75.0
SIZE = (132, 40)
TEXT = (
    "The capital of France is Paris. The capital of Spain is banana. In the morning the fisherman "
    "went down to the harbour, untied his boat, and sailed out to the library. The sea was calm, "
    "the sky was blue, and the gulls were arguing about metaphysics."
)
"""What is scored."""


class Steady:
    """Sessions whose every token took as long, and what was said in them."""

    def __init__(self, make: MakeSession) -> None:
        self._make = make
        self._ready: Ready | None = None
        self._said: list[TurnRecord] = []

    def prepare(self, request: SessionRequest, progress: Progress) -> None:
        self._make.prepare(request, progress)

    def past(self, request: SessionRequest, *, end: bool = False) -> Restored | None:
        return self._make.past(request, end=end)

    def __call__(
        self,
        request: SessionRequest,
        settings: Settings | None,
        progress: Progress,
        complain: Complain,
    ) -> tuple[SessionLike, Ready]:
        session, self._ready = self._make(request, settings, progress, complain)
        run = session.run

        def steady(request: TurnRequest) -> Iterator[TurnRecord]:
            for record in map(_steady, run(request)):
                self._said.append(record)
                yield record

        session.run = steady  # type: ignore[method-assign]
        return session, self._ready

    def recording(self, name: str) -> Recording:
        """What was said, as if it were read from a file."""
        assert self._ready is not None
        return Recording(Path(name), self._ready.header, self._said)


def _steady(record: TurnRecord) -> TurnRecord:
    if isinstance(record, TokenRecord):
        return msgspec.structs.replace(record, ms=MS)
    if isinstance(record, End):
        return msgspec.structs.replace(
            record, seconds=record.tokens * MS / 1000, prefill_seconds=0.0
        )
    return record


def factory(scripted: bool) -> tuple[MakeSession, MakeScoreSession]:
    if scripted:
        sys.path.insert(0, str(ROOT / "tests" / "tui"))
        from scripted import ScriptedFactory, ScriptedSession
        from test_score_screen import ScriptedScorer

        return ScriptedFactory([ScriptedSession()]), ScriptedScorer().make
    return SessionFactory(Settings.make(), model="smollm2-135m", seed=7), score_session


class Driver:
    """Keys for an application without a terminal, and what it shows then."""

    def __init__(self, app: EntropixApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            if self.app.return_code:
                raise RuntimeError("the application has failed")
            await self.pilot.pause(0.05)

    async def after(self, *keys: str) -> str:
        """The screen as SVG once these are pressed."""
        await self.pilot.press(*keys)
        await self.pilot.pause(0.3)
        await self.pilot.pause()
        return screenshot.svg(self.app)


async def scenes(app: EntropixApp, demo: str, cursor: int) -> AsyncIterator[tuple[str, str]]:
    """Ask, wait for the answer, look at it in every way: names and screens as SVG."""
    async with app.run_test(size=SIZE) as pilot:
        driver = Driver(app, pilot)
        until, after = driver.until, driver.after
        await until(lambda: isinstance(app.screen, ChatScreen))
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        screen.composer.prompt.cursor_blink = False
        said = screen.conversation
        await until(lambda: said.can_send)
        yield "empty", await after()
        screen.composer.prompt.put(DEMOS[demo])
        await pilot.press("enter")
        await until(lambda: not said.busy and screen.view.tokens.answer() is not None)
        yield "summary", await after()
        yield "chat", await after(*["ctrl+left"] * cursor)
        await pilot.press("tab", "a")
        await until(lambda: screen.view.inspector.inspection is not None)
        yield "attention", await after()
        await pilot.press("x")
        await until(lambda: app.screen is not screen)
        yield "vocabulary", await after()
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        yield "sampler", await after("ctrl+s")
        await pilot.press("escape", "f7")
        await until(lambda: isinstance(app.screen, StepScreen) and app.screen.debugging.proposal)
        stepping = app.screen
        assert isinstance(stepping, StepScreen)
        await until(lambda: not stepping.is_about_to_ask)
        await pilot.pause(0.5)
        yield "step", await after()
        await pilot.press("escape", "escape")  # its page, then itself
        await until(lambda: app.screen is screen and said.can_send)
        await pilot.press("f8")
        await until(lambda: isinstance(app.screen, ScoreScreen))
        scoring = app.screen
        assert isinstance(scoring, ScoreScreen)
        scoring.write(TEXT)
        await pilot.press("ctrl+r")
        await until(lambda: scoring.panel.ranked.current is not None)
        yield "score", await after("down")


async def replayed(recording: Recording) -> AsyncIterator[tuple[str, str]]:
    """A recording half-way through."""
    app = EntropixApp(ReplayScreen(IdleEngine(Revival(recording)), recording))
    async with app.run_test(size=SIZE) as pilot:
        driver = Driver(app, pilot)
        await driver.until(lambda: isinstance(app.screen, ReplayScreen))
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        await driver.after("6")
        await driver.until(lambda: screen.view.tokens.answer() is not None)
        yield "replay", await driver.after()


async def save(pictures: AsyncIterator[tuple[str, str]], folder: Path) -> None:
    async for name, svg in pictures:
        file = folder / f"{name}.svg"
        file.write_text(svg, encoding="utf-8")
        print(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripted", action="store_true", help="without a model")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--demo", choices=list(DEMOS), default="robot")
    parser.add_argument("--max-tokens", type=int, default=120)
    parser.add_argument("--cursor", type=int, default=12, help="tokens back from the end")
    args = parser.parse_args()
    release = release_thread if not args.scripted else lambda: None
    make, make_scorer = factory(args.scripted)
    steady = Steady(make)
    engine = Engine(steady, release=release, make_scorer=make_scorer)
    try:
        screen = ChatScreen(engine, max_tokens=args.max_tokens)
        args.out.mkdir(parents=True, exist_ok=True)
        asyncio.run(save(scenes(EntropixApp(screen), args.demo, args.cursor), args.out))
    finally:
        engine.quit(30)
    asyncio.run(save(replayed(steady.recording(f"{args.demo}.jsonl")), args.out))


if __name__ == "__main__":
    main()
