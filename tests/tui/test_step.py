"""The debugger's screen on a scripted debugger: each key sends its line, each page its question."""

from typing import Any

import pytest
from debugged import Scripted, hostile
from driving import chatting
from harness import LARGE, SIZES, SMALL, hosted, press, scenario, settled, until
from scripted import HEADER, SETTINGS
from textual.events import Key

from entropix_mlx.debugger.outputs import Finished, Looking, Message, Refused
from entropix_mlx.records.record import Event
from entropix_mlx.records.tree import ROOT
from entropix_tui.engine.outputs import Failed, Loading, Ready
from entropix_tui.look import styles
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.screens.help import Help
from entropix_tui.screens.step import step
from entropix_tui.screens.step.pages import Page
from entropix_tui.screens.step.step import StepScreen
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.tokens.token_ref import TokenRef

ASKING = {"waterfall", "attention", "lens", "futures 8", "breakpoints"}


def sent(script: Scripted) -> list[str]:
    """The lines, but for those that only ask for what a page shows."""
    return [line for line in script.lines if line not in ASKING]


def page(script: Scripted) -> Page | None:
    assert script.screen is not None
    return script.screen.pages.page


async def asked_for(pilot: Any, script: Scripted, line: str, times: int = 1) -> None:
    await until(pilot, lambda: script.lines.count(line) >= times)
    await settled(pilot)


KEYS: list[tuple[list[str], list[str]]] = [
    (["s"], ["step"]),
    (["space"], ["step"]),
    (["n"], ["next"]),
    (["u"], ["until sentence"]),
    (["U"], ["until line"]),
    (["c"], ["continue"]),
    (["g"], ["run 5"]),
    (["plus", "g"], ["run 10"]),
    (["minus", "minus", "g"], ["run 2"]),
    (["enter"], ["step"]),
    (["1"], ["step"]),
    (["2"], ["take 2"]),
    (["9"], ["take 9"]),
    (["down", "down", "enter"], ["take 3"]),
    (["b"], ["ban"]),
    (["d"], ["redraw"]),
    (["w"], ["rewind"]),
    (["left", "right"], ["back", "step"]),
    (["h", "l"], ["back", "step"]),
    (["left", "left", "right", "w"], ["back", "back", "step", "rewind"]),
    (["right"], []),
    (["R"], ["reverse-continue"]),
    (["t", "space", "h", '"', "enter"], ['type " h\\""']),
    (["p", *"top_p=0.5", "enter"], ["set top_p=0.5"]),
    (["D", *"rank", "enter"], ["display rank"]),
    (["B", *"rank>2", "enter"], ["break rank>2"]),
    (["B", *"tbreak", "space", *"rank>2", "enter"], ["tbreak rank>2"]),
    (["colon", *"where", "enter", "escape"], ["where"]),
    (["e"], ["end"]),
    (["a", *"Hi", "enter"], ['ask "Hi"']),
    (["f"], ["finish"]),
]


@pytest.mark.slow
@scenario
async def test_each_key_sends_its_line() -> None:
    script = Scripted()
    async with hosted(script.make) as (_, pilot):
        for keys, lines in KEYS:
            script.lines.clear()
            await pilot.press(*keys)
            await settled(pilot)
            assert sent(script) == lines, keys


@scenario
async def test_a_dozen_keys_are_shown_at_the_foot_at_most() -> None:
    async with hosted(Scripted().make) as (app, pilot):
        await press(pilot, "s")
        foot = app.rows()[-1]
        for key in ("⏎ take", "s step", "n word", "c continue", "← back", "Esc leave", "F1 help"):
            assert key in foot


@scenario
async def test_the_text_and_the_proposal() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        assert "halted before token 1" in app.text()
        assert "◇The" in app.text()
        assert "“The”" in app.text()
        await press(pilot, "s", "3")
        assert "The †a" in app.text()
        assert script.tree.leaf == 2
        await press(pilot, "left")
        assert "looking back at token 2" in app.text()
        assert "took" in app.text()
        screen = script.screen
        assert screen is not None
        assert screen.text.ref == TokenRef(2)
        await press(pilot, "right")
        assert "halted before token 3" in app.text()
        assert screen.text.ref is None


@pytest.mark.slow
@scenario
async def test_a_token_has_its_number_in_the_answer_and_its_records() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "s", "s", "a", *"Hi", "enter")
        assert "halted before token 1 (@4)" in app.text()
        await press(pilot, "s", "left")
        assert "looking back at token 1 (@4)" in app.text()


