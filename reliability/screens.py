"""Screens under damaged traces and under a monkey:

    python reliability/screens.py --replays 1000 --events 20000 --seed 1

Each trace is opened by `entropix-tui replay`, every seventh beside a sound one, and a monkey plays
with it for a while; then it plays with chat, replay, score and the debugger on a scripted engine,
whose answers are hostile. Nothing may end the program but what quits it, nothing raw may be drawn.
What went wrong is listed with its number, under which `--only` makes it again.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import textual.app
import textual.pilot
from damage import SOUND, damaged
from damaged_traces import BYTES, apart, peak
from debugged import hostile
from harness import HOSTILE, at_rest, running
from monkey import SIZES, Monkey
from scripted import STORY, ScriptedFactory, ScriptedSession
from test_score_screen import ScriptedScorer

from entropix_mlx.trace.archive import Archive
from entropix_models.errors import TraceError
from entropix_tui.app import EntropixApp
from entropix_tui.engine.engine import Engine
from entropix_tui.replay.recording import IdleEngine, Recording, Revival, beside
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.replay.replay import ReplayScreen
from entropix_tui.screens.score.score import ScoreScreen

EVENTS = 12
"""Of the monkey with one trace."""
RUN = 250
"""Of the monkey with one application."""


class Told(NamedTuple):
    """What came of a trace or a run: a word, what is wrong, what the monkey did and where."""

    end: str
    fault: str = ""
    done: Mapping[str, int] = {}
    seen: Mapping[str, int] = {}


def with_clock(app: EntropixApp) -> EntropixApp:
    """No two presses of Ctrl+C are near each other, so that none quits."""
    steps = count(0, 10)
    app.clock = lambda: float(next(steps))
    return app


def replayed(seed: int, number: int) -> Told:
    """A damaged trace in the replay."""
    return opened(damaged(seed, number), random.Random(f"screens {seed}/{number}"), number)


def opened(data: bytes, spread: random.Random, number: int) -> Told:
    """A file in the replay; where the number is one of seven's, beside a sound one."""
    path, other = Path("run.jsonl"), Path("sound.jsonl")
    path.write_bytes(data)
    other.write_bytes(b"\n".join(SOUND) + b"\n")
    leaves = None
    try:
        recording = Recording.read(str(path))
        if number % 7 == 0:
            one, two = Recording.read(str(other)), recording
            recording, leaves = beside(*((one, two) if number % 2 else (two, one)))
    except TraceError as error:
        return Told("refused", "more than one line" if "\n" in str(error) else "")
    screen = ReplayScreen(
        IdleEngine(Revival(recording, model="none of this name")),
        recording,
        play=spread.random() < 0.3,
        speed=spread.choice((1, float("inf"))),
        beside=leaves,
    )
    return played(with_clock(EntropixApp(screen)), spread, EVENTS, "replayed")


def monkeyed(seed: int, number: int) -> Told:
    """One application after another."""
    spread = random.Random(f"monkey {seed}/{number}")
    make = (chat, replay, score, step)[number % 4]
    return played(with_clock(make()), spread, RUN, make.__name__)


def chat(*, text: bool = True) -> EntropixApp:
    sessions = [ScriptedSession(answers=[STORY, [HOSTILE, *STORY[:9], "\x1b[2J", "\x9b2J", "\n"]])]
    archive = Archive(Path("sessions"))
    archive.root.mkdir(exist_ok=True)
    for n, data in enumerate((SOUND, SOUND[:9])):
        archive.path(f"talk-{n}").write_bytes(b"\n".join(data) + b"\n")
    engine = Engine(ScriptedFactory(sessions), make_scorer=ScriptedScorer().make)
    return EntropixApp(ChatScreen(engine, archive=archive if text else None))


def replay() -> EntropixApp:
    Path("sound.jsonl").write_bytes(b"\n".join(SOUND) + b"\n")
    recording = Recording.read("sound.jsonl")
    engine = IdleEngine(Revival(recording, model="none of this name"))
    return EntropixApp(ReplayScreen(engine, recording))


