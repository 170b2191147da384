"""The inspector's page on attention: the map of the heads, and the tokens attended to."""

from dataclasses import replace

import numpy as np
import pytest
from harness import LARGE, SMALL, scenario, until
from inspected import SETTINGS, inspecting, record, shown
from inspections import attention, inspection

from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.inspector.attended import MOST
from entropix_tui.widgets.inspector.attention_map import AttentionMap
from entropix_tui.widgets.inspector.inspector import Inspector

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
Highlight = Inspector.HighlightWanted


@pytest.mark.slow
@SIZES
def test_map_heads_and_places(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with inspecting(size) as (pilot, app, inspector):
            one = record()
            inspector.show(one, SETTINGS, "")
            inspector.open_page("attention")
            whole = inspection(one)
            inspector.focus()
            inspector.fill(whole)
            await pilot.pause()
            assert isinstance(app.focused, AttentionMap)
            text = shown(app, inspector)
            assert "• 1 collapsed  ≈ 1 overloaded  of 54" in text
            assert "layer 0 head 0:" in text
            assert "0 to 5.3 bits" in text
            assert "≈≈" in text
            await pilot.press("down", "down", "right", "right", "right", "left")
            assert whole.attention is not None
            bits = whole.attention.entropy[2, 2]
            await pilot.pause()
            assert f"layer 2 head 2: {bits:.2f} bits" in shown(app, inspector)
            position = whole.attention.strongest[2, 2, 0]
            assert f"·{position}" in shown(app, inspector)
            await pilot.press("end", "pagedown")
            await pilot.pause()
            assert "layer 5 head 8:" in shown(app, inspector)
            assert "bits, overloaded" in shown(app, inspector)

    run()


@scenario
async def test_attended_tokens_are_highlighted_while_the_page_is_open() -> None:
    async with inspecting(LARGE) as (pilot, app, inspector):
        one = record()
        inspector.show(one, SETTINGS, "")
        inspector.open_page("attention")
        whole = inspection(one)
        inspector.fill(whole)
        await pilot.pause()
        assert whole.attention is not None
        (lit,) = app.of(Highlight)
        weights = whole.attention.weights
        strongest = np.argsort(-weights)[:MOST]
        assert lit.weights == {TokenRef(0, int(i)): float(weights[i]) for i in strongest}
        inspector.open_page("token")
        await pilot.pause()
        assert app.of(Highlight)[1:] == [Highlight(None)]
        inspector.open_page("attention")
        inspector.show(record(index=13), SETTINGS, "")
        await pilot.pause()
        assert app.of(Highlight)[2].weights == lit.weights
        assert app.of(Highlight)[3:] == [Highlight(None)]


@scenario
async def test_an_attended_token_can_be_gone_to() -> None:
    async with inspecting(LARGE) as (pilot, app, inspector):
        one = record()
        inspector.show(one, SETTINGS, "")
        inspector.open_page("attention")
        inspector.focus()
        inspector.fill(inspection(one))
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: app.of(Inspector.SpotChosen))
        assert inspector._attention.attended.listed[1][1] == app.of(Inspector.SpotChosen)[-1].ref


@pytest.mark.slow
@scenario
async def test_a_click_on_a_cell() -> None:
    async with inspecting(LARGE) as (pilot, _app, inspector):
        one = record()
        inspector.show(one, SETTINGS, "")
        inspector.open_page("attention")
        inspector.fill(inspection(one))
        await pilot.pause()
        await pilot.click(AttentionMap, offset=(3 + 2 * 4 + 1, 3))
        assert inspector._attention.map.place == (3, 4)


@pytest.mark.slow
@scenario
async def test_without_capture() -> None:
    async with inspecting(LARGE) as (pilot, app, inspector):
        one = record()
        inspector.show(one, SETTINGS, "")
        inspector.open_page("attention")
        inspector.focus()
        inspector.fill(inspection(one, with_attention=False))
        await pilot.pause()
        assert "not captured" in shown(app, inspector)
        await pilot.press("]")
        assert inspector.page == "token"


@scenario
async def test_many_layers_and_heads_scroll() -> None:
    async with inspecting(SMALL) as (pilot, app, inspector):
        inspector.show(record(), SETTINGS, "")
        inspector.open_page("attention")
        shape = inspector._attention.map
        shape.show(attention(keys=9000, layers=32, heads=64))
        inspector._attention.remove_class("-empty")
        await pilot.pause()
        shape.focus()
        await pilot.press("end", "pagedown", "pagedown", "pagedown", "pagedown")
        assert shape.place == (31, 63)
        await pilot.pause()
        assert "31 " in shown(app, inspector)
        assert "┼" in shown(app, inspector)


@scenario
async def test_a_single_key_is_no_collapse() -> None:
    async with inspecting(LARGE) as (_pilot, _app, inspector):
        heads = inspector._attention.map
        heads.show(replace(attention(), keys=1))
        assert (heads.count("collapsed"), heads.count("overloaded")) == (0, 0)