@scenario
async def test_the_panel_follows_what_runs_and_says_what_is_over() -> None:
    script = Scripted(hold={"run 5"})
    async with hosted(script.make) as (app, pilot):
        assert script.screen is not None
        proposal = script.screen.proposal
        assert (proposal.border_title, "“The”" in app.text()) == ("would take", True)
        await press(pilot, "g")
        for taken in ("“The”", "“␣number”"):
            script._more()
            await settled(pilot)
            assert (proposal.border_title, taken in app.text()) == ("took", True)
        script.go()
        await settled(pilot)
        assert proposal.border_title == "would take"
        await press(pilot, "f")
        assert proposal.border_title == "over"
        assert "w halts before its last token again" in app.text()


@scenario
async def test_running_and_stopping() -> None:
    script = Scripted(hold={"continue", "run 5", "run 10"})
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "c")
        assert "▶ continue" in app.text()
        await press(pilot, "s", "n", "3", "d")  # not while it runs
        assert sent(script) == ["ask Which?", "continue"]
        script.give(script.record())
        assert "▶ continue" in app.text()
        await press(pilot, "escape")
        assert script.stops == 1
        assert isinstance(app.screen, StepScreen)
        script.go()
        await settled(pilot)
        assert "breakpoint 1: entropy 5.1 > 3" in app.text()
        await press(pilot, "g", "plus")
        assert script.stops == 2
        assert sent(script)[-2:] == ["run 5", "run 10"]


@pytest.mark.slow
@scenario
async def test_a_key_that_is_held_down_does_not_run_away() -> None:
    script = Scripted(hold={"step"})
    async with hosted(script.make) as (_, pilot):
        await press(pilot, *["s"] * 30)
        assert sent(script).count("step") == 4
        script.go()
        await settled(pilot)
        assert script.tree.leaf == 4


@pytest.mark.slow
@scenario
async def test_leaving() -> None:
    script = Scripted()
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "s", "B", "escape")
        assert app.focused is script.screen.proposal.candidates  # type: ignore[union-attr]
        await press(pilot, "escape")
        assert page(script) is None
        assert app.answers == []
        await press(pilot, "escape")
        assert app.answers == [None]


@scenario
async def test_leaving_without_a_word() -> None:
    script = Scripted()
    async with hosted(lambda: script.make(first=())) as (app, pilot):
        assert script.tree.leaf == ROOT
        assert "no answer is under way" in app.text()
        await press(pilot, *"Hi", "enter")
        assert script.lines == ['ask "Hi"']
        await press(pilot, "escape")
        assert app.answers == [None]


@SIZES
@scenario
async def test_a_prompt_can_be_written_at_once(size: tuple[int, int]) -> None:
    script = Scripted()
    async with hosted(lambda: script.make(first=()), size) as (_, pilot):
        await press(pilot, *"such", "enter")
        assert sent(script) == ['ask "such"']


@scenario
async def test_what_a_layer_would_have_said_can_be_taken() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "L")
        await asked_for(pilot, script, "lens")
        assert script.screen is not None
        lens = script.screen.pages.lens
        assert "⏎ take" in app.rows()[-1]
        lens.go(4)
        assert lens.listed[4].candidates[0] == script.record().candidates[4]
        await press(pilot, "enter")
        assert sent(script)[-1] == "take 5"


# Pages.


@pytest.mark.slow
@SIZES
@scenario
async def test_a_row_names_the_pages_with_their_keys(size: tuple[int, int]) -> None:
    script = Scripted()
    names = "W waterfall│A attention│L lens│F futures│P breakpoints│T branches│O log"
    async with hosted(script.make, size) as (app, pilot):
        if size == LARGE:  # there is room for one from the start
            await until(pilot, lambda: page(script) is not None)
            await press(pilot, "escape")
        await until(pilot, lambda: names in app.text())
        turned = []
        for key in ("]", "]", "[", "[", "["):
            await press(pilot, key)
            turned.append(page(script))
        assert turned == ["waterfall", "attention", "waterfall", "log", "branches"]
        assert names in app.text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "line", "words"),
    [
        ("W", "waterfall", ["min-p", "✗", "draws in order", "49,152"]),
        ("A", "attention", ["layers × heads", "mean of all heads"]),
        ("L", "lens", ["would have said", "11.00"]),
        ("F", "futures 8", ["bits²", "then"]),
        ("P", "breakpoints", ["B adds a breakpoint"]),
        ("T", None, ["began", "Which?"]),
        ("O", None, ["nothing was said yet"]),
    ],
)
def test_a_page(key: str, line: str | None, words: list[str]) -> None:
    @scenario
    async def run() -> None:
        for size in (SMALL, LARGE):
            script = Scripted()
            async with hosted(script.make, size) as (app, pilot):
                await press(pilot, "s")
                if not (key == "W" and size == LARGE):
                    await press(pilot, key)
                if line is not None:
                    await asked_for(pilot, script, line)
                text = app.text()
                for word in words:
                    assert word in text
                assert app.focused is not None
                await press(pilot, key)
                assert page(script) is None

    run()


