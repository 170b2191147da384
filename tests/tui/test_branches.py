"""The list of branches: what it says, and what can be done in it."""

from typing import Any

import pytest
from conversations import asked, said, two_answers, two_prompts
from harness import HOSTILE, SIZES, Host, hosted, press, scenario, settled
from textual.pilot import Pilot

from entropix_mlx.records.record import Event, PromptRecord
from entropix_mlx.records.tree import Tree
from entropix_tui.conversation.branches import twigs
from entropix_tui.conversation.comparison import Existing
from entropix_tui.screens.branches import Branches


def family() -> Tree:
    """A trunk, a branch on it, a branch on that with a name, and another beginning."""
    return Tree.of(
        [
            asked(0),
            *said(["It", " is", " 9", ".", "9"], 1, 0),
            *said([" was", " once", " 9"], 6, 1),
            *said([" never", "!"], 9, 7),
            asked(11, "Which number is larger, 9.9 or 9.12?"),
            *said(["The", " first"], 12, 11),
            Event(kind="branch", index=10, detail={"name": "doubt"}),
        ]
    )


def test_twigs() -> None:
    found = twigs(family())
    told = [(t.rails, t.old, t.new, t.turn, t.token, t.branch.name, t.beginning) for t in found]
    assert told == [
        ("", "", "", 1, 0, "", "Which number is larger, 9.9 or 9.11?"),
        ("└─", "␣is", "␣was", 1, 2, "", " was once 9"),
        ("  └─", "␣9", "␣never", 1, 4, "doubt", " never!"),
        ("", "9.11?", "9.12?", 1, 0, "", "Which number is larger, 9.9 or 9.12?"),
    ]
    tree = family()
    own = [tree[index].entropy for index in (9, 10)]  # type: ignore[union-attr]
    assert found[2].entropy == pytest.approx(sum(own) / 2)


def test_an_answer_made_again_differs_where_it_does() -> None:
    tree = Tree.of(
        [
            asked(0),
            *said(["A", " b", " c", " d"], 1, 0),
            *said(["A", " b", " x"], 10, 0),
            *said(["A", " b"], 20, 0),
        ]
    )
    assert [(t.old, t.new, t.token) for t in twigs(tree)[1:]] == [
        ("␣c", "␣x", 3),
        ("␣c", "(the end)", 2),
    ]


def test_a_system_prompt_that_was_said_again_is_no_difference() -> None:
    def system(index: int) -> PromptRecord:
        return PromptRecord(index=index, parent=-1, role="system", ids=[], text="Be brief.")

    tree = Tree.of([system(0), asked(1, "Say one", 0), system(2), asked(3, "Say two", 2)])
    last = twigs(tree)[1]
    assert (last.old, last.new, last.turn, last.token) == ("one", "two", 1, 0)


def test_rails_of_several_children() -> None:
    tree = Tree.of(
        [
            asked(0),
            *said(["a", "b", "c"], 1, 0),
            *said(["d", "e"], 10, 1),
            *said(["f"], 20, 2),
            *said(["g"], 30, 10),
        ]
    )
    assert [(t.rails, t.beginning) for t in twigs(tree)][1:] == [
        ("├─", "de"),
        ("│ └─", "g"),
        ("└─", "f"),
    ]


@scenario
async def test_enter_switches() -> None:
    async with hosted(lambda: Branches(family(), name=_nobody)) as (app, pilot):
        assert app.screen.choices.current.branch.leaf == 13  # type: ignore[attr-defined]
        await press(pilot, "up", "up", "enter")
        assert app.answers == [8]


@scenario
async def test_the_mouse_switches() -> None:
    async with hosted(lambda: Branches(family(), name=_nobody)) as (app, pilot):
        y = next(n for n, row in enumerate(app.rows()) if "never" in row)
        await pilot.click(offset=(20, y), times=2)
        await settled(pilot)
        assert app.answers == [10]


