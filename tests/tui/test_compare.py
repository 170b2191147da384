"""Two branches side by side: the common cursor, what differs, and growing while one looks."""

import re
from typing import Any

import pytest
from conversations import ASKED, OTHER, asked, said, two_answers, two_prompts
from growth import LINEAR, ratio
from harness import HOSTILE, SIZES, Host, hosted, press, scenario, settled, until
from scripted import STORY
from textual.pilot import Pilot

from entropix_mlx.records.record import End, Event, FinishReason
from entropix_mlx.records.tree import Tree
from entropix_tui.conversation.comparison import Comparing, Difference, Side
from entropix_tui.screens.compare.compare import WIDE, Column, Compare, Differences
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.blocks import DIVERGENCE
from entropix_tui.widgets.strips.side_by_side import GAP, Course, Head, PairFigures, drawn_by

SEVEN = {"preset": "calibrated", "seed": 7, "temperature": 0.7}
EIGHT = SEVEN | {"seed": 8, "temperature": 0.5}


def answers() -> Compare:
    tree, a, b = two_answers()
    return Compare(tree, Side(a, SEVEN, "stop"), Side(b, EIGHT, "length"))


def prompts() -> Compare:
    tree, a, b = two_prompts()
    return Compare(tree, Side(a, SEVEN, "stop"), Side(b, SEVEN, "stop"))


def end(leaf: int, reason: FinishReason = "stop") -> End:
    return End(leaf=leaf, finish_reason=reason, tokens=1, seconds=1.0, prefill_seconds=0.1)


def refs(screen: Compare) -> tuple[TokenRef | None, TokenRef | None]:
    """Where the columns' cursors are."""
    a, b = screen.query(Column)
    return a.ref, b.ref


def figures(screen: Compare) -> str:
    return str(screen.query_one(PairFigures).render())


# What is compared.


def test_only_the_turn_in_which_they_part_is_shown() -> None:
    first = [asked(0, "Hello"), *said(["Hi", "!"], 1, 0), asked(3, ASKED, 2)]
    a, b = said(STORY, 4, 3), said(OTHER, 500, 3)
    tree = Tree.of([*first, *a, *b])
    comparing = Comparing(tree, Side(a[-1].index), Side(b[-1].index))
    assert comparing.earlier == 3
    texts = [block.text for block in comparing.ways[0].transcript.blocks]
    assert texts == [ASKED, "".join(STORY)]
    assert comparing.apart == (TokenRef(13), TokenRef(509))
    assert not comparing.is_counterfactual


def test_another_prompt_later_in_a_conversation() -> None:
    first = [asked(0, "Hello"), *said(["Hi", "!"], 1, 0)]
    a = [asked(3, "Say one", 2), *said(["one"], 4, 3)]
    b = [asked(10, "Say two", 2), *said(["two"], 11, 10)]
    comparing = Comparing(Tree.of([*first, *a, *b]), Side(4), Side(11))
    assert comparing.earlier == 3
    assert comparing.is_counterfactual
    found = [(d.old, d.new, d.stay) for d in comparing.differences()]
    assert found == [("␣one", "␣two", 0), ("one", "two", 0)]


def test_differences_and_what_they_did_to_what_stayed() -> None:
    a = said(["a", "b", "c"], 1, 0, entropy=1.0, logprob=-1.0)
    b = said(["x", "b", "c"], 10, 0, entropy=1.5, logprob=-3.0)
    comparing = Comparing(Tree.of([asked(0), *a, *b]), Side(3), Side(12))
    (found,) = comparing.differences()
    assert (found.old, found.new, found.stay) == ("a", "x", 2)
    assert found.entropy == pytest.approx(0.5)
    assert found.surprisal == pytest.approx(2 / 0.6931471805599453)
    assert found.most == (found.start + 1, pytest.approx(2 / 0.6931471805599453))


def test_the_templates_tokens_are_no_rows() -> None:
    tree, a, b = two_answers()
    comparing = Comparing(tree, Side(a), Side(b))
    prompt_rows = [row for row in comparing.rows if row.a is not None and row.a.index == 0]
    assert len(prompt_rows) == len(ASKED.split())


