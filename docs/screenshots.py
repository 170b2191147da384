"""Makes the documentation's pictures: `python docs/screenshots.py [--scripted] [--out FOLDER]`.

Runs the chat screen without a terminal, on the embedded model and a fixed seed (or on the tests'
scripted engine), asks one of the demo questions and exports what is on the screen. Times are made
equal, so that the same tokens give the same picture.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from entropix_mlx.records import End, RunHeader, TokenRecord
from entropix_mlx.settings import Settings
from entropix_models.devices import release_thread
from entropix_tui.app import EntropixApp
from entropix_tui.demos import DEMOS
from entropix_tui.engine import Engine, MakeSession, Progress, SessionLike, TurnRecord
from entropix_tui.screens.chat import ChatScreen
from entropix_tui.sessions import SessionFactory

ROOT = Path(__file__).resolve().parents[1]
MS = 75.0
SIZE = (110, 34)


class Steady:
    """A session whose every token took as long."""

    def __init__(self, session: SessionLike) -> None:
        self._session = session

    @property
    def header(self) -> RunHeader:
        return self._session.header

    @property
    def context(self) -> int | None:
        return self._session.context

    def send(self, text: str, *, max_tokens: int) -> Iterator[TurnRecord]:
        for record in self._session.send(text, max_tokens=max_tokens):
            if isinstance(record, TokenRecord):
                yield msgspec.structs.replace(record, ms=MS)
            elif isinstance(record, End):
                yield msgspec.structs.replace(record, seconds=record.tokens * MS / 1000)
            else:
                yield record

    def stop(self) -> None:
        self._session.stop()

    def close(self) -> None:
        self._session.close()


def factory(scripted: bool) -> MakeSession:
    if scripted:
        sys.path.insert(0, str(ROOT / "tests" / "tui"))
        from scripted import ScriptedFactory, ScriptedSession

        return ScriptedFactory([ScriptedSession()])
    make = SessionFactory(Settings.make(), model="smollm2-135m", seed=7)

    def steady(progress: Progress) -> SessionLike:
        return Steady(make(progress))

    return steady


async def take(app: EntropixApp, demo: str, cursor: int) -> str:
    """Ask, wait for the answer, put the cursor on its token `cursor`; the screen as SVG."""
    async with app.run_test(size=SIZE) as pilot:
        while not isinstance(app.screen, ChatScreen):
            await pilot.pause()
        screen = app.screen
        screen.prompt.cursor_blink = False
        said = screen.conversation
        while not said.can_send:
            await pilot.pause(0.05)
        screen.prompt.put(DEMOS[demo].prompt)
        await pilot.press("enter")
        while said.busy or said.last_answer() is None:
            await pilot.pause(0.05)
        for _ in range(cursor):
            await pilot.press("ctrl+left")
        await pilot.pause()
        svg = app.export_screenshot(title="entropix-tui chat")
    # Rich numbers its classes by a hash that differs from picture to picture.
    return re.sub(r"terminal-\d+-", "terminal-", svg)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripted", action="store_true", help="without a model")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--demo", choices=list(DEMOS), default="numbers")
    parser.add_argument("--max-tokens", type=int, default=120)
    parser.add_argument("--cursor", type=int, default=12, help="tokens back from the end")
    args = parser.parse_args()
    release = release_thread if not args.scripted else lambda: None
    engine = Engine(factory(args.scripted), release=release)
    try:
        app = EntropixApp(engine, colours="true", max_tokens=args.max_tokens)
        svg = asyncio.run(take(app, args.demo, args.cursor))
    finally:
        engine.quit(30)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "chat.svg"
    file.write_text(svg, encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main()
