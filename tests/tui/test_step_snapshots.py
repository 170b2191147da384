"""What the debugger's screen looks like, small and large."""

from typing import Any

import pytest
from debugged import Scripted
from harness import SIZES, Host, until
from textual.pilot import Pilot

from entropix_mlx.debugger.outputs import Looking

LINES = {"W": "waterfall", "L": "lens", "F": "futures", "P": "points", "A": "attention"}
KEYS = {
    "halted": "sss",
    "waterfall": "sssW",
    "attention": "sssA",
    "lens": "sssL",
    "back": "ssshhh",
    "futures": "sssF",
    "break": "cB",
    "branches": "s2T",
}


@pytest.mark.slow
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@SIZES
def test_it_looks_like_this(looks: Any, size: tuple[int, int], keys: str) -> None:
    script = Scripted(answers={"reverse-continue": [Looking(1)]})

    async def steps(pilot: Pilot[None]) -> None:
        screen = script.screen
        assert screen is not None
        for key in keys:
            if LINES.get(key) is None or screen.pages.page != LINES[key]:
                await pilot.press(key)
        if keys.endswith("B"):
            await pilot.press(*"entropy > x")
        page = screen.pages.page
        if page is not None and not screen.debugging.why_not(page):
            await until(pilot, lambda: screen.debugging.wants(page) is None)

    assert looks(Host(script.make), size, steps)
