"""What the present answer is to be compared with: the questions, and their answers."""

from typing import Any

import pytest
from conversations import ASKED, asked, said, two_answers
from harness import HOSTILE, SIZES, Host, hosted, press, scenario
from scripted import SETTINGS
from textual.pilot import Pilot

from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.settings import Settings, declared
from entropix_models.errors import UsageError
from entropix_tui.conversation.comparison import Again, Existing, Reworded
from entropix_tui.screens.compare.setup import CompareSetup, SamplerChoices, overrides
from entropix_tui.widgets.prompt import Prompt


def screen(tree: Tree | None = None, **more: Any) -> CompareSetup:
    tree = two_answers()[0] if tree is None else tree
    prompt = next(node for node in tree.path() if node.parent == -1)
    return CompareSetup(tree, prompt, SETTINGS, draw=lambda: 4242, **more)  # type: ignore[arg-type]


@scenario
async def test_another_seed() -> None:
    async with hosted(screen) as (app, pilot):
        assert "4242" in app.text()
        await press(pilot, "enter")
        assert app.answers == [Again(0, seed=4242)]


@pytest.mark.slow
@scenario
async def test_a_seed_of_ones_own() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, *["backspace"] * 4, "enter")
        assert "a seed is a whole number" in app.text()
        await press(pilot, *"99999999999", "enter")
        assert "a seed is a whole number" in app.text()
        await press(pilot, "ctrl+r", *["backspace"] * 4, *"12", "ctrl+d")
        assert app.answers == [Again(0, seed=12)]


@scenario
async def test_the_mouse_chooses_a_way_and_draws_a_seed() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, *["backspace"] * 4)
        await pilot.click("#random")
        await press(pilot)
        assert "4242" in app.text()
        y, row = next((n, r) for n, r in enumerate(app.rows()) if "another prompt" in r)
        await pilot.click(offset=(row.index("another prompt") + 2, y))
        await press(pilot)
        assert ASKED in app.text()
        assert app.focused is app.screen.query_one("#text")


@scenario
async def test_another_sampler() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f3", "enter")
        assert "these are the present settings" in app.text()
        assert [choices.items for choices in app.screen.query(SamplerChoices)] == [
            ["", *declared()],
            [*declared()],
        ]
        await press(pilot, *["down"] * [*declared()].index("greedy"), "enter")
        assert app.answers == [Again(0, settings=Settings.make("greedy"))]


@scenario
async def test_another_sampler_on_both_sides() -> None:
    async with hosted(screen) as (app, pilot):
        down = ["down"] * [*declared()].index("greedy")
        await press(pilot, "f3", *down, "shift+tab", "down", *down, "enter")
        assert "A and B are the same sampler" in app.text()
        await press(pilot, *["up"] * len(down), "enter")
        assert app.answers == [Again(0, settings=Settings.make("greedy"), against=SETTINGS)]


@scenario
async def test_a_chain_that_is_in_force_is_among_them() -> None:
    chain = Settings.make("top-k=9,temperature")

    def with_chain() -> CompareSetup:
        made = screen()
        made.settings = chain
        return made

    async with hosted(with_chain) as (app, pilot):
        await press(pilot, "f3", "tab", *"top_k=5", "enter")
        assert app.answers == [Again(0, settings=Settings.make("top-k=5,temperature"))]


@pytest.mark.slow
@scenario
async def test_changes_are_made_to_the_present_settings() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f3", "tab", *"temperature=99", "enter")
        assert "temperature='99': give a number from 0.01 to 10" in app.text()
        await press(pilot, *["backspace"] * 2, *"1.2, top_k=5", "enter")
        (answer,) = app.answers
        assert answer.seed is None
        changed = answer.settings.to_dict()
        assert changed == SETTINGS.to_dict() | {"temperature": 1.2, "top_k": 5}


@pytest.mark.slow
@scenario
async def test_what_makes_no_sense_is_told() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f3", "tab", *"temprature=1", "enter")
        assert "'temperature'?); it has" in app.text()
        await press(pilot, *["backspace"] * 12, *"[b]", "enter")
        assert "write changes as NAME=VALUE" in app.text()
        await press(pilot, "escape")
        assert app.answers == [None]


@scenario
async def test_another_prompt() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f4", "enter")
        assert "change a word" in app.text()
        await press(pilot, *["backspace"] * 3, *"12?", "enter")
        assert app.answers == [Reworded(0, ASKED.replace("9.11", "9.12"))]


@scenario
async def test_what_was_said_goes_with_what_it_was_said_of() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f4")
        app.screen.query_one(Prompt).put("/help me")
        await press(pilot, "enter")
        assert "Enter again sends it" in app.text()
        await press(pilot, "x")
        assert "Enter again sends it" not in app.text()
        await press(pilot, "enter")
        assert "Enter again sends it" in app.text()
        assert app.answers == []


@pytest.mark.slow
@scenario
async def test_a_seed_is_offered_where_one_is_drawn_by() -> None:
    async with hosted(screen) as (app, pilot):
        assert "^R another seed" in app.text()
        for key in ("f3", "f4", "f5"):
            await press(pilot, key)
            assert "^R another seed" not in app.text()
        await press(pilot, "f2", "ctrl+r")
        assert "^R another seed" in app.text()


@pytest.mark.slow
@scenario
async def test_an_empty_prompt() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f4")
        app.screen.query_one(Prompt).put(" \n")
        await press(pilot, "ctrl+d")
        assert "the prompt is empty" in app.text()
        assert app.answers == []


@scenario
async def test_a_branch() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "f5", "enter")
        assert app.answers == [Existing(54)]


@scenario
async def test_no_other_branch() -> None:
    tree = Tree.of([asked(0), *said(["a"], 1, 0)])
    async with hosted(lambda: screen(tree=tree)) as (app, pilot):
        assert "a branch" not in app.text(), "what can't be done is not offered"
        await press(pilot, "f5", "ctrl+d")
        assert app.answers == [Again(0, seed=4242)]


@scenario
async def test_hostile_prompts() -> None:
    tree = Tree.of([asked(0, HOSTILE), *said([HOSTILE], 1, 0), *said(["a" + HOSTILE], 9, 0)])
    async with hosted(lambda: screen(tree=tree, presets=(HOSTILE,))) as (app, pilot):
        for key in ("f3", "f4", "f5"):
            await press(pilot, key)
            assert not app.steering()
            assert "[/red]" in app.text()
        await press(pilot, "f4", "enter")
        assert "change a word" in app.text()


def test_overrides() -> None:
    assert overrides("") == {}
    assert overrides(" a=1,b=2  c='x y' ") == {"a": "1", "b": "2", "c": "x y"}
    for wrong in ("a", "=1", "a=", "a='1"):
        with pytest.raises(UsageError):
            overrides(wrong)


@pytest.mark.slow
@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("f3")

    def of_few() -> CompareSetup:
        return screen(presets=("calibrated", "entropixplained", "greedy", "temperature"))

    assert looks(Host(of_few), size, steps)
