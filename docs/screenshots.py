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
from typing import Any

import msgspec

from entropix_mlx.records import End, TokenRecord
from entropix_mlx.settings import Settings
from entropix_models.devices import release_thread
from entropix_tui.app import EntropixApp
from entropix_tui.demos import DEMOS
from entropix_tui.engine import Engine
from entropix_tui.making import Complain, MakeSession, Opened, Progress, Wish
from entropix_tui.outputs import Restored, TurnRecord
from entropix_tui.screens.chat import ChatScreen
from entropix_tui.sessions import SessionFactory

ROOT = Path(__file__).resolve().parents[1]
MS = 75.0
SIZE = (110, 34)


class Steady:
    """Sessions on the real model whose every token took as long."""

    def __init__(self, make: MakeSession) -> None:
        self._make = make

    def prepare(self, wish: Wish, progress: Progress) -> None:
        self._make.prepare(wish, progress)

    def past(self, wish: Wish, *, end: bool = False) -> Restored | None:
        return self._make.past(wish, end=end)

    def __call__(
        self, wish: Wish, settings: Settings | None, progress: Progress, complain: Complain
    ) -> Opened:
        opened = self._make(wish, settings, progress, complain)
        session = opened.session
        send = session.send

        def steady(text: str, **options: Any) -> Iterator[TurnRecord]:
            return map(_steady, send(text, **options))

        session.send = steady  # type: ignore[method-assign]
        return opened


def _steady(record: TurnRecord) -> TurnRecord:
    if isinstance(record, TokenRecord):
        return msgspec.structs.replace(record, ms=MS)
    if isinstance(record, End):
        return msgspec.structs.replace(record, seconds=record.tokens * MS / 1000)
    return record


def factory(scripted: bool) -> MakeSession:
    if scripted:
        sys.path.insert(0, str(ROOT / "tests" / "tui"))
        from scripted import ScriptedFactory, ScriptedSession

        return ScriptedFactory([ScriptedSession()])
    return Steady(SessionFactory(Settings.make(), model="smollm2-135m", seed=7))


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
