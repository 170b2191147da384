"""The row of all tokens: where each stands, and which part of it is in the window."""

import msgspec
import numpy as np
import pytest
from growth import LINEAR, ratio
from hypothesis import given
from hypothesis import strategies as st
from instruments import long_story, prompt, story, token
from msgspec.structs import replace

from entropix_mlx.records.record import End, Event
from entropix_mlx.records.tree import Node
from entropix_mlx.sampling.valleys import DELTA, ValleyMarks, places, smoothed, valley
from entropix_tui.tokens.timeline import FREE, Timeline
from entropix_tui.tokens.token_ref import TokenRef


def test_prompts_and_tokens_are_one_row() -> None:
    row = Timeline()
    row.rebuild(
        [prompt(0, 1.0, 2.0, 3.0), token(1), token(2), prompt(4, 5.0), token(6)],
        [Event(kind="valley", index=6, at=2), Event(kind="setting", index=2)],
    )
    row.add(End(leaf=6, finish_reason="stop", tokens=1, seconds=1.0, prefill_seconds=0.1))
    assert [r.entropy for r in row.records] == [1.0, 2.0, 3.0, 1.0, 1.0, 5.0, 1.0]
    refs = [
        TokenRef(0, 0),
        TokenRef(0, 1),
        TokenRef(0, 2),
        TokenRef(1),
        TokenRef(2),
        TokenRef(4, 0),
        TokenRef(6),
    ]
    assert [row.ref(i) for i in range(len(row))] == refs
    assert [row.column_of(ref) for ref in refs] == list(range(7))
    assert [row.is_prompt(i) for i in range(7)] == [True] * 3 + [False] * 2 + [True, False]
    assert [i for i in range(7) if row.is_valley(i)] == [4]
    for nowhere in (
        TokenRef(0, 3),
        TokenRef(3),
        TokenRef(5),
        TokenRef(7),
        TokenRef(4, 1),
        TokenRef(-1),
    ):
        assert row.column_of(nowhere) is None
    row.clear()
    assert (len(row), row.start) == (0, 0)


def test_valleys_of_prompts_are_in_the_row() -> None:
    row = Timeline()
    scored = replace(prompt(3, 1.0, 2.0, 3.0), valleys=[(1, 2)])
    row.rebuild([prompt(0, 1.0, 2.0), scored, token(4)])
    assert [row.ref(i) for i in range(len(row)) if row.is_valley(i)] == [TokenRef(3, 1)]


def test_a_prompt_that_was_not_scored_has_no_columns() -> None:
    row = Timeline()
    row.rebuild([prompt(0, 1.0, 2.0, scored=False), token(1)])
    assert len(row) == 1
    assert row.column_of(TokenRef(0)) is None


def bits(rng: np.random.Generator, count: int) -> list[float]:
    return [float(h) for h in 2 + np.cos(np.arange(count) / 15) * 1.5 + rng.normal(0, 0.5, count)]


def test_the_course_is_the_detectors_of_each_prompt_and_answer() -> None:
    rng = np.random.default_rng(2)
    given, one, two = (bits(rng, count) for count in (60, 300, 200))
    row = Timeline()
    row.add(prompt(0, *given))
    for index, h in enumerate(one, 1):
        row.add(token(index, h))
    row.add(prompt(301, 1.0, scored=False))
    marks = ValleyMarks(DELTA)
    for index, h in enumerate(two, 302):
        row.add(token(index, h))
        marks.take(index, h)
        forming = row.course.forming
        assert (None if forming is None else row.ref(forming).index) == marks.forming
    whole = [*smoothed(given), *smoothed(one), *smoothed(two)]
    for first, stop in ((100, 130), (0, 560), (50, 70), (355, 365), (559, 560)):
        assert row.course.values(first, stop) == whole[first:stop]


def test_a_valley_has_its_figures() -> None:
    entropies = bits(np.random.default_rng(3), 400)
    found = places(entropies, DELTA)
    assert len(found) > 2
    row, said = Timeline(), prompt(0, *entropies)
    row.add(msgspec.structs.replace(said, valleys=found))
    for index, h in enumerate(entropies, 1):
        row.add(token(index, h))
    for at, confirmed in found:
        row.add(Event(kind="valley", index=confirmed + 1, at=at + 1))
    course, since = smoothed(entropies), 0
    for at, confirmed in found:
        expected = valley(course, at, confirmed, since)
        assert row.valley(TokenRef(0, at)) == row.valley(TokenRef(at + 1)) == expected
        assert row.is_valley(at)
        since = at
    assert row.valley(TokenRef(found[0][0])) is None
    assert row.valley(TokenRef(9999)) is None
    row.add(Event(kind="valley", index=3, at=9))
    assert row.valley(TokenRef(9)) is None, "whatever a trace says"


@given(st.integers(1, 60), st.lists(st.integers(1, 40), max_size=30))
def test_the_newest_is_always_in_the_window(width: int, batches: list[int]) -> None:
    row, index, moves = Timeline(), 0, 0
    for batch in batches:
        for _ in range(batch):
            row.add(token(index))
            index += 1
        before = row.start
        moved = row.follow(width)
        assert moved == (row.start != before)
        moves += moved
        assert row.start <= len(row) - 1 < row.start + width
        assert row.start == 0 or row.start >= len(row) - width
    # Bars stand still most of the time.
    assert moves <= 1 + index / max(1, width // FREE)
    # Where they stand doesn't tell how often one looked.
    at_once = Timeline()
    at_once.rebuild(story(index))
    at_once.follow(width)
    assert row.start == at_once.start


@given(st.integers(1, 60), st.integers(1, 200), st.data())
def test_any_token_can_be_shown(width: int, count: int, data: st.DataObject) -> None:
    row = Timeline()
    row.rebuild(story(count))
    for _ in range(5):
        column = data.draw(st.integers(0, count - 1))
        row.show(column, width)
        assert row.start <= column < row.start + width
        assert 0 <= row.start <= max(0, count - width)


@pytest.mark.serial
@pytest.mark.slow
def test_a_long_session_is_restored() -> None:
    path = long_story(100_000)
    row = Timeline()

    def restore(part: list[Node]) -> None:
        row.rebuild(part)
        row.follow(100)

    assert ratio(lambda: restore(path), lambda: restore(path[:10_000])) < LINEAR
    assert row.start == 99_900
    rng = np.random.default_rng(1)
    for column in rng.integers(0, 100_000, 50).tolist():
        assert row.column_of(TokenRef(column)) == column