@pytest.mark.slow
@scenario
async def test_a_page_follows_and_asks_once_it_stands_still() -> None:
    script = Scripted()
    async with hosted(script.make) as (_, pilot):
        await press(pilot, "W")
        await asked_for(pilot, script, "waterfall")
        before = script.lines.count("waterfall")
        assert script.screen is not None
        for _ in range(6):
            script.screen.action_go("step")
        await asked_for(pilot, script, "waterfall", before + 1)
        assert script.lines.count("waterfall") == before + 1
        assert script.lines[-1] == "waterfall"
        await press(pilot, "left")
        assert script.lines[-1] == "back"
        assert "rewind" in script.screen.debugging.why_not("waterfall")


@pytest.mark.slow
def test_what_is_costly_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "DEBOUNCE", 1000.0)

    @scenario
    async def run() -> None:
        script = Scripted()
        async with hosted(script.make) as (_, pilot):
            await press(pilot, "W", "s", "s")
            assert not ASKING & set(script.lines)

    run()


@scenario
async def test_a_closed_page_asks_for_nothing() -> None:
    script = Scripted()
    async with hosted(script.make) as (_, pilot):
        await press(pilot, "s", "s", "s")
        assert not script.screen.is_about_to_ask  # type: ignore[union-attr]
        assert not ASKING & set(script.lines)


@pytest.mark.slow
@scenario
async def test_taking_from_a_page() -> None:
    script = Scripted()
    async with hosted(script.make) as (_, pilot):
        await press(pilot, "W")
        await asked_for(pilot, script, "waterfall")
        await press(pilot, "down", "enter")
        assert sent(script)[-1] == "take 2"
        await press(pilot, "F")
        await asked_for(pilot, script, "futures 8")
        await press(pilot, "end", "enter")
        assert sent(script)[-1] == "take 8"
        await asked_for(pilot, script, "futures 8", times=2)
        await press(pilot, "home", "enter")
        assert sent(script)[-1] == "step"


@scenario
async def test_what_can_not_be_shown_says_why() -> None:
    script = Scripted(answers={"lens": [Refused("this architecture's layers can't be asked")]})
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "L")
        await asked_for(pilot, script, "lens")
        assert "this architecture's layers can't be asked" in app.text()
        assert not script.screen.is_about_to_ask  # type: ignore[union-attr]
        assert script.lines.count("lens") == 1
        script.give(Finished("length"))
        await settled(pilot)
        assert "the answer is over" in app.text()


@pytest.mark.slow
@scenario
async def test_attention_is_marked_in_the_text() -> None:
    script = Scripted()
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "s", "A")
        await asked_for(pilot, script, "attention")
        screen = script.screen
        assert screen is not None
        assert screen.text.painter.levels
        assert screen.focused is screen.pages.attention.map
        await press(pilot, "right", "s")  # the next head; a step
        assert screen.pages.attention.map.place == (0, 1)
        await asked_for(pilot, script, "attention", 2)
        assert screen.text.painter.levels
        await press(pilot, "A")
        assert not screen.text.painter.levels
        assert app.focused is screen.proposal.candidates


@pytest.mark.slow
@scenario
async def test_breakpoints_by_key() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "B", *"entropy > ")
        assert "expected a field, a number or a text" in app.text()
        await press(pilot, "enter")
        assert sent(script) == ["ask Which?"]  # not while it is wrong
        await press(pilot, "3", "enter", "P")
        await asked_for(pilot, script, "breakpoints")
        assert "● 1    break entropy > 3" in app.text()
        await press(pilot, "enter")
        await asked_for(pilot, script, "breakpoints", 2)
        assert "○ 1    break entropy > 3" in app.text()
        await press(pilot, "i", "4", "enter")
        await asked_for(pilot, script, "breakpoints", 3)
        assert sent(script)[-2:] == ["disable 1", "ignore 1 4"]
        await press(pilot, "x")
        await asked_for(pilot, script, "breakpoints", 4)
        assert "B adds a breakpoint" in app.text()


