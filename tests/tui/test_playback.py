"""Playing a recording: time, places, and that what is shown is what was recorded until then."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import HEADER, prompt, token

from entropix_mlx.records.record import End, Event, PromptRecord
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import Restored, TurnRecord
from entropix_tui.replay.playback import LONGEST, PROMPT, SPEEDS, STALL, UNTIMED, Playback
from entropix_tui.transcript.blocks import Answer


def end(leaf: int, tokens: int = 1) -> End:
    return End(leaf=leaf, finish_reason="stop", tokens=tokens, seconds=1, prefill_seconds=0.1)


SHORT: list[TurnRecord] = [
    Event(kind="setting", index=-1, detail={"temperature": 0.5}),
    prompt(0, "One?"),
    token(1, "a", ms=100.0),
    token(2, "b", ms=None),
    Event(kind="valley", index=2, at=1),
    token(3, "c", ms=9e9),
    end(3, 3),
    prompt(4, "Two?"),
    token(5, "d", ms=-5.0),
    Event(kind="valley", index=5, at=5),
    end(5),
]


def test_it_begins_at_the_end_paused() -> None:
    playback = Playback(SHORT)
    assert playback.is_over
    assert not playback.playing
    assert playback.tokens == (4, 4)
    assert playback.shown == SHORT


def test_what_happened_at_a_token_is_shown_with_it() -> None:
    playback = Playback(SHORT)
    assert playback.length == 6
    counts = []
    for position in range(playback.length + 1):
        playback.seek(position)
        counts.append(len(playback.shown))
    assert counts == [1, 2, 3, 5, 7, 8, 11]


def test_time_is_as_recorded_within_reason() -> None:
    playback = Playback(SHORT)
    times = []
    for position in range(playback.length + 1):
        playback.seek(position)
        times.append(playback.elapsed)
    steps = [b - a for a, b in pairwise(times)]
    assert steps == pytest.approx([PROMPT, 0.1, UNTIMED, LONGEST, PROMPT, 0])


@pytest.mark.parametrize("speed", [0.25, 1.0, 16.0])
def test_playing_takes_its_time(speed: float) -> None:
    playback = Playback(SHORT)
    playback.toggle()
    assert playback.position == 0, "at the end, from the beginning"
    playback.speed = speed
    for _ in range(9):
        playback.advance(PROMPT / speed * 0.1)
    assert playback.position == 0
    for _ in range(10):
        playback.advance(PROMPT / speed * 0.015)
    assert playback.position == 1
    for _ in range(2000):
        playback.advance(0.01)
    assert playback.is_over
    assert not playback.playing
    assert playback.elapsed == playback.duration


def test_at_once() -> None:
    playback = Playback(SHORT)
    playback.toggle()
    playback.speed = SPEEDS[-1]
    playback.advance(0.0)
    assert playback.is_over


def test_a_stall_is_not_leapt_over() -> None:
    playback = Playback(SHORT)
    playback.toggle()
    playback.advance(1e9)
    assert playback.elapsed == STALL
    playback.advance(-1e9)
    assert playback.elapsed == STALL


def test_paused_no_time_passes() -> None:
    playback = Playback(SHORT)
    playback.seek(2)
    playback.advance(100)
    assert playback.position == 2


def test_places_to_go_to() -> None:
    playback = Playback(SHORT)
    assert playback.beside("token", 1) is None
    assert playback.beside("token", -1) == 5
    assert playback.beside("turn", -1) == 5
    assert playback.beside("turn", 1) is None
    assert playback.beside("valley", -1) == 3
    playback.seek(0)
    assert playback.beside("token", -1) is None
    assert playback.beside("turn", 1) == 1
    assert playback.beside("turn", -1) is None
    assert playback.beside("valley", 1) == 3
    playback.seek(3)
    assert playback.beside("valley", 1) == 6
    assert playback.beside("valley", -1) is None
    assert playback.beside("turn", -1) == 1
    assert playback.place(0.5) == 3
    assert playback.place(7) == 6


def test_a_system_prompt_begins_no_turn_of_its_own() -> None:
    system = PromptRecord(index=0, parent=-1, role="system", ids=[1], text="Be brief.")
    playback = Playback([system, prompt(1, "One?"), token(2, "a")])
    assert playback.turns == [2]


def test_speeds_end_somewhere() -> None:
    playback = Playback(SHORT)
    for _ in range(20):
        playback.faster(1)
    assert playback.speed == SPEEDS[-1]
    for _ in range(20):
        playback.faster(-1)
    assert playback.speed == SPEEDS[0]


@pytest.mark.parametrize("records", [[], [Event(kind="valley", index=-1, at=3)], [end(-1)]])
def test_nothing_to_play(records: list[TurnRecord]) -> None:
    playback = Playback(records)
    playback.toggle()
    assert not playback.playing
    playback.seek(5)
    assert playback.position == 0
    assert playback.shown == records
    assert playback.beside("valley", 1) is None


def test_what_is_added_is_seen_by_who_stands_at_the_end() -> None:
    playback = Playback(SHORT)
    playback.append(token(6, "e"))
    assert playback.is_over
    playback.seek(2)
    playback.append(token(7, "f"))
    playback.append(end(7))
    assert playback.position == 2
    playback.seek(playback.length)
    assert playback.shown == playback.records


# Whatever is done, what is shown is what was recorded until there.


@st.composite
def recordings(draw: Any) -> list[TurnRecord]:
    """A tree of turns: continued anywhere, with events, cut off anywhere."""
    records: list[TurnRecord] = []
    leaf = -1
    for index in range(draw(st.integers(0, 40))):
        parents = [-1, *range(index)]
        parent = draw(st.sampled_from([leaf] * 12 + parents[-4:]))
        if parent == -1 or draw(st.integers(0, 7)) == 0:
            records.append(prompt(index, "Which?", parent=parent, score=draw(st.booleans())))
        else:
            records.append(token(index, draw(st.sampled_from([" a", "b\n", "é"])), parent=parent))
        leaf = index
        kind = draw(st.sampled_from(["none"] * 6 + ["valley", "setting", "branch", "end"]))
        if kind == "end":
            records.append(end(draw(st.sampled_from([leaf] * 5 + [0]))))
        elif kind != "none":
            detail = {"setting": {"temperature": index / 10, "seed": index}}
            at = index if kind == "valley" else None
            records.append(Event(kind=kind, index=index, at=at, detail=detail.get(kind, {})))
    return records


MOVES = st.one_of(
    st.tuples(st.just("seek"), st.integers(-2, 45)),
    st.tuples(st.just("advance"), st.floats(0, 1)),
    st.tuples(st.just("toggle"), st.none()),
    st.tuples(st.just("faster"), st.sampled_from([-1, 1])),
    st.tuples(st.sampled_from(["token", "turn", "valley"]), st.sampled_from([-1, 1])),
)


def seen(said: Conversation) -> tuple[Any, ...]:
    """What a screen shows of a conversation."""
    after = said.tree.newest + 1
    return (
        [
            (block.kind, [record.index for record in block.records], block.valleys)
            for block in said.transcript.blocks
        ],
        [section.block.kind for block in said.transcript.blocks for section in block.sections],
        said.tree.leaf,
        said.used,
        said.branches,
        said.side(said.tree.leaf),
        said.samplers.at(after),
        [block.text for block in said.transcript.blocks if isinstance(block, Answer)],
        said.tree.branches(),
    )


def begun(records: list[TurnRecord]) -> Conversation:
    said = Conversation()
    said.apply(Restored(records, HEADER))
    return said


@pytest.mark.slow
@given(recordings(), st.lists(MOVES, max_size=25))
def test_whatever_is_done_it_is_as_if_begun_anew(
    records: list[TurnRecord], moves: list[tuple[str, Any]]
) -> None:
    playback, said, known = Playback(records), Conversation(), -1
    for what, how in moves:
        match what:
            case "seek":
                playback.seek(how)
            case "advance":
                playback.advance(how)
            case "toggle":
                playback.toggle()
            case "faster":
                playback.faster(how)
            case unit:
                there = playback.beside(unit, how)  # type: ignore[arg-type]
                if there is not None:
                    assert (there > playback.position) == (how > 0)
                    playback.seek(there)
        assert 0 <= playback.position <= playback.length
        assert 0 <= playback.elapsed <= playback.duration
        due = playback.due(known) if known >= 0 else None
        if due is None:
            said.apply(Restored(playback.shown, HEADER))
            known = len(playback.shown)
        else:
            for record in due:
                said.apply(record)
            known += len(due)
        assert known == len(playback.shown)
        assert seen(said) == seen(begun(playback.shown))


def test_far_ahead_it_begins_anew() -> None:
    many = [prompt(0, "One?"), *(token(n, "a") for n in range(1, 2000))]
    playback = Playback(many)
    assert playback.due(1990) == many[1990:]
    assert playback.due(100) is None
    playback.playing = True
    assert playback.due(1700) == many[1700:]
    assert playback.due(100) is None
    playback.seek(3)
    assert playback.due(5) is None
