"""Makes this folder's helpers importable, and every screen the same wherever it is drawn."""

import functools
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual.app import App
from textual.css import stylesheet
from textual.css.model import RuleSet
from textual.css.parse import parse
from textual.css.tokenize import Token, tokenize_values
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parent))

from harness import SMALL, at_rest, settled


class Variables(dict[str, list[Token]]):
    """A theme's variables, each as its tokens; the same ones are one and the same."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


@functools.cache
def _variables(given: tuple[tuple[str, str], ...]) -> Variables:
    return Variables(tokenize_values(dict(given)))


@functools.cache
def _rules(*given: Any, **named: Any) -> list[RuleSet]:
    """Styles are parsed once for all applications, each of which would parse all of them again
    with each widget of a new kind.
    """
    return list(parse(*given, **named))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLORFGBG", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    for module in (textual.app, textual.pilot):  # after every key, click and pause of Pilot's
        monkeypatch.setattr(module, "wait_for_idle", at_rest)
    monkeypatch.setattr(
        stylesheet, "tokenize_values", lambda given: _variables(tuple(given.items()))
    )
    monkeypatch.setattr(stylesheet, "parse", _rules)
    monkeypatch.setattr(Pilot, "_wait_for_screen", at_rest)


@pytest.fixture
def looks(snap_compare: Callable[..., bool]) -> Callable[..., bool]:
    """`looks(app, size=SMALL, steps=None)`: whether it is drawn as it was, after some steps.

    Every look of the terminal is drawn once (test_snapshots), everything else in one; what a style
    is in each of them is in test_styles.
    """

    def looks(
        app: App[Any],
        size: tuple[int, int] = SMALL,
        steps: Callable[[Pilot[Any]], Awaitable[None]] | None = None,
    ) -> bool:
        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            if steps is not None:
                await steps(pilot)
            for field in app.screen.query("Input, TextArea"):
                field.cursor_blink = False  # type: ignore[attr-defined]
            await settled(pilot)

        return snap_compare(app, terminal_size=size, run_before=before)

    return looks