@pytest.mark.slow
@scenario
async def test_the_column_of_what_is_wrong() -> None:
    async with hosted(Scripted().make) as (app, pilot):
        await press(pilot, "B", *"entropy > x")
        rows = app.rows()
        at = next(n for n, row in enumerate(rows) if "there is no field x" in row)
        assert rows[at - 1].index("x") - rows[at].index("^") in (0, rows[at - 1].index("x"))
        await press(pilot, "backspace", "3")
        assert "there is no field" not in app.text()


@pytest.mark.slow
@scenario
async def test_branches_by_key() -> None:
    script = Scripted(
        answers={
            "branch 2": [],
            "name 2 calm": [Event(kind="branch", index=4, detail={"name": "calm"})],
            "prune 2": [Event(kind="prune", index=4)],
        }
    )
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "s", "s", "s", "w", "w", "2")
        await press(pilot, "T")
        screen = script.screen
        assert screen is not None
        assert screen.pages.branches.count == 2
        assert screen.pages.branches.row == 1  # the present one
        await press(pilot, "d")
        assert "that is the present branch" in app.text()
        await press(pilot, "up", "d")
        assert isinstance(app.screen, Compare)
        await press(pilot, "escape")
        await press(pilot, "down", "n", *"calm", "enter")
        assert script.lines[-1] == "name 2 calm"
        assert "calm" in app.text()
        await press(pilot, "T", "T", "x")
        assert script.lines[-1] == "prune 2"
        assert screen.pages.branches.count == 1


@pytest.mark.slow
@scenario
async def test_switching_to_a_branch() -> None:
    script = Scripted(answers={"branch 1": []})
    async with hosted(script.make) as (_, pilot):
        await press(pilot, "s", "s", "w", "2", "T", "up", "enter")
        assert script.lines[-1] == "branch 1"


# The command line.


@pytest.mark.slow
@scenario
async def test_the_command_line() -> None:
    script = Scripted(answers={"where": [Message(["a line", "[red]and another[/]\x1b[2J"])]})
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "colon", "w", "h", "tab", "enter")
        assert script.lines[-1] == "where"
        assert ": where" in app.text()
        assert "[red]and another[/]‹1B›[2J" in app.text()
        assert app.focused is script.screen.command.field  # type: ignore[union-attr]
        await press(pilot, *"nonsense", "enter")
        assert "✗ unknown command 'nonsense'" in app.text()
        await press(pilot, "up", "up", "down", "up", "enter")
        assert script.lines[-1] == "where"
        await press(pilot, *"st", "tab", "enter")
        assert script.lines[-1] in ("step", "waterfall")
        assert "step" in script.lines
        await press(pilot, "enter")  # nothing: back to the screen
        assert app.focused is not script.screen.command.field  # type: ignore[union-attr]


@pytest.mark.slow
@scenario
async def test_a_command_whose_keys_come_at_once() -> None:
    script = Scripted(answers={"where": []})
    async with chatting() as chat:
        chat.app.push_screen(script.make())
        await chat.until(lambda: script.lines)
        chat.app.post_message(Key("colon", ":"))
        for key in "where":
            chat.app.post_message(Key(key, key))
        chat.app.post_message(Key("enter", "\r"))
        await chat.until(lambda: script.lines[-1] == "where")
        assert sent(script) == ["ask Which?", "where"]


@scenario
async def test_the_whole_vocabulary_that_it_would_draw_from() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Vocabulary))
        assert "logit" in app.text()
        await press(pilot, "down", "enter")
        assert script.lines[-1] == "take 2"
        script.answers["attention"] = [Refused("the attention can't be had")]
        await press(pilot, "s", "x")
        assert isinstance(app.screen, StepScreen)
        assert "the attention can't be had" in app.text()


@scenario
async def test_how_far_the_model_is_that_it_waits_for() -> None:
    script = Scripted(hold={"ask Which?"})
    screen = script.make()
    screen.debugging.waiting = "starting"
    async with hosted(lambda: screen) as (app, pilot):
        assert "◌ starting" in app.rows()[0]
        assert "the model is loading" in app.text()
        assert "nothing is under way" not in app.text()
        screen.take(Loading("loading weights", 49_000_000, 98_000_000))
        screen.flush()
        await pilot.pause()
        assert "◌ loading weights 50 % 49 MB of 98 MB" in app.rows()[0]
        screen.take(Loading("reading the prompt", 1, 4, "tokens"))
        screen.flush()
        await pilot.pause()
        assert "◌ reading the prompt 25 %  " in app.rows()[0], "tokens are no bytes"
        await press(pilot, "escape")
        assert script.stops == 1, "Escape stops the loading"
        screen.take(Ready(HEADER, 2048, SETTINGS))
        screen.flush()
        await pilot.pause()
        assert "▶ ask Which?" in app.rows()[0]


