"""A recording on the chat's screen: played and looked at without a model, and stepped into."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from conversations import asked, said, two_answers
from gathering import Collected
from harness import HOSTILE, LARGE, SIZES, SMALL, Driver, running, scenario, until
from scripted import HEADER, STORY, ScriptedFactory, ScriptedSession, prompt, token
from textual.pilot import Pilot
from textual.widgets import Input

from entropix_mlx.records.record import End, Event, RunHeader, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.trace.attention_file import AttentionWriter
from entropix_mlx.trace.trace import TraceWriter, attention_beside
from entropix_models.errors import TraceError
from entropix_tui.app import EntropixApp
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed, TurnRecord
from entropix_tui.engine.protocol import AS_STARTED, MakeSession
from entropix_tui.look.styles import Colours
from entropix_tui.replay.playback import AT_ONCE, SPEEDS
from entropix_tui.replay.recording import IdleEngine, Recording, Revival, beside
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.screens.replay.replay import ENOUGH, LONG, REST, ReplayScreen
from entropix_tui.screens.step.step import StepScreen
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.transport import Transport

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel


def turn(
    first: int, parent: int, texts: list[str] = STORY, ask: str = "Which?"
) -> list[TurnRecord]:
    """A prompt and its answer, with a valley at the answer's twelfth token if it is as long."""
    records: list[TurnRecord] = [prompt(first, ask, parent=parent)]
    for n, text in enumerate(texts, 1):
        records.append(token(first + n, text))
        if n == 14:
            records.append(Event(kind="valley", index=first + n, at=first + 12))
    leaf = first + len(texts)
    records.append(
        End(leaf=leaf, finish_reason="stop", tokens=len(texts), seconds=4.0, prefill_seconds=0.1)
    )
    return records


SECOND = len(STORY) + 1
TWO_TURNS = [*turn(0, -1), *turn(SECOND, SECOND - 1, [" Yes", ",", " really", "."], "Really?")]


def recorded(
    records: list[TurnRecord] = TWO_TURNS,
    header: RunHeader = HEADER,
    problems: tuple[str, ...] = (),
) -> Recording:
    return Recording(Path("/somewhere/talk.jsonl"), header, records, problems)


def written(path: Path, records: list[TurnRecord] = TWO_TURNS, header: RunHeader = HEADER) -> Path:
    with TraceWriter(path) as writer:
        for record in (header, *records):
            writer.write(record)
    return path


