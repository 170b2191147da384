"""What the inspector and its screens look like: dark, light, without colours; small and large."""

from collections.abc import Callable
from typing import Any

import pytest
from driving import LARGE, SMALL, until
from inspected import SETTINGS, Host, Panel, record
from inspections import HOSTILE, inspection
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from entropix_tui.look.styles import Colours
from entropix_tui.screens.candidate_picker import CandidatePicker
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.widgets.inspector.inspector import Inspector, Page

SIZES = {"80x24": SMALL, "140x45": LARGE}
LOOKS: dict[str, tuple[Colours, bool]] = {
    "dark": ("true", True),
    "light": ("true", False),
    "sixteen": ("sixteen", True),
    "nocolor": ("none", True),
}
CASES = [
    pytest.param(*look, size, id=f"{name}-{cells}")
    for name, look in LOOKS.items()
    for cells, size in SIZES.items()
    if name != "sixteen" or size == SMALL
]
Compare = Callable[[Callable[[], Widget], Colours, bool, tuple[int, int], Any], bool]


@pytest.fixture
def compare(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """The environment has to say what the terminal can before the application is made."""

    def run(
        make: Callable[[], Widget], colours: Colours, dark: bool, size: tuple[int, int], before: Any
    ) -> bool:
        if colours == "none":
            monkeypatch.setenv("NO_COLOR", "1")
        app = Host(make, colours, dark)
        return bool(snap_compare(app, terminal_size=size, run_before=before))

    return run


@pytest.mark.parametrize("page", ["token", "candidates", "attention"])
@pytest.mark.parametrize(("colours", "dark", "size"), CASES)
def test_a_page(
    compare: Compare, page: Page, size: tuple[int, int], colours: Colours, dark: bool
) -> None:
    async def before(pilot: Pilot[None]) -> None:
        inspector = pilot.app.query_one(Inspector)
        one = record()
        inspector.open_page(page)
        inspector.show(one, SETTINGS, "Tell me. The capital of France is")
        inspector.fill(inspection(one))
        inspector.focus()
        await until(pilot, lambda: inspector.has_focus_within)

    assert compare(lambda: Panel(colours), colours, dark, size, before)


@pytest.mark.parametrize("kind", ["picker", "vocabulary"])
@pytest.mark.parametrize(("colours", "dark", "size"), CASES)
def test_a_screen(
    compare: Compare, kind: str, size: tuple[int, int], colours: Colours, dark: bool
) -> None:
    async def before(pilot: Pilot[None]) -> None:
        one = record()
        whole = inspection(one, vocabulary=49_152, texts=HOSTILE)
        screen: Screen[Any] = (
            CandidatePicker(one, colours, whole)
            if kind == "picker"
            else Vocabulary(one, whole, colours)
        )
        pilot.app.push_screen(screen)
        await until(pilot, lambda: pilot.app.screen is screen and pilot.app.focused)
        for field in screen.query(Input):
            field.cursor_blink = False
        await pilot.press("down", "down")

    assert compare(Widget, colours, dark, size, before)
