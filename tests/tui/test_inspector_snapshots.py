"""What the inspector and its screens look like, small and large."""

from collections.abc import Callable
from typing import Any

import pytest
from harness import SIZES, Host, until
from inspected import SETTINGS, Panel, record
from inspections import HOSTILE, inspection
from textual.pilot import Pilot
from textual.screen import Screen

from entropix_tui.screens.candidate_picker import CandidatePicker
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.widgets.inspector.inspector import Page


@pytest.mark.slow
@pytest.mark.parametrize("page", ["token", "candidates", "attention"])
@SIZES
def test_a_page(looks: Any, page: Page, size: tuple[int, int]) -> None:
    panel = Panel()

    async def steps(pilot: Pilot[None]) -> None:
        one = record()
        panel.inspector.open_page(page)
        panel.inspector.show(one, SETTINGS, "Tell me. The capital of France is")
        panel.inspector.fill(inspection(one))
        panel.inspector.focus()
        await until(pilot, lambda: panel.inspector.has_focus_within)

    assert looks(Host(lambda: panel), size, steps)


SCREENS: dict[str, Callable[..., Screen[Any]]] = {
    "picker": CandidatePicker,
    "vocabulary": Vocabulary,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SCREENS)
@SIZES
def test_a_screen(looks: Any, kind: str, size: tuple[int, int]) -> None:
    one = record()
    whole = inspection(one, vocabulary=49_152, texts=HOSTILE)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")

    assert looks(Host(lambda: SCREENS[kind](one, whole)), size, steps)