def test_records_of_another_branch_are_not_taken() -> None:
    tree = Tree.of([asked(0), *said(["a", "b"], 1, 0)])
    comparing = Comparing(tree, Side(2), Side(0, growing=True))
    assert not comparing.take(said(["x"], 9, 2)[0])
    assert comparing.take(said(["x"], 10, 0)[0])
    assert comparing.take(end(10))
    assert not comparing.take(said(["y"], 11, 10)[0])
    assert comparing.ways[1].leaf == 10
    assert comparing.ways[1].finish == "stop"


def test_a_branch_that_has_not_come_so_far_does_not_part() -> None:
    tree = Tree.of([asked(0), *said(["a", "b"], 1, 0)])
    comparing = Comparing(tree, Side(2), Side(0, growing=True))
    comparing.take(said(["a"], 10, 0)[0])
    comparing.refresh()
    assert comparing.apart is None
    comparing.take(end(10))
    assert comparing.apart == (TokenRef(2), None)


@pytest.mark.serial
@pytest.mark.slow
def test_growing_costs_the_same_at_any_length() -> None:
    """Each token drawn at once: ten times as many, beside as many, in ten times the time."""

    def grow(length: int) -> Comparing:
        texts = [f"w{n % 501}" for n in range(length)]
        tree = Tree.of([asked(0), *said(texts, 1, 0)])
        comparing = Comparing(tree, Side(length), Side(0, growing=True))
        for record in said([f"w{n % 499}" for n in range(length)], 10_000, 0):
            comparing.take(record)
            comparing.refresh(soon=True)
        return comparing

    assert ratio(lambda: grow(2000), lambda: grow(200)) < LINEAR


def test_what_drew_a_side_and_what_is_otherwise_there() -> None:
    assert drawn_by(EIGHT, SEVEN) == ["calibrated", "seed 8", "T 0.5"]
    assert drawn_by({"preset": "greedy", "seed": 8}, SEVEN) == ["greedy", "seed 8"]
    assert drawn_by({}, SEVEN) == []


# On the screen.


@scenario
async def test_it_opens_where_they_part() -> None:
    async with hosted(answers) as (app, _):
        screen = app.screen
        assert isinstance(screen, Compare)
        assert refs(screen) == (TokenRef(10), TokenRef(109))
        text = app.text()
        assert text.count(DIVERGENCE + ".") == 1
        assert "they part at token 10: A ." in text
        assert "B ␣smaller" in text
        assert "seed 7" in text
        assert "seed 8" in text
        assert "54 tokens" in text
        assert "cut off" in text
        assert "another token" in figures(screen)


@scenario
async def test_differences_are_those_of_the_figures_above_them() -> None:
    async with hosted(answers) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        told = 0
        for _ in range(len(screen.comparing.rows)):
            a, b, change = ([*map(float, re.findall(r"[-+]?\d+\.\d\d(?!\d)", line))]
                            for line in figures(screen).splitlines()[2:5])  # fmt: skip
            for one, other, by in zip(a, b, change, strict=False):
                assert round(other - one, 2) == by
                told += 1
            await press(pilot, "right")
        assert told > 100


@pytest.mark.parametrize("width", [48, 56, 64, 70, 76, 80, 100])
@scenario
async def test_where_they_part_is_said_in_whole_figures(width: int) -> None:
    async with hosted(answers, (width, 24)) as (app, _):
        line = app.text().split("≠ they part at token 10: ")[1].splitlines()[0]
        one, other = ([*side.split()[2:]] for side in line.split(" │ "))
        assert len(one) == len(other)
        assert "…" not in line
        whole = [r"\d+\.\d%", "H", r"\d+\.\d\d", r"#\d+"]
        for figures_ in (one, other):
            for figure, shape in zip(figures_, whole, strict=False):
                assert re.fullmatch(shape, figure)
        assert width < 80 or len(one) == 4


@scenario
async def test_the_common_cursor() -> None:
    async with hosted(answers) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        await press(pilot, "right")
        assert refs(screen) == (TokenRef(11), TokenRef(110))
        await press(pilot, "n")  # a token that only B has: A has no cursor
        assert refs(screen) == (None, TokenRef(120))
        assert "only in B" in figures(screen)
        await press(pilot, "right", "right")
        assert refs(screen) == (TokenRef(22), TokenRef(122))
        await press(pilot, "p", "p")
        assert refs(screen) == (TokenRef(10), TokenRef(109))
        await press(pilot, "end")
        assert refs(screen) == (TokenRef(54), TokenRef(154))
        await press(pilot, "home", "d")
        assert refs(screen) == (TokenRef(10), TokenRef(109))