@scenario
async def test_escape_changes_nothing() -> None:
    async with hosted(lambda: Branches(family(), name=_nobody)) as (app, pilot):
        await press(pilot, "escape")
        assert app.answers == [None]


@pytest.mark.slow
@scenario
async def test_a_name_is_given_in_place() -> None:
    given: list[tuple[int, str]] = []
    make = lambda: Branches(family(), name=lambda *named: given.append(named))  # noqa: E731
    async with hosted(make) as (app, pilot):
        await press(pilot, "home", "down", "n", *"better", "enter")
        assert given == [(8, "better")]
        assert any("better" in row and "was" in row for row in app.rows())
        await press(pilot, "n", "escape")  # out of the question, not of the screen
        assert app.answers == []
        assert app.focused is app.screen.choices  # type: ignore[attr-defined]
        assert given == [(8, "better")]


@scenario
async def test_comparing_with_the_present_branch() -> None:
    async with hosted(lambda: Branches(family(), name=_nobody)) as (app, pilot):
        await press(pilot, "d")
        assert app.answers == []
        assert "present branch" in app.text()
        await press(pilot, "up", "d")
        assert app.answers == [Existing(10)]


@pytest.mark.slow
@scenario
async def test_the_filter() -> None:
    async with hosted(lambda: Branches(family(), name=_nobody)) as (app, pilot):
        await press(pilot, "slash", *"never")
        choices = app.screen.choices  # type: ignore[attr-defined]
        assert [t.branch.leaf for t in choices.listed] == [10]
        await press(pilot, *"xyz")
        assert "Nothing here has these words." in app.text()
        await press(pilot, "escape")
        assert choices.count == 4
        assert app.focused is choices
        await press(pilot, "slash", *"doubt", "enter")
        assert app.answers == [10]


@scenario
async def test_sixty_four_branches() -> None:
    trunk = said(["word"] * 200, 1, 0)
    records: list[Any] = [asked(0), *trunk]
    for n in range(63):
        records += said([f" other{n}", " end"], 1000 + 10 * n, 1 + n * 3)
    async with hosted(lambda: Branches(Tree.of(records), name=_nobody)) as (app, pilot):
        assert app.screen.choices.count == 64  # type: ignore[attr-defined]
        await press(pilot, "home", "pagedown", "pagedown", "end")
        assert any("▸" in row and "other62" in row for row in app.rows())
        await press(pilot, "home")
        assert any("▸" in row and "Which number" in row for row in app.rows())


@scenario
async def test_hostile_texts_and_names() -> None:
    tree = Tree.of(
        [
            asked(0, HOSTILE),
            *said(["a", "b"], 1, 0),
            *said([HOSTILE, "c"], 10, 1),
            Event(kind="branch", index=11, detail={"name": HOSTILE}),
        ]
    )
    async with hosted(lambda: Branches(tree, name=_nobody)) as (app, pilot):
        assert "[/red]" in app.text()
        assert not app.steering()
        await press(pilot, "n", "end", "x")
        assert "[/red] [31mabc" in app.text()
        assert not app.steering()


@scenario
async def test_nothing_said_yet() -> None:
    async with hosted(lambda: Branches(Tree(), name=_nobody)) as (app, pilot):
        assert "Nothing has been said yet." in app.text()
        await press(pilot, "enter", "n", "d", "down")
        assert app.answers == []


@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("up")

    assert looks(Host(lambda: Branches(family(), name=_nobody)), size, steps)


def test_two_ways_of_asking_and_of_answering() -> None:
    tree, _, _ = two_answers()
    assert [(t.old, t.new) for t in twigs(tree)[1:]] == [(".", "␣smaller")]
    tree, _, _ = two_prompts()
    assert [(t.old, t.new) for t in twigs(tree)[1:]] == [("larger,", "smaller,")]


def _nobody(_leaf: int, _name: str) -> None:
    raise AssertionError("nothing was named")
