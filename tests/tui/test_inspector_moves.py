"""The inspector while the cursor moves from token to token: what is drawn, and what is not."""

from typing import Any

import pytest
from harness import LARGE, SIZES, SMALL, scenario, until
from inspected import SETTINGS, candidates, inspecting, record, shown
from inspections import inspection
from textual.screen import Screen
from textual.selection import SELECT_ALL

from entropix_tui.widgets.inspector.attended import Attended
from entropix_tui.widgets.inspector.attention_map import AttentionMap
from entropix_tui.widgets.inspector.attention_page import AttentionPage
from entropix_tui.widgets.inspector.candidates import TrialCandidates
from entropix_tui.widgets.inspector.facts import Facts
from entropix_tui.widgets.inspector.inspector import Page

BEFORE = "Tell me. The capital of France is"


class TestMoving:
    """From token to token, as with a key held down."""

    @scenario
    async def test_what_is_out_of_sight_is_told_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[str] = []

        def count(kind: type, name: str) -> None:
            do = getattr(kind, name)

            def counting(self: Any, *args: Any, **options: Any) -> Any:
                told.append(kind.__name__)
                return do(self, *args, **options)

            monkeypatch.setattr(kind, name, counting)

        async with inspecting(LARGE) as (pilot, _app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            for kind, names in (
                (Facts, ("show", "render_line")),
                (TrialCandidates, ("show", "render_line")),
                (AttentionPage, ("show",)),
                (AttentionMap, ("show", "render_line")),
                (Attended, ("show", "render_line")),
            ):
                for name in names:
                    count(kind, name)
            for page, seen in (
                ("token", {"Facts"}),
                ("candidates", {"TrialCandidates"}),
                ("attention", {"AttentionPage"}),
            ):
                inspector.open_page(page)
                await pilot.pause()
                told.clear()
                for index in (20, 21, 22):
                    inspector.show(record(index=index, text=f" w{index}"), SETTINGS, BEFORE)
                    await pilot.pause()
                assert set(told) == seen
                assert told.count(next(iter(seen))) >= 1

    @pytest.mark.slow
    @SIZES
    @pytest.mark.parametrize("page", ["token", "candidates", "attention"])
    def test_nothing_is_laid_out_anew(
        self, size: tuple[int, int], page: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layouts: list[None] = []
        lay_out = Screen._refresh_layout

        def counting(self: Screen[Any], *args: Any, **options: Any) -> None:
            layouts.append(None)
            lay_out(self, *args, **options)

        monkeypatch.setattr(Screen, "_refresh_layout", counting)

        @scenario
        async def run() -> None:
            async with inspecting(size) as (pilot, app, inspector):
                inspector.open_page(page)
                inspector.show(record(), SETTINGS, BEFORE)
                await pilot.pause()
                layouts.clear()
                for index, count in enumerate((8, 9, 7, 8, 9, 2), 20):
                    moved = record(
                        index=index,
                        text=f" w{index}",
                        candidates=candidates(count),
                        quadrant="LELV" if index % 2 else "HELV",
                        strategy="greedy" if index % 2 else "adaptive",
                    )
                    inspector.show(moved, SETTINGS, BEFORE * (index % 3))
                    await pilot.pause()
                    if page == "token":
                        assert f"“␣w{index}”" in shown(app, inspector)
                assert layouts == []

        run()

    @scenario
    async def test_a_page_turned_to_shows_the_last_token(self) -> None:
        async with inspecting(LARGE) as (pilot, app, inspector):
            for index in (5, 6):
                one = record(index=index, temperature=index / 10)
                inspector.show(one, SETTINGS, BEFORE)
            inspector.fill(inspection(one))
            inspector.open_page("candidates")
            await pilot.pause()
            assert "T 0.60" in shown(app, inspector)
            assert "of all" in shown(app, inspector)
            inspector.open_page("attention")
            await pilot.pause()
            assert "0 to 5.3 bits" in shown(app, inspector)
            inspector.show(record(index=7), SETTINGS, BEFORE)
            inspector.open_page("token")
            await pilot.pause()
            assert "at 7" in shown(app, inspector)
            assert inspector.inspection is None


class TestFacts:
    @scenario
    async def test_a_long_text_can_be_scrolled_and_copied(self) -> None:
        async with inspecting(SMALL) as (pilot, app, inspector):
            inspector.show(record(), SETTINGS, BEFORE)
            await pilot.pause()
            facts = app.query_one(Facts)
            assert facts.max_scroll_y > 0
            facts.focus()
            await pilot.press("end")
            await until(pilot, lambda: "agreement" in shown(app, inspector))
            assert "“␣Paris”" not in shown(app, inspector)
            inspector.show(record(index=13), SETTINGS, BEFORE)
            await pilot.pause()
            assert "“␣Paris”" in shown(app, inspector)
            app.screen.selections = {facts: SELECT_ALL}
            copied = app.screen.get_selected_text() or ""
            assert copied.startswith("“␣Paris”  id 100 at 13\n")
            assert "surprisal S  0.87 bits" in copied