@scenario
async def test_a_columns_own_motions_move_both() -> None:
    async with hosted(answers) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        await press(pilot, "tab", "home")
        await press(pilot, "w")
        a, b = refs(screen)
        assert a is not None
        assert screen.comparing.row_of(a) == screen.row
        assert b is not None
        assert screen.comparing.row_of(b) == screen.row


@scenario
async def test_the_mouse_moves_both() -> None:
    async with hosted(answers) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        y = next(n for n, row in enumerate(app.rows()) if "To compare" in row)
        await pilot.click(offset=(3, y))
        await settled(pilot)
        a, b = refs(screen)
        assert a is not None
        assert b is not None
        assert 14 <= a.index <= 17
        assert b.index == a.index + 99
        course = screen.courses[0]
        row = course.first + 5
        await pilot.click(course, offset=(7, 0))
        await settled(pilot)
        assert screen.row == row


@scenario
async def test_what_changes_the_conversation_is_not_here() -> None:
    async with hosted(answers) as (app, pilot):
        await press(pilot, "enter", "e", "m", "slash")
        assert isinstance(app.screen, Compare)
        assert app.answers == []


@scenario
async def test_a_head_has_whole_figures_and_a_margin() -> None:
    async with hosted(answers) as (app, _):
        for head in app.screen.query(Head):
            for row in app.rows()[head.region.y : head.region.bottom]:
                assert "…" not in row
                assert row.ljust(80)[head.region.right - 1] == " "
        assert re.search(r"\d+ tokens · H \d\.\d\d bits · ppl \d+\.\d\d", app.text())
        assert re.search(r"\d+ tokens · cut off · H \d\.\d\d bits$", app.text(), re.M)


@scenario
async def test_going_on_with_one_of_them() -> None:
    for key, leaf in (("1", 54), ("2", 154), ("escape", None)):
        async with hosted(answers) as (app, pilot):
            await press(pilot, key)
            assert app.answers == [leaf]


@pytest.mark.slow
@SIZES
@scenario
async def test_a_counterfactual_lists_its_differences(size: tuple[int, int]) -> None:
    async with hosted(prompts, size) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        assert screen.list.display
        assert "they part in" not in app.text()
        assert "they part at the prompt: A ␣larger," in app.text()
        assert [(d.old, d.new) for d in screen.list.listed] == [
            ("␣larger,", "␣smaller,"),
            (".", "␣smaller"),
            ("", "␣well"),
        ]
        wide = app.size.width >= WIDE
        figures = ("mean entropy", "surprisal", "of one") if wide else ("H", "S", "one S")
        mean, surprisal, one = (rf"{name} +[+-]?\d+\.\d+" for name in figures)
        found = re.search(f"then   12 same: {mean} {surprisal}, {one} bits$", app.text(), re.M)
        assert found, app.text()
        screen.list.focus()
        await press(pilot, "down")
        assert refs(screen) == (TokenRef(10), TokenRef(210))
        await press(pilot, "enter")
        assert isinstance(app.focused, Column)
        await press(pilot, "i")
        assert not screen.list.display


@pytest.mark.slow
@scenario
async def test_it_grows() -> None:
    tree = Tree.of([asked(0), *said(STORY, 1, 0)])
    make = lambda: Compare(tree, Side(54, SEVEN, "stop"), Side(0, EIGHT, growing=True))  # noqa: E731
    async with hosted(make) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        assert "the same so far" in app.text()
        assert "0 tokens …" in app.text()
        records = said(OTHER, 100, 0)
        for record in records[:5]:
            screen.take(record)
        await until(pilot, lambda: not screen.behind)
        assert refs(screen)[1] == TokenRef(104)
        assert "the same so far" in app.text()
        for record in records[5:20]:
            screen.take(record)
        await until(pilot, lambda: not screen.behind)
        assert "they part at token 10" in app.text()
        assert "15 tokens" not in app.text()
        assert "20 tokens" in app.text()
        await press(pilot, "d")  # now it stays where the user is
        for record in records[20:]:
            screen.take(record)
        screen.take(Event(kind="valley", index=120, at=115))
        await until(pilot, lambda: not screen.behind)
        assert refs(screen) == (TokenRef(10), TokenRef(109))
        screen.take(end(154, "length"))
        await until(pilot, lambda: not screen.behind)
        assert "cut off" in app.text()
        assert "tokens …" not in app.text()
        await press(pilot, "2")
        assert app.answers == [154]