@pytest.mark.slow
@scenario
async def test_a_long_answer_has_a_page() -> None:
    lines = [f"line {n}" for n in range(30)]
    script = Scripted(answers={"help": [Message(lines)]})
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "colon", *"help", "enter")
        assert page(script) == "log"
        assert "line 29" in app.text()
        assert "line 20" in app.text()


@scenario
async def test_tab_goes_on_where_there_is_nothing_to_complete() -> None:
    script = Scripted()
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "tab")
        seen = app.focused
        await press(pilot, "tab", "tab")
        assert app.focused is not None
        assert seen is not None


# Others.


@scenario
async def test_a_failure_leaves_the_screen_alive() -> None:
    script = Scripted(answers={"continue": [Failed("the device is gone", "...")]})
    async with hosted(script.make) as (app, pilot):
        await press(pilot, "c")
        assert "✗ the device is gone" in app.text()
        await press(pilot, "s")
        assert script.tree.leaf == 1


@pytest.mark.slow
@scenario
async def test_the_mouse() -> None:
    script = Scripted()
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "s", "s", "s", "s")
        row = next(n for n, line in enumerate(app.rows()) if "The number" in line)
        await pilot.click(offset=(app.rows()[row].index("number") + 2, row))
        await settled(pilot)
        assert sent(script)[-1] == "back 3"
        await pilot.click(offset=(app.rows()[row].index("◇") + 1, row))
        await settled(pilot)
        assert sent(script)[-1] == "step 3"
        await pilot.click(offset=(4, next(n for n, r in enumerate(app.rows()) if "▌" in r)))
        await settled(pilot)
        assert "is no token of this answer" in app.text()
        tabs = next(n for n, line in enumerate(app.rows()) if "│L lens│" in line)
        await pilot.click(offset=(app.rows()[tabs].index("lens") + 1, tabs))
        await asked_for(pilot, script, "lens")
        assert page(script) == "lens"
        y = next(n for n, r in enumerate(app.rows()) if " 2 ␣the " in r)
        x = app.rows()[y].index(" 2 ␣the ")
        await pilot.click(offset=(x, y), times=2)
        await settled(pilot)
        assert sent(script)[-1] == "take 2"


@pytest.mark.slow
@scenario
async def test_looking_back_with_a_reason() -> None:
    script = Scripted(answers={"reverse-continue": [Looking(1, "breakpoint 1: p 0.1 < 0.2")]})
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "s", "s", "R")
        assert "looking back at token 1 · breakpoint 1: p 0.1 < 0.2" in app.text()
        assert "● breakpoint 1" in app.text()


@pytest.mark.slow
@scenario
async def test_help_and_jumping() -> None:
    async with hosted(Scripted().make) as (app, pilot):
        await press(pilot, "f1")
        assert isinstance(app.screen, Help)
        await press(pilot, *"held", *["backspace"] * 4, *"waterfa", "escape", "escape")
        assert isinstance(app.screen, StepScreen)
        await press(pilot, "f6", "escape")
        assert isinstance(app.screen, StepScreen)


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
def test_hostile_tokens(size: tuple[int, int], colours: styles.Colours) -> None:
    @scenario
    async def run() -> None:
        script = hostile()
        async with hosted(lambda: script.make(), size, colours=colours) as (app, pilot):
            for key, line in (
                ("W", "waterfall"), ("A", "attention"), ("L", "lens"), ("F", "futures 8"),
            ):  # fmt: skip
                await press(pilot, "s")
                if page(script) != line.split()[0]:
                    await press(pilot, key)
                await asked_for(pilot, script, line)
                assert not app.steering()
            for key in ("T", "O", "O", "left", "left", "v"):
                await press(pilot, key)
                assert not app.steering()

    run()


@pytest.mark.slow
@scenario
async def test_sizes_change_under_it() -> None:
    script = Scripted()
    async with hosted(script.make, LARGE) as (app, pilot):
        await press(pilot, "s", "L")
        await asked_for(pilot, script, "lens")
        for size in ((80, 24), (100, 30), (60, 20), (140, 45)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert "would have said" in app.text()
            assert app.focused is not None
            await press(pilot, "escape")
            assert "◇" in app.text()
            await press(pilot, "L")
