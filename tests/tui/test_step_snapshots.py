"""What the debugger's screen looks like: dark, light, without colours; small and large."""

from typing import Any

import pytest
from debugged import Scripted
from driving import until
from hosting import LOOKS, SIZES, Host, settled
from textual.pilot import Pilot
from textual.widgets import Input

from entropix_mlx.halts import Looking

LINES = {"W": "waterfall", "L": "lens", "F": "futures", "P": "points", "A": "attention"}


@pytest.mark.parametrize(
    "keys",
    ["sss", "sssW", "sssA", "sssL", "ssshhh", "sssF", "cB", "s2T"],
    ids=["halted", "waterfall", "attention", "lens", "back", "futures", "break", "branches"],
)
@SIZES
@LOOKS
def test_it_looks_like_this(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    colours: Any,
    dark: bool,
    keys: str,
) -> None:
    if keys in ("ssshhh", "sssF", "cB", "s2T") and (colours != "true" or not dark):
        pytest.skip("looks of the same parts")
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    script = Scripted(answers={"reverse-continue": [Looking(1)]})
    app = Host(lambda: script.make(colours), colours, dark)

    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        screen = script.screen
        assert screen is not None
        for key in keys:
            if LINES.get(key) is None or screen.pages.page != LINES[key]:
                await pilot.press(key)
        if keys.endswith("B"):
            await pilot.press(*"entropy > x")
        page = screen.pages.page
        if page is not None and not screen.said.why_not(page):
            await until(pilot, lambda: screen.said.wants(page) is None)
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
