"""What the debugger's screen looks like: dark, light, without colours; small and large."""

from typing import Any

import pytest
from debugged import Scripted
from driving import until
from hosting import LOOKS, SIZES, Host, settled
from textual.pilot import Pilot
from textual.widgets import Input

from entropix_mlx.debugger.outputs import Looking

LINES = {"W": "waterfall", "L": "lens", "F": "futures", "P": "points", "A": "attention"}


EVERY_LOOK = {"halted": "sss", "waterfall": "sssW", "attention": "sssA", "lens": "sssL"}
ONE_LOOK = {"back": "ssshhh", "futures": "sssF", "break": "cB", "branches": "s2T"}


@pytest.mark.parametrize("keys", EVERY_LOOK.values(), ids=EVERY_LOOK)
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
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    assert looks(snap_compare, size, keys, colours, dark)


@pytest.mark.parametrize("keys", ONE_LOOK.values(), ids=ONE_LOOK)
@SIZES
def test_other_parts_look_like_this(snap_compare: Any, size: tuple[int, int], keys: str) -> None:
    assert looks(snap_compare, size, keys)


def looks(
    snap_compare: Any, size: tuple[int, int], keys: str, colours: Any = "true", dark: bool = True
) -> bool:
    """Whether the screen looks as it did, after some keys."""
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

    return bool(snap_compare(app, terminal_size=size, run_before=before))