class Clock:
    """Stands still unless it is turned on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Replay(Driver):
    """A running replay and what a test reads from it."""

    app: EntropixApp
    screen: ReplayScreen
    clock: Clock = field(default_factory=Clock)

    async def press(self, *keys: str) -> None:
        """Press keys; what they lead to is shown."""
        for key in keys:
            await self.pilot.press(key)
            await self.shown()

    async def shown(self) -> None:
        screen = self.screen
        await until(
            self.pilot,
            lambda: (
                screen._known == len(screen.playback.shown)
                and not screen.view._stale
                and not screen.view._behind
                and not screen._pointing
                and screen.view.strips._dirty_from is None
                and not (screen.view.side.summary._dirty and screen.view.side.summary.is_on_screen)
            ),
        )

    async def wait(self, seconds: float) -> None:
        """Let time pass, in steps that a film takes as they are."""
        while seconds > 0:
            step = min(seconds, 0.25)
            self.clock.now += step
            seconds -= step
            self.screen.drain()
        await self.shown()

    @property
    def answer(self) -> str:
        return self.screen.view.tokens.answer() or ""


def application(
    recording: Recording,
    engine: Engine | None = None,
    colours: Colours = "true",
    dark: bool = True,
    **options: Any,
) -> EntropixApp:
    idle = engine or IdleEngine(Revival(recording))
    assert isinstance(idle, IdleEngine)
    screen = ReplayScreen(idle, recording, **options)
    return EntropixApp(screen, colours, dark=dark)


@asynccontextmanager
async def replaying(
    recording: Recording | None = None, size: tuple[int, int] = SMALL, **options: Any
) -> AsyncIterator[Replay]:
    clock = Clock()
    app = application(recording or recorded(), clock=clock, **options)
    screen = app.first
    assert isinstance(screen, ReplayScreen)
    try:
        async with running(app, size) as pilot:
            replay = Replay(pilot, app, screen, clock)
            await until(pilot, lambda: screen._known >= 0 or screen._glimpsed >= 0)
            await pilot.pause()
            yield replay
    finally:
        assert app.first.engine.quit(30), "the engine thread did not end"


# Opening.


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_it_opens_with_everything_shown(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with replaying(size=size) as replay:
            await replay.shown()
            screen = replay.screen
            assert replay.answer == " Yes, really."
            assert isinstance(screen.focused, Transport)
            drawn = replay.text()
            total = len(STORY) + 4
            assert f"{total}/{total} tokens" in drawn
            assert "talk.jsonl" in drawn
            assert "replay" in replay.rows()[0]
            assert "smollm2-135m" in replay.rows()[0]
            assert len(screen.view.strips.timeline) > total
            assert screen.view.side.summary.whole.tokens == total
            assert not screen.playback.playing

    run()


@pytest.mark.slow
def test_no_model_and_no_thread_until_it_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, threading\n"
        "from entropix_tui.cli.replay import replay\n"
        "from entropix_tui.app import EntropixApp\n"
        "import entropix_tui.cli.launch\n"
        "entropix_tui.cli.launch.require_terminal = lambda _: None\n"
        "async def look(app):\n"
        "    async with app.run_test(size=(80, 24)) as pilot:\n"
        "        for key in ('space', 'left', 'T', 'v', 'ctrl+left', 'a', 'x', 'escape'):\n"
        "            await pilot.press(key)\n"
        "        names = {'mlx', 'mlx_lm', 'transformers', 'tokenizers'}\n"
        "        print(sorted(names & set(sys.modules)), threading.active_count())\n"
        "EntropixApp.run = lambda app: asyncio.run(look(app))\n"
        f"replay.main([{str(written(tmp_path / 'talk.jsonl'))!r}], standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "[] 1\n"


@pytest.mark.slow
def test_play_begins_at_the_beginning() -> None:
    @scenario
    async def run() -> None:
        async with replaying(play=True) as replay:
            screen = replay.screen
            assert screen.playback.playing
            assert screen.conversation.is_empty
            assert f"0/{len(STORY) + 4} tokens" in replay.text()
            await replay.wait(0.75)
            assert [block.kind for block in screen.conversation.transcript.blocks] == [
                "user",
                "answer",
            ]
            assert replay.answer == STORY[0]
            await replay.wait(0.8)
            assert replay.answer == "".join(STORY[:11])
            assert screen.view.strips.timeline.records[-1].text == STORY[10]
            await replay.wait(60)
            assert replay.answer == " Yes, really."
            assert not screen.playback.playing

    run()


@pytest.mark.slow
def test_a_long_one_shows_its_end_at_once_and_all_of_it_then() -> None:
    records: list[TurnRecord] = []
    for first in range(0, LONG + 2000, len(STORY) + 1):
        records += turn(first, first - 1)

    @scenario
    async def run() -> None:
        async with replaying(recorded(records)) as replay:
            screen = replay.screen
            assert screen._known < 0
            assert 0 < len(screen.conversation.tree) <= ENOUGH
            assert replay.answer == "".join(STORY)
            replay.clock.now += REST
            await replay.shown()
            assert len(screen.conversation.tree) == screen.playback.length
            # As long as one moves about, it is the end of what is shown.
            await replay.pilot.press("left", "left", "left")
            await until(replay.pilot, lambda: replay.answer == "".join(STORY[:-3]))
            assert len(screen.conversation.tree) <= ENOUGH
            assert screen.view.ref == TokenRef(screen.conversation.tree.leaf)
            replay.clock.now += REST
            await replay.shown()
            assert len(screen.conversation.tree) == screen.playback.length - 3
            assert screen.view.ref == TokenRef(screen.conversation.tree.leaf)

    run()


# Playing and going elsewhere.


@pytest.mark.slow
@scenario
async def test_the_legend_names_what_there_is() -> None:
    async with replaying(size=(120, 30)) as replay:
        await replay.shown()
        await replay.until(lambda: "▅ prompt" in replay.text())
    unmeasured = [prompt(0, "Which?", score=False), *turn(0, -1)[1:]]
    async with replaying(recorded(unmeasured), size=(120, 30)) as replay:
        await replay.shown()
        await replay.until(lambda: "▾ valley" in replay.text() and "mean entropy" in replay.text())
        assert "▅ prompt" not in replay.text()
        assert "inserted" not in replay.text()
    hint = token(1, "...", strategy="clarify", forced="clarify")
    async with replaying(recorded([prompt(0, "Which?"), hint]), size=(120, 30)) as replay:
        await replay.shown()
        await replay.until(lambda: "¿ inserted  ▅ prompt" in replay.text())


@scenario
async def test_space_plays_and_pauses() -> None:
    async with replaying() as replay:
        screen = replay.screen
        await replay.press("space")
        assert screen.playback.playing
        await replay.wait(1.0)
        assert "▶" in replay.text()
        position = screen.playback.position
        assert 0 < position < screen.playback.length
        await replay.press("space")
        await replay.wait(5)
        assert screen.playback.position == position
        assert "‖" in replay.text()
        await replay.press("space", "escape")
        assert not screen.playback.playing


@pytest.mark.slow
@scenario
async def test_token_by_token_with_the_cursor() -> None:
    async with replaying(size=LARGE) as replay:
        screen = replay.screen
        await replay.press("left")
        assert replay.answer == " Yes, really"
        assert screen.view.ref == TokenRef(SECOND + 3)
        assert screen.view.inspector.record is not None
        assert screen.view.inspector.record.text == " really"
        assert screen.view.strips.cursor == screen.view.ref
        await replay.press("comma", "comma", "full_stop")
        assert replay.answer == " Yes,"
        await replay.press("left", "left", "left")
        assert replay.answer == "".join(STORY), "back in the first turn"
        happened = screen.conversation.in_view()[1]
        assert [told.kind for told in happened if isinstance(told, Event)] == ["valley"]
        await replay.press("home")
        assert screen.conversation.is_empty
        assert screen.view.ref is None
        await replay.press("left")
        assert screen.playback.position == 0
        await replay.press("end")
        assert replay.answer == " Yes, really."


@pytest.mark.slow
@scenario
async def test_turns_valleys_and_tenths() -> None:
    async with replaying() as replay:
        screen = replay.screen
        await replay.press("T")
        assert screen.playback.position == SECOND + 1
        await replay.press("T")
        assert screen.playback.position == 1
        await replay.press("v")
        assert screen.playback.position == 15
        assert screen.conversation.transcript.blocks[-1].valleys == [11]
        while screen.playback.beside("valley", 1) is not None:
            await replay.press("v")
        assert "valley" not in replay.told()
        await replay.press("v")
        assert replay.told() == "There is no next valley."
        await replay.press("t", "t")
        assert screen.playback.is_over
        await replay.press("5")
        assert screen.playback.position == round(screen.playback.length / 2)
        assert screen.conversation.tree.leaf == screen.playback.position - 1
        await replay.press("0")
        assert screen.playback.position == 0


@scenario
async def test_speeds() -> None:
    async with replaying() as replay:
        playback = replay.screen.playback
        await replay.press("greater_than_sign")
        assert playback.speed == 2
        assert "×2" in replay.text()
        await replay.press(*["greater_than_sign"] * len(SPEEDS))
        assert playback.speed == AT_ONCE
        assert "at once" in replay.text()
        await replay.press("home", "space")
        await replay.until(lambda: replay.answer == " Yes, really.")
        await replay.press("less_than_sign")
        assert playback.speed == 16


@pytest.mark.slow
@scenario
async def test_the_bar_goes_where_it_is_clicked_and_dragged() -> None:
    async with replaying() as replay:
        screen, pilot = replay.screen, replay.pilot
        bar = screen.transport._bar
        await pilot.mouse_down(screen.transport, offset=(bar.start, 1))
        await replay.shown()
        assert screen.playback.position == 0
        await pilot.hover(screen.transport, offset=(bar.start + len(bar) // 2, 1))
        await replay.shown()
        middle = screen.playback.position
        assert abs(middle - screen.playback.length / 2) < 2
        await pilot.mouse_up(screen.transport, offset=(bar.start + len(bar) // 2, 1))
        await pilot.hover(screen.transport, offset=(bar.start, 1))
        await replay.shown()
        assert screen.playback.position == middle, "no longer dragged"
        await pilot.click(screen.transport, offset=(bar.stop - 1, 1))
        await replay.shown()
        assert screen.playback.is_over
        await pilot.click(screen.transport, offset=(2, 1))
        assert screen.playback.playing


@pytest.mark.slow
@scenario
async def test_while_the_text_has_the_focus_its_keys_are_the_chats() -> None:
    async with replaying() as replay:
        screen = replay.screen
        screen.view.tokens.focus()
        await replay.press("left", "left")
        assert screen.playback.is_over
        assert screen.view.ref == TokenRef(SECOND + 3)
        await replay.press("v")
        await replay.press("space")
        assert screen.playback.playing, "but Space plays wherever one is"
        assert screen.view.ref is None
        await replay.press("escape", "slash")
        assert isinstance(screen.focused, Input)
        await replay.press("space", "1")
        assert screen.focused.value == " 1"
        assert not screen.playback.playing


@scenario
async def test_settings_are_those_of_what_is_shown() -> None:
    change = Event(kind="setting", index=10, detail={"temperature": 0.25, "seed": 99})
    records = [*TWO_TURNS[:12], change, *TWO_TURNS[12:]]
    async with replaying(recorded(records)) as replay:
        talk = replay.screen.conversation
        assert talk.settings is not None
        assert talk.settings.temperature == 0.25
        assert talk.seed == 99
        replay.screen.playback.seek(5)
        await replay.shown()
        assert talk.settings.temperature == HEADER.sampler["temperature"]
        assert talk.seed == HEADER.seed
        await replay.press("5")
        assert talk.settings.temperature == 0.25


@pytest.mark.slow
def test_attention_that_was_recorded(tmp_path: Path) -> None:
    path = written(tmp_path / "talk.jsonl")
    drawn = [record for record in TWO_TURNS if isinstance(record, TokenRecord)]
    writer = AttentionWriter(attention_beside(path))
    for record in drawn[:-1]:
        writer.add(record.index, np.linspace(0, 5, 12, dtype=np.float32).reshape(3, 4))
    writer.close()

    @scenario
    async def run() -> None:
        async with replaying(Recording.read(str(path)), size=LARGE) as replay:
            await replay.press("left", "left", "a")
            await until(replay.pilot, lambda: "layer 0 head 0: 0.00 bits" in replay.text())
            assert "of 12" in replay.text()
            assert "where it looked is not recorded" in replay.text()
            replay.screen.view.inspector.focus()
            await replay.press("down", "right")
            await until(replay.pilot, lambda: "layer 1 head 1: 2.27 bits" in replay.text())
            replay.screen.transport.focus()
            await replay.press("right", "right")
            assert replay.screen.view.ref == TokenRef(drawn[-1].index)
            await until(replay.pilot, lambda: "F7 loads the model" in replay.text())

    run()


def test_a_damaged_file_of_attention_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "talk.jsonl")
    attention_beside(path).write_bytes(b"nothing of the kind")
    recording = Recording.read(str(path))
    assert recording.heads is None
    assert "no header" in recording.problems[-1]


def test_two_recordings_keep_their_attention(tmp_path: Path) -> None:
    both = []
    for name, bits in (("a", 1.0), ("b", 2.0)):
        path = written(tmp_path / f"{name}.jsonl")
        writer = AttentionWriter(attention_beside(path))
        for record in TWO_TURNS:
            if isinstance(record, TokenRecord):
                writer.add(record.index, np.full((3, 4), bits, np.float32))
        writer.close()
        both.append(Recording.read(str(path)))
    whole, leaves = beside(*both)
    assert whole.heads is not None
    found = [whole.heads.at(leaf) for leaf in leaves]
    assert [one.entropy[0, 0] for one in found if one] == [1.0, 2.0]
    assert len({one.keys for one in found if one}) == 1
    assert whole.heads.at(0) is None


@pytest.mark.slow
@scenario
async def test_every_instrument_and_page_works() -> None:
    async with replaying(size=LARGE) as replay:
        screen = replay.screen
        await replay.press("left", "left")
        assert "candidates" in replay.text()
        await replay.press("ctrl+l", "ctrl+g", "p", "p", "y")
        assert "Copied 5 characters" in replay.told()
        await replay.press("]", "]")
        await until(replay.pilot, lambda: "F7 loads the model" in replay.text())
        await replay.press("x")
        assert replay.app.screen is screen
        assert "not recorded" not in replay.told(), "the page says so"
        screen.transport.focus()
        await replay.press("ctrl+b", "escape", "f1", "escape", "f6", "escape")
        screen.view.tokens.focus()
        await replay.press("m")
        assert screen.view.stage.markdown.display
        screen.transport.focus()
        await replay.press("home")
        assert not screen.view.stage.markdown.display
        assert screen.view.tokens.display


@scenario
async def test_what_was_recorded_is_not_changed() -> None:
    async with replaying(size=LARGE) as replay:
        screen = replay.screen
        screen.view.tokens.focus()
        await replay.press("e", "s", "ctrl+s")
        assert screen.focused is screen.view.tokens
        assert not screen.view.side.sampler.display
        blocks = [block.kind for block in screen.conversation.transcript.blocks]
        assert blocks == ["user", "answer", "note", "user", "answer", "note"]
        for key in ("ctrl+r", "ctrl+n", "ctrl+o", "ctrl+d", "ctrl+up", "f2"):
            await replay.press(key)
            assert replay.app.screen is screen
        assert len(screen.conversation.tree) == screen.playback.length


@scenario
async def test_the_palette_lists_what_works() -> None:
    async with replaying() as replay:
        listed = [c.title for c in replay.app.get_system_commands(replay.screen)]
        assert "Play or pause" in listed
        assert "Step in" in listed
        assert "Export as Markdown" in listed
        assert not {"Regenerate", "New conversation", "Sessions", "Model"} & set(listed)
        assert not {"Vocabulary", "Attention"} & set(listed), "which the model knows"
        replay.screen.idle.has_model = True
        listed = [c.title for c in replay.app.get_system_commands(replay.screen)]
        assert {"Vocabulary", "Attention"} <= set(listed)


@scenario
async def test_the_footer_has_room_for_its_keys() -> None:
    async with replaying() as replay:
        footer = replay.rows()[-1]
        for word in ("play", "token", "turn", "speed", "step in", "help"):
            assert word in footer
        assert "again" not in footer
        assert "sessions" not in footer


# Files that are not as they should be.


@scenario
async def test_what_cannot_be_shown_is_told() -> None:
    problems = (f"line 3: {HOSTILE}", "line 4: torn", "line 5: torn", "line 6: torn")
    async with replaying(recorded(problems=problems)) as replay:
        assert "line 4: torn" in replay.told()
        assert "1 more" in replay.told()
        assert "\x1b" not in replay.told()
        assert not replay.steering()


@pytest.mark.slow
@scenario
async def test_hostile_strings_steer_nothing() -> None:
    sampler = {"preset": HOSTILE, "temperature": HOSTILE, "helv_entropy": "x", "top_k": 1e300}
    header = msgspec.structs.replace(
        HEADER, model=HOSTILE, device=HOSTILE, revision=HOSTILE, created=HOSTILE, sampler=sampler
    )
    records: list[TurnRecord] = [
        prompt(0, HOSTILE),
        token(1, HOSTILE, candidates=[(1, HOSTILE, -0.5, 0.5)]),
        Event(kind="setting", index=1, detail={"seed": HOSTILE, "temperature": [HOSTILE]}),
        Event(kind="branch", index=1, detail={"name": HOSTILE}),
        Event(kind=HOSTILE, index=1),
        token(2, HOSTILE, entropy=1e300, varentropy=-1e300, logprob=-1e300, ms=-1.0),
    ]
    recording = Recording(Path(f"/{HOSTILE}.jsonl"), header, records)
    async with replaying(recording, size=LARGE) as replay:
        await replay.press("left")
        assert not replay.steering()
        await replay.press("right", "a", "ctrl+b")
        assert not replay.steering()
        await replay.press("escape")
        replay.screen.action_about()
        await replay.pilot.pause()
        assert "\x1b" not in replay.told()
        assert not replay.steering()


def test_a_saved_session_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sessions").mkdir()
    written(tmp_path / "sessions" / "talk.jsonl")
    assert Recording.read("talk").path == tmp_path / "sessions" / "talk.jsonl"
    (tmp_path / "talk").mkdir()
    assert Recording.read("talk").path == tmp_path / "sessions" / "talk.jsonl"
    (tmp_path / "talk").rmdir()
    written(tmp_path / "talk", TWO_TURNS[:3])
    assert len(Recording.read("talk").records) == 3, "a file comes first"
    with pytest.raises(TraceError, match="no saved session of that name"):
        Recording.read("walk")
    with pytest.raises(TraceError, match="there is no such file"):
        Recording.read("here/walk.jsonl")
    with pytest.raises(TraceError, match="is a directory"):
        Recording.read("sessions")


def test_a_trace_without_anything_in_it_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "empty.jsonl", [])
    with pytest.raises(TraceError, match="nothing to show"):
        Recording.read(str(path))


def test_a_torn_one_shows_what_it_has(tmp_path: Path) -> None:
    path = written(tmp_path / "talk.jsonl")
    path.write_bytes(path.read_bytes()[:-40])
    recording = Recording.read(str(path))
    assert list(recording.records) == TWO_TURNS[:-1]
    assert "torn" in recording.problems[0]


# Two files.


def test_two_recordings_become_two_ways_of_one() -> None:
    other_header = msgspec.structs.replace(HEADER, seed=99, model="llama-3.2-1b")
    one = recorded()
    two = Recording(Path("b.jsonl"), other_header, turn(0, -1, [" No", "."]))
    both, (here, there) = beside(one, two)
    tree = Tree.of(both.records)
    assert [node.text for node in tree.path(here)] == [
        record.text for record in TWO_TURNS if not isinstance(record, Event | End)
    ]
    assert [node.text for node in tree.path(there)] == ["Which?", " No", "."]
    assert tree.common(here, there) == -1
    assert any("llama-3.2-1b" in problem for problem in both.problems)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_two_recordings_side_by_side(size: tuple[int, int]) -> None:
    two = Recording(
        Path("b.jsonl"),
        msgspec.structs.replace(HEADER, seed=99),
        [asked(0), *said([*STORY[:5], " not", *STORY[5:]], 1, 0)],
    )
    both, leaves = beside(recorded([asked(0), *said(STORY, 1, 0)]), two)

    @scenario
    async def run() -> None:
        async with replaying(both, size=size, beside=leaves) as replay:
            screen = replay.app.screen
            assert isinstance(screen, Compare)
            comparing = screen.comparing
            assert comparing.parting is not None
            first = comparing.ways[1].token(comparing.apart[1]) if comparing.apart else None
            assert first is not None
            assert first.record is not None
            assert first.record.text == " not"
            assert "seed 99" in replay.text()
            assert "seed 7" in replay.text()
            await replay.pilot.press("escape")
            assert replay.app.screen is replay.screen
            assert replay.screen.conversation.branches == 2

    run()


@pytest.mark.slow
@pytest.mark.parametrize("key", ["escape", "2"], ids=["closed", "kept"])
def test_two_recordings_are_played_once_they_were_compared(key: str) -> None:
    one = recorded([asked(0), *said(STORY, 1, 0)])
    two = Recording(Path("b.jsonl"), HEADER, [asked(0), *said([" No", "."], 1, 0)])
    both, leaves = beside(one, two)

    @scenario
    async def run() -> None:
        async with replaying(both, beside=leaves, play=True) as replay:
            screen, total = replay.screen, len(STORY) + 2
            comparing = replay.app.screen
            assert isinstance(comparing, Compare)
            assert tuple(way.tokens[-1].ref.index for way in comparing.comparing.ways) == leaves
            assert not screen.playback.playing
            await replay.press(key)
            assert replay.app.screen is screen
            assert screen.playback.playing
            assert screen.playback.tokens == (0, total)
            await replay.wait(0.75)
            assert replay.answer == STORY[0]
            await replay.wait(60)
            assert replay.answer == " No."
            assert screen.playback.tokens == (total, total)
            screen.compare_with(screen.conversation.side(leaves[0]))
            await until(replay.pilot, lambda: isinstance(replay.app.screen, Compare))
            await replay.press("escape")
            assert not screen.playback.playing, "of itself it plays once"

    run()


@scenario
async def test_the_status_is_that_of_the_way_that_is_kept() -> None:
    header = msgspec.structs.replace(HEADER, seed=99, sampler={"preset": "greedy"})
    two = Recording(Path("b.jsonl"), header, [asked(0), *said([" No", "."], 1, 0)])
    both, leaves = beside(recorded([asked(0), *said(STORY, 1, 0)]), two)
    async with replaying(both, size=LARGE, beside=leaves) as replay:
        assert isinstance(replay.app.screen, Compare)
        await replay.press("1")
        assert "· calibrated ·" in replay.rows()[0]
        assert "· seed 7" in replay.rows()[0]
        replay.screen.switch_to(leaves[1])
        await replay.pilot.pause()
        assert "· greedy ·" in replay.rows()[0]
        assert "· seed 99" in replay.rows()[0]


# Branches.


@pytest.mark.slow
@scenario
async def test_a_recording_with_branches() -> None:
    tree, one, other = two_answers()
    records: list[TurnRecord] = [tree[0], *tree.path(one)[1:], *tree.path(other)[1:]]
    async with replaying(recorded(records)) as replay:
        talk = replay.screen.conversation
        assert talk.tree.leaf == other
        assert talk.branches == 2
        replay.screen.switch_to(one)
        await replay.pilot.pause()
        assert replay.answer == "".join(STORY)
        await replay.press("left")
        assert talk.tree.leaf == other - 1, "going on shows where it went on"
        await replay.press("home", "5")
        assert talk.branches == 1


# Stepping in.


class Scripted(IdleEngine):
    """An idle engine on a scripted session."""

    def __init__(self, factory: MakeSession) -> None:
        super().__init__(factory)


def test_leaving_the_debugger_does_not_ask_for_the_model_again() -> None:
    factory = ScriptedFactory([OSError("no such model")])
    engine = IdleEngine(factory)
    got = Collected(engine)
    try:
        engine.debug("step", max_tokens=9)
        got.until_count(Failed)
        engine.leave_debugger()
        engine.debug("step", max_tokens=9)
        got.until_count(Failed, 2)
        assert factory.made == 2
    finally:
        assert engine.quit(60)


@pytest.mark.slow
@scenario
async def test_a_model_that_cannot_be_had_is_one_line() -> None:
    header = msgspec.structs.replace(HEADER, model="smollm2-1.7b-never-here")
    async with replaying(recorded(header=header)) as replay:
        screen = replay.screen
        await replay.press("left", "f7")
        assert isinstance(replay.app.screen, StepScreen) or replay.told()
        await until(replay.pilot, lambda: "never-here" in replay.told())
        await until(replay.pilot, lambda: replay.app.screen is screen)
        assert len(screen.conversation.failures) == 1
        assert "\n" not in screen.conversation.failures[0].message
        await replay.press("left")
        assert screen.conversation.phase == "ready"
        assert not screen.idle.has_model
        # Once more: it is tried again.
        await replay.press("f7")
        await until(replay.pilot, lambda: len(screen.conversation.failures) == 2)
        await until(replay.pilot, lambda: replay.app.screen is screen)


@scenario
async def test_a_prompt_cannot_be_stepped_into() -> None:
    async with replaying() as replay:
        replay.screen.view.tokens.move_to(TokenRef(0, 3))
        await replay.press("f7")
        assert replay.app.screen is replay.screen
        assert "token of an answer" in replay.told()


@pytest.mark.slow
@scenario
async def test_what_a_model_finds_out_is_shown() -> None:
    session = ScriptedSession(past=TWO_TURNS)
    engine = Scripted(ScriptedFactory([session]))
    async with replaying(engine=engine, size=LARGE) as replay:
        screen = replay.screen
        await replay.press("left")
        engine._thread.start()
        engine.run(TurnRequest(max_tokens=1, after=SECOND))
        await until(replay.pilot, lambda: engine.has_model)
        assert "with its model" in replay.text()
        screen.view.action_attention()
        await until(replay.pilot, lambda: screen.view.inspector.inspection is not None)
        assert screen.view.inspector.inspection is not None
        assert screen.view.inspector.inspection.index == SECOND + 3


@scenario
async def test_what_comes_while_one_looks_elsewhere_waits_at_the_end() -> None:
    session = ScriptedSession(past=TWO_TURNS)
    engine = Scripted(ScriptedFactory([session]))
    async with replaying(engine=engine) as replay:
        screen = replay.screen
        await replay.press("5")
        before = screen.conversation.tree.leaf
        length = screen.playback.length
        engine._thread.start()
        engine.run(TurnRequest(max_tokens=3, after=SECOND))
        await until(replay.pilot, lambda: screen.playback.length == length + 3)
        assert screen.conversation.tree.leaf == before
        await replay.press("end")
        assert replay.answer == "".join(STORY[:3])
        assert screen.conversation.branches == 2


@pytest.fixture
def _turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine's helpers can be imported."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "engine"))
    yield
    sys.modules.pop("turns", None)


@pytest.mark.slow
@pytest.mark.usefixtures("_turns")
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_stepping_in_with_a_model(
    llama: "LanguageModel", size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small random model: the tokens are drawn again as they were, and decided anew."""
    from turns import session

    from entropix_models import loader
    from entropix_models.sources import sources

    made = session(llama, "temperature")
    records = [*made.send("Hello", max_tokens=12), *made.send("And?", max_tokens=9)]
    header = made.header
    made.close()
    recording = Recording(Path("run.jsonl"), header, records)
    monkeypatch.setattr(sources, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(loader, "load", lambda *_, **__: llama)
    before = list(recording.records)
    third = [record for record in records if isinstance(record, TokenRecord)][2]

    @scenario
    async def run() -> None:
        async with replaying(recording, size=size) as replay:
            screen = replay.screen
            assert screen.view.tokens.move_to(TokenRef(third.index))
            await replay.press("enter" if size == SMALL else "f7")
            stepping = replay.app.screen
            assert isinstance(stepping, StepScreen)
            await until(replay.pilot, lambda: stepping.debugging.phase == "halted")
            proposal = stepping.debugging.proposal
            assert proposal is not None
            assert (proposal.id, proposal.parent) == (third.id, third.parent)
            assert proposal.entropy == pytest.approx(third.entropy, abs=1e-4)
            await replay.pilot.press("2")
            await until(
                replay.pilot,
                lambda: stepping.debugging.phase == "halted" and not stepping.debugging.sent,
            )
            while replay.app.screen is stepping:  # what is open on it is closed first
                await replay.pilot.press("escape")
                await replay.pilot.pause()
            await until(replay.pilot, lambda: screen.conversation.branches == 2)
            await replay.shown()
            assert screen.playback.is_over
            new = screen.conversation.tree.path()
            assert new[-1].parent == third.parent
            assert new[-1].index > max(Tree.of(before).path()[-1].index, third.index)
            assert list(recording.records) == before
            # It is part of the film from here on, and can be stepped into too.
            await replay.press("home", "end")
            assert screen.conversation.tree.path()[-1].index == new[-1].index
            await replay.press("f7")
            again = replay.app.screen
            assert isinstance(again, StepScreen)
            await until(replay.pilot, lambda: again.debugging.phase == "halted")
            assert again.debugging.proposal is not None
            assert again.debugging.proposal.parent == third.parent

    run()


@pytest.mark.usefixtures("_turns")
def test_what_was_only_looked_at_stays_as_it_was(
    llama: "LanguageModel", monkeypatch: pytest.MonkeyPatch
) -> None:
    from turns import session

    from entropix_models import loader
    from entropix_models.sources import sources

    made = session(llama, "temperature")
    records = [*made.send("Hello", max_tokens=6)]
    recording = Recording(Path("run.jsonl"), made.header, records)
    made.close()
    monkeypatch.setattr(sources, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(loader, "load", lambda *_, **__: llama)
    leaf = Tree.of(records).leaf

    @scenario
    async def run() -> None:
        async with replaying(recording) as replay:
            tree, pilot, app = replay.screen.conversation.tree, replay.pilot, replay.app
            # Gone back and left again, it is whole; ended further back, it ends there.
            for keys, end in (((), leaf), (("w",), leaf), (("e",), leaf - 1)):
                await replay.pilot.press("f7")
                stepping = app.screen
                assert isinstance(stepping, StepScreen)
                said = stepping.debugging
                await until(pilot, lambda said=said: said.phase == "halted" and not said.sent)  # type: ignore[misc]
                for key in keys:
                    await pilot.press(key)
                    await until(pilot, lambda said=said: not said.sent)  # type: ignore[misc]
                while app.screen is stepping:
                    await pilot.press("escape")
                    await pilot.pause()
                await until(pilot, lambda end=end: tree.leaf == end and tree.ends(leaf - 1))  # type: ignore[misc]
                await replay.shown()
                assert tree.leaf == end
                assert replay.screen.conversation.branches == 1

    run()


@pytest.mark.usefixtures("_turns")
def test_other_weights_are_named_first(
    llama: "LanguageModel", monkeypatch: pytest.MonkeyPatch
) -> None:
    from turns import session

    from entropix_models import loader
    from entropix_models.sources import sources

    monkeypatch.setattr(sources, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(loader, "load", lambda *_, **__: llama)
    made = session(llama, "temperature")
    records = list(made.send("Hello", max_tokens=3))
    other = msgspec.structs.replace(made.header, revision="0.0.1")

    def opened(header: RunHeader, records: list[TurnRecord]) -> str:
        revival = Revival(Recording(Path("run.jsonl"), header, records))
        return revival(AS_STARTED, None, lambda *_: None, lambda _: None)[1].note

    assert opened(made.header, records) == ""
    assert "recorded with" in opened(other, records)
    assert "0.0.1" in opened(other, records)
    with pytest.raises(Exception, match="--model"):
        opened(other, [*records, token(99, "?", id=10**9)])
    # A text that was scored has no sampler.
    scored = msgspec.structs.replace(made.header, sampler={}, seed=None)
    assert "other" not in opened(scored, records)


# How it looks.


@pytest.mark.slow
@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    clock = Clock()
    app = application(recorded(), clock=clock)

    async def steps(pilot: Pilot[None]) -> None:
        screen = app.first
        assert isinstance(screen, ReplayScreen)
        await until(pilot, lambda: screen._known >= 0)
        replay = Replay(pilot, app, screen, clock)
        await replay.press("T", "T", "v", *["right"] * 3)

    assert looks(app, size, steps)


@pytest.mark.slow
@SIZES
def test_how_playing_looks(looks: Any, size: tuple[int, int]) -> None:
    clock = Clock()
    app = application(recorded(), clock=clock, play=True, speed=2.0)

    async def steps(pilot: Pilot[None]) -> None:
        screen = app.first
        assert isinstance(screen, ReplayScreen)
        await until(pilot, lambda: screen._known >= 0)
        await Replay(pilot, app, screen, clock).wait(1.5)

    assert looks(app, size, steps)