def score() -> EntropixApp:
    engine = Engine(ScriptedFactory([ScriptedSession()]), make_scorer=ScriptedScorer().make)
    return EntropixApp(ScoreScreen(engine, f"The capital of Spain is banana. {HOSTILE}"))


def step() -> EntropixApp:
    """The debugger over a chat; its answers come at once."""
    app = chat(text=False)
    script = hostile()

    def begin() -> None:
        app.push_screen(script.make())

    app.call_later(begin)
    return app


def played(app: EntropixApp, spread: random.Random, events: int, end: str) -> Told:
    """What a monkey comes to."""
    monkey = Monkey(app, spread)
    app._fatal_error = app._close_messages_no_wait  # type: ignore[method-assign]  # says nothing

    async def play() -> None:
        async with running(app, spread.choice(SIZES)):
            await monkey.act(events)

    fault = ""
    try:
        asyncio.run(play())
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        places = " < ".join(f"{Path(at.filename).name}:{at.lineno}" for at in reversed(frames))
        fault = f"{type(error).__name__}: {error} ({places}) after {monkey.last[-8:]}"
    if not app.first.engine.quit(30):
        fault += "; the engine does not end"
    return Told(end, " ".join(fault.split())[:600], monkey.done, monkey.seen)


@contextmanager
def elsewhere() -> Iterator[None]:
    """In a folder, and with a configuration and a cache, of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CONFIG", "CACHE", "DATA"):
            os.environ[f"ENTROPIX_{name}"] = folder
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def several(make: Callable[[int, int], Told], seed: int, numbers: range) -> tuple[list[Told], int]:
    """One after another, and the greatest memory that the process had, in bytes."""
    for module in (textual.app, textual.pilot):  # as the tests have it
        module.wait_for_idle = at_rest  # type: ignore[attr-defined]
    with elsewhere():
        return [make(seed, number) for number in numbers], peak()


def campaign(
    what: str, make: Callable[[int, int], Told], seed: int, numbers: range, jobs: int
) -> int:
    """Tell what comes of all of them; how many went wrong."""
    began = time.monotonic()
    ends, done, seen = Counter[str](), Counter[str](), Counter[str]()
    wrong = most = 0
    parts = [numbers[at : at + 5] for at in range(0, len(numbers), 5)]
    for part, (found, memory) in zip(
        parts, apart(partial(several, make, seed), parts, jobs, bound=None), strict=True
    ):
        most = max(most, memory)
        if memory > BYTES:
            print(f"{what} {part[0]} to {part[-1]}: {memory / 1e6:.0f} MB", flush=True)
            wrong += 1
        for number, told in zip(part, found, strict=True):
            ends[told.end] += 1
            done.update(told.done)
            seen.update(told.seen)
            if told.fault:
                wrong += 1
                print(f"{what} {number} ({told.end}): {told.fault}", flush=True)
    listed = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
    print(
        f"{ends.total()} {what} of seed {seed}: {listed}; {wrong} wrong; {done.total()} events "
        f"({', '.join(f'{n} {name}' for name, n in done.most_common())}) on {len(seen)} screens "
        f"({', '.join(sorted(seen))}); {most / 1e6:.0f} MB at most, "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replays", type=int, default=1000, metavar="N")
    parser.add_argument("--events", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="Processes.")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="Begin with this.")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="This trace, or run, alone.")
    given = parser.parse_args()
    wrong = 0
    for what, make, numbers in (
        ("traces", replayed, range(given.first, given.replays)),
        ("runs of a monkey", monkeyed, range(given.first, given.events // RUN)),
    ):
        if given.only is not None and numbers:
            numbers = range(given.only, given.only + 1)
        if numbers:
            wrong += campaign(what, make, given.seed, numbers, given.jobs)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