@scenario
async def test_a_growing_counterfactual_begins_with_its_prompt() -> None:
    tree = Tree.of([asked(0), *said(STORY, 1, 0)])
    make = lambda: Compare(tree, Side(54, SEVEN), Side(-1, SEVEN, growing=True))  # noqa: E731
    async with hosted(make) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        assert "keep A" in app.rows()[-1]
        assert "keep B" not in app.rows()[-1], "nothing to go on with yet"
        await press(pilot, "2")
        assert app.answers == []
        screen.take(asked(200, ASKED.replace("larger", "smaller")))
        await until(pilot, lambda: not screen.behind)
        assert screen.list.display
        for record in said(OTHER, 201, 200):
            screen.take(record)
        screen.take(end(255))
        await until(pilot, lambda: not screen.behind)
        assert screen.comparing.apart == (TokenRef(0, 6), TokenRef(200, 6))
        assert refs(screen) == (TokenRef(0, 6), TokenRef(200, 6))


@scenario
async def test_where_only_the_other_has_a_token_the_course_has_a_gap() -> None:
    async with hosted(prompts) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        comparing, gaps = screen.comparing, 0
        for course in screen.query(Course):
            drawn, first = course.render_line(0).text[2:], course.first
            for row, char in enumerate(drawn[: len(comparing.rows) - first], first):
                if row not in (course.row, comparing.parting):
                    missing = comparing.rows[row][course.side] is None
                    assert (char == GAP) is missing
                    gaps += missing
        assert gaps
        await pilot.pause()


@scenario
async def test_only_what_went_is_struck_out_and_nothing_is_less_than_nothing() -> None:
    async with hosted(prompts) as (app, _):
        listed = app.screen.query_one(Differences)
        line = listed.line(Difference(0, 1, "gone", "new", 9, -0.001, 0.001, (3, -0.01)), 90)
    struck = [line.plain[s.start : s.end] for s in line.spans if s.style == "strike"]
    assert struck == ["gone"]
    assert "-0.0" not in line.plain
    assert line.plain.count("+0.0") == 3


@scenario
async def test_the_same_to_the_end() -> None:
    tree = Tree.of([asked(0), *said(STORY, 1, 0), *said(STORY, 100, 0)])
    async with hosted(lambda: Compare(tree, Side(54), Side(153))) as (app, pilot):
        assert "the same, to the end" in app.text()
        foot = app.rows()[-1]
        assert "keep A" in foot
        assert "≠" not in foot, "there is none to go to"
        await press(pilot, "n", "p", "i")
        assert not app.screen.query_one(Differences).display


@pytest.mark.slow
@scenario
async def test_hostile_tokens() -> None:
    first, second = said(["a", HOSTILE, "\x1b", "c"], 1, 0), said(["a", "b" + HOSTILE], 10, 0)
    tree = Tree.of([asked(0, HOSTILE), *first, *second])
    sides = Side(4, {"preset": HOSTILE}, HOSTILE), Side(11, {"preset": HOSTILE, "seed": 1}, HOSTILE)
    async with hosted(lambda: Compare(tree, *sides)) as (app, pilot):
        for _ in range(5):
            assert "[/red]" in app.text()
            assert not app.steering()
            await press(pilot, "right", "i")


@scenario
async def test_resizing() -> None:
    async with hosted(answers) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, Compare)
        for size in ((140, 45), (60, 20), (80, 24)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert refs(screen) == (TokenRef(10), TokenRef(109))
            assert f"{DIVERGENCE}." in app.text()


@scenario
async def test_sixteen_colours() -> None:
    for make in (answers, prompts):
        async with hosted(make, colours="sixteen") as (app, pilot):
            await press(pilot, "n", "i")
            assert f"{DIVERGENCE}" in app.text()


@pytest.mark.slow
@SIZES
def test_two_answers_look_like_this(looks: Any, size: tuple[int, int]) -> None:
    assert looks(Host(answers), size)


@pytest.mark.slow
@SIZES
def test_two_prompts_look_like_this(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("n")

    assert looks(Host(prompts), size, steps)
