"""The inspector's pages, keys, mouse and messages, in a small application."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from debugged import waterfall
from harness import LARGE, SMALL, Host, drive, rows, scenario, style_of, until
from inspected import SETTINGS, inspecting, record, shown
from inspections import HOSTILE, inspection
from scripted import SPLIT
from textual.pilot import Pilot

from entropix_mlx.records.record import Candidate
from entropix_mlx.sampling.valleys import Valley
from entropix_tui.widgets.inspector.candidates import bar, ranks
from entropix_tui.widgets.inspector.inspector import GIVEN, Inspector
from entropix_tui.widgets.inspector.waterfall import WaterfallTable, columns

BEFORE = "Tell me. The capital of France is"
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
Wanted, Highlight, Taken = (
    Inspector.InspectionWanted,
    Inspector.HighlightWanted,
    Inspector.CandidateTaken,
)


class TestTokenPage:
    @SIZES
    def test_why_and_candidates_together(self, size: tuple[int, int]) -> None:
        @scenario
        async def run() -> None:
            async with inspecting(size) as (pilot, app, inspector):
                inspector.show(record(), SETTINGS, BEFORE)
                await pilot.pause()
                text = shown(app, inspector)
                assert "“␣Paris”" in text
                assert "55 % sure of Paris; then the 22 %." in text
                assert size == SMALL or "entropy 4.52 > 4.00" in text
                assert size == SMALL or "T = min(1.5, 0.7 × (1.3 + 0.2 × A))" in text
                assert "▸    1 ␣Paris" in text
                assert "[red]" in text
                assert "\x1b" not in text

        run()

    @scenario
    async def test_the_quadrant_has_its_sentence_unless_the_token_itself_denies_it(self) -> None:
        split = msgspec.structs.replace(SPLIT, sentences={"HELV": "under-half"})
        open_one: list[Candidate] = [(1, " a", math.log(0.4), 0.4), (2, " b", math.log(0.3), 0.3)]
        sure_one: list[Candidate] = [(1, " a", math.log(0.9), 0.9), (2, " b", math.log(0.05), 0.05)]
        third: Candidate = (3, " c", math.log(0.02), 0.02)
        async with inspecting(LARGE) as (pilot, app, inspector):
            app.split = split
            for listed, said in (
                ([*open_one, third], "No token has half of the probability."),
                ([*sure_one, third], f"Entropy of {split.entropy:.3g} bits or more"),
                (sure_one, "No token has half of the probability."),  # too few to tell
            ):
                found = record(id=1, candidates=listed, logprob=listed[0][2])
                inspector.show(found, SETTINGS, BEFORE)
                await pilot.pause()
                lines = [line.strip("│ ") for line in shown(app, inspector).splitlines()]
                assert lines[2].startswith(f"{100 * math.exp(found.logprob or 0):.0f} % sure of")
                told = " ".join(lines)
                assert f"open: {said}" in told
                assert "treading carefully, asking clarifying questions (HELV)" in told

    @scenario
    async def test_candidates_are_whole_and_none_is_drawn_of_a_text_that_was_read(self) -> None:
        long: list[Candidate] = [(1, " extraordinary", -0.5, 0.6), (2, " a", -2.0, 0.1)]
        async with inspecting((48, 40)) as (pilot, app, inspector):
            inspector.show(record(id=1, candidates=long, logprob=-0.5), SETTINGS, BEFORE)
            await pilot.pause()
            assert "␣extraordinary 60.7% 60.0%" in shown(app, inspector)
            read = record(id=1, candidates=long, logprob=-0.5, strategy=None, forced=None)
            inspector.show(read, None, BEFORE)
            await pilot.pause()
            assert "raw drawn" not in shown(app, inspector)
            assert "60.0%" not in shown(app, inspector)

    @scenario
    async def test_a_valley_has_its_figures(self) -> None:
        async with inspecting(LARGE) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE, valley=Valley(1.25, 0.4, 12))
            await pilot.pause()
            told = " ".join(line.strip("│ ") for line in shown(app, inspector).splitlines())
            assert "fell by 1.25 bits to here; it had risen by 0.40 12 tokens later" in told
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            assert "valley" not in shown(app, inspector)

    @scenario
    async def test_no_token(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            inspector.show(None, None, "")
            await pilot.pause()
            assert "no token under the cursor" in shown(app, inspector)
            assert "Paris" not in shown(app, inspector)

    @pytest.mark.slow
    @scenario
    async def test_every_kind_of_record(self) -> None:
        bare: dict[str, Any] = dict.fromkeys(
            ("entropy", "varentropy", "logprob", "rank", "quadrant", "region", "strategy"),
        )
        bare |= {"temperature": None, "candidates": []}
        async with inspecting(LARGE) as (pilot, app, inspector):
            for fields in ({"forced": "user", "temperature": None}, bare, {"attn_entropy": None}):
                for page in ("token", "candidates", "attention"):
                    inspector.open_page(page)
                    inspector.show(record(**fields), SETTINGS, "")
                    await pilot.pause()
                    assert page in shown(app, inspector)


class TestTurning:
    @pytest.mark.slow
    @SIZES
    def test_brackets_turn_and_the_focus_goes_along(self, size: tuple[int, int]) -> None:
        @scenario
        async def run() -> None:
            async with inspecting(size) as (pilot, app, inspector):
                inspector.show(record(), SETTINGS, BEFORE)
                inspector.focus()
                seen = [inspector.page]
                for key in ("]", "]", "]", "["):
                    await pilot.press(key)
                    seen.append(inspector.page)
                    assert inspector.has_focus_within
                    assert app.focused is not None
                    assert app.focused.region.area
                assert seen == ["token", "candidates", "attention", "token", "attention"]

        run()

    @pytest.mark.slow
    @scenario
    async def test_a_click_on_a_tab_turns(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            row = app.rows()[inspector.region.y]
            await pilot.click(Inspector, offset=(row.index("attention") + 1, 0))
            assert inspector.page == "attention"
            await pilot.click(Inspector, offset=(row.index("token") + 1, 0))
            assert inspector.page == "token"

    @scenario
    async def test_the_focus_is_seen_without_colours(self) -> None:
        async with inspecting(SMALL, "none") as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            assert shown(app, inspector).startswith("╭")
            inspector.focus()
            await pilot.pause()
            assert shown(app, inspector).startswith("┏")
            assert "▸ candidates" in shown(app, inspector)

    @scenario
    async def test_tab_reaches_both_halves(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            inspector.focus()
            await pilot.pause()
            first = app.focused
            await pilot.press("shift+tab")
            assert app.focused is not first
            assert "▸ what and why" in shown(app, inspector)


class TestInspections:
    @scenario
    async def test_wanted_only_by_pages_that_need_them(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(index=3), SETTINGS, "")
            inspector.open_page("attention")
            await until(pilot, lambda: app.of(Wanted))
            assert app.of(Wanted) == [Wanted(3)]
            inspector.open_page("token")
            inspector.show(record(index=4), SETTINGS, "")
            inspector.open_page("candidates")
            await until(pilot, lambda: len(app.of(Wanted)) > 1)
            assert app.of(Wanted) == [Wanted(3), Wanted(4)]

    @scenario
    async def test_running_over_tokens_asks_once(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.open_page("attention")
            for index in range(1, 40):
                inspector.show(record(index=index), SETTINGS, "")
            await until(pilot, lambda: app.of(Wanted))
            assert app.of(Wanted) == [Wanted(39)]

    @scenario
    async def test_a_token_shown_again_keeps_its_inspection(self) -> None:
        async with inspecting(SMALL) as (pilot, _app, inspector):
            one = record()
            inspector.open_page("candidates")
            inspector.show(one, SETTINGS, "")
            inspector.fill(inspection(one))
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            assert inspector.inspection is not None
            inspector.show(record(index=13), SETTINGS, BEFORE)
            assert inspector.inspection is None

    @scenario
    async def test_what_comes_too_late_is_ignored(self) -> None:
        async with inspecting(SMALL) as (_pilot, _app, inspector):
            inspector.fill(inspection(record()))
            inspector.show(record(index=5), SETTINGS, "")
            inspector.fill(inspection(record(index=4)))
            assert inspector.inspection is None

    @scenario
    async def test_a_prompts_tokens_have_none(self) -> None:
        async with inspecting(LARGE) as (pilot, app, inspector):
            read = record(index=2, strategy=None, temperature=None)
            inspector.show(read, SETTINGS, "")
            inspector.open_page("attention")
            inspector.fill(inspection(read))
            await pilot.pause()
            assert inspector.inspection is None
            assert GIVEN.split(":")[0] in shown(app, inspector)
            inspector._ask()  # as the timer would
            await pilot.pause()
            assert app.of(Wanted) == []

    @scenario
    async def test_a_hidden_inspector_asks_when_it_is_shown(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.display = False
            await pilot.pause()
            inspector.show(record(index=6), SETTINGS, "")
            inspector.open_page("attention")
            inspector._ask()  # as the timer would
            await pilot.pause()
            assert app.of(Wanted) == []
            inspector.display = True
            await until(pilot, lambda: app.of(Wanted))
            assert app.of(Wanted) == [Wanted(6)]

    @scenario
    async def test_a_failure_is_said(self) -> None:
        async with inspecting(LARGE) as (pilot, app, inspector):
            inspector.open_page("attention")
            inspector.show(record(), SETTINGS, "")
            await pilot.pause()
            assert "computing" in shown(app, inspector)
            await until(pilot, lambda: app.of(Wanted))
            inspector.fail("[red] out of memory")
            await pilot.pause()
            assert "[red] out of memory" in shown(app, inspector)


class TestCandidates:
    def test_bars(self) -> None:
        assert bar(0.5, 4) == "██  "
        assert bar(1.0, 4) == "████"
        assert bar(0.0, 4) == "    "
        assert bar(0.002, 4) == "▏   "
        assert bar(3.0, 2) == "██"

    def test_ranks_count_from_one_and_the_chosen_keeps_its_own(self) -> None:
        assert ranks(record(id=108, rank=4711)) == [1, 2, 3, 4, 5, 6, 7, 8, 4712]

    @scenario
    async def test_the_most_likely_are_in_sight_and_the_chosen_one_too(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.styles.height = 9
            inspector.show(record(id=108, text=" far", rank=4711), SETTINGS, "")
            await pilot.pause()
            ranked = [row.split()[:2] for row in rows(app, inspector._short)[1:]]
            assert [places[0] for places in ranked[:-1]] == ["1", "2", "3", "4", "5"]
            assert ranked[-1] == ["▸", "4712"]
            inspector.focus()
            inspector._short.action_move(-1)
            await pilot.pause()
            assert "8 ␣one" in rows(app, inspector._short)[-1]
            inspector.show(record(index=13), SETTINGS, "")
            await pilot.pause()
            assert "▸    1 ␣Paris" in rows(app, inspector._short)[1]
            x, y, *_ = inspector._short.region
            inspector.show(record(id=108, text=" far", rank=4711), SETTINGS, "")
            await pilot.click(offset=(x + 3, y + 6))
            assert inspector._short.row == 8, "the row that is seen there"

    @scenario
    async def test_a_bar_keeps_its_colour_under_the_cursor(self) -> None:
        async with inspecting(LARGE) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, "")
            await pilot.pause()
            before = style_of(app, "█")
            inspector.focus()
            await pilot.pause()
            assert style_of(app, "␣Paris   ").bgcolor == inspector._short.cursor_look.bgcolor
            assert style_of(app, "█").color == before.color
            assert style_of(app, "█").bgcolor == before.bgcolor

    @scenario
    async def test_without_colours_a_bar_is_seen_under_the_cursor(self) -> None:
        async with inspecting(LARGE, "none") as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, "")
            inspector.focus()
            await pilot.pause()
            assert style_of(app, "█").reverse
            assert style_of(app, "␣Paris   ").reverse

    @pytest.mark.slow
    @SIZES
    def test_what_if_over_those_listed_and_over_all(self, size: tuple[int, int]) -> None:
        @scenario
        async def run() -> None:
            async with inspecting(size) as (pilot, app, inspector):
                one = record()
                inspector.show(one, SETTINGS, "")
                inspector.open_page("candidates")
                inspector.focus()
                trial = inspector._trial
                for _ in range(4):
                    await pilot.press("right")
                await pilot.press("left", "shift+right")
                assert trial.tried == 0.9
                own = np.array([logprob for _, _, logprob, _ in one.candidates])
                for of_all in (False, True):
                    every = own
                    if of_all:
                        whole = inspection(one)
                        inspector.fill(whole)
                        every = whole.logprobs.astype(np.float64)
                    await pilot.pause()
                    assert ("of all" if of_all else "of 9 listed") in shown(app, inspector)
                    for row, logprob in enumerate(own):
                        expected = [
                            np.exp(logprob / t) / np.exp(every / t).sum() for t in (1.02, 0.9)
                        ]
                        assert trial.probabilities(row) == pytest.approx(expected, rel=1e-9)
                assert "T 1.02" in shown(app, inspector)
                assert "T 0.90" in shown(app, inspector)

        run()

    @scenario
    async def test_the_mouse_tries_temperatures_too(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, "")
            inspector.open_page("candidates")
            await pilot.pause()
            row = app.rows()[inspector.region.y + 1]
            for sign, expected in (("▸", 0.55), ("◂", 0.5)):
                await pilot.click(Inspector, offset=(row.index(sign), 1))
                assert inspector._trial.tried == expected
            await pilot.click(Inspector, offset=(row.rindex("─"), 1))
            assert inspector._trial.tried == 3.0
            await pilot.click(Inspector, offset=(row.index("─"), 1))
            assert inspector._trial.tried == 0.05

    @pytest.mark.slow
    @SIZES
    @pytest.mark.parametrize("page", ["token", "candidates"])
    def test_enter_and_double_click_take(self, size: tuple[int, int], page: Any) -> None:
        @scenario
        async def run() -> None:
            async with inspecting(size) as (pilot, app, inspector):
                inspector.show(record(), SETTINGS, "")
                inspector.open_page(page)
                inspector.focus()
                await pilot.press("enter")  # it stands there already
                await pilot.press("down", "down", "enter")
                await until(pilot, lambda: app.of(Taken))
                assert app.of(Taken) == [Taken(12, 102)]
                x, y = next(
                    (row.index("␣the"), y)
                    for y, row in enumerate(app.rows())
                    if "␣the" in row[inspector.region.x :]
                )
                await pilot.click(offset=(x, y), times=1)
                assert len(app.of(Taken)) == 1
                await pilot.click(offset=(x, y), times=2)
                await until(pilot, lambda: len(app.of(Taken)) == 2)
                assert app.of(Taken)[1] == Taken(12, 101)

        run()

    @pytest.mark.slow
    @scenario
    async def test_a_prompts_candidates_cannot_be_taken(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(strategy=None, temperature=None), SETTINGS, "")
            inspector.focus()
            await pilot.press("down", "enter")
            await pilot.pause()
            assert app.of(Taken) == []

    @scenario
    async def test_hostile_candidates(self) -> None:
        listed = [(i, text, -0.5 - i, 0.01) for i, text in enumerate(HOSTILE)]
        async with inspecting(LARGE) as (pilot, app, inspector):
            inspector.show(record(candidates=listed, id=1), SETTINGS, "".join(HOSTILE))
            for page in ("token", "candidates"):
                inspector.open_page(page)
                await pilot.pause()
                text = app.text()
                assert "‹1B›[31m" in text
                assert "[/red]" in text
                assert not {"\x1b", "\u202e", "\x9b", "\t"} & set(text)


@pytest.mark.slow
@pytest.mark.parametrize("width", range(60, 100, 8))
def test_a_stage_keeps_to_its_column(width: int) -> None:
    met = record()
    table = WaterfallTable()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        table.show(waterfall(met), met.id)
        await pilot.pause()
        token, cells = columns(width, 6)
        assert max(map(len, host.rows())) <= 1 + token + 6 * cells
        assert ("×" in host.text()) is (cells >= 9), "how often it was drawn, where there is room"

    drive(table, steps, (width, 12))
