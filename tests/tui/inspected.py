"""A small application around one widget or screen of the inspector, for tests."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness import Host, hosted, rows
from scripted import token
from textual.app import ComposeResult
from textual.widget import Widget

from entropix_mlx.records.record import Candidate, TokenRecord
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_tui.look.styles import Colours
from entropix_tui.widgets.inspector.inspector import Inspector

SETTINGS = Settings.make("calibrated").bind(PROVISIONAL)
WORDS = ["The", " capital", " of", " France", " is", " [red]", "\x1b[2J", "\n", " 👨‍👩‍👧", " שלום"]


def text_of(index: int, nth: int) -> str:
    assert index == 0
    return WORDS[nth % len(WORDS)]


def candidates(count: int = 9) -> list[Candidate]:
    """A falling distribution; the last one is far down the list."""
    texts = [" Paris", " the", " a", " located", "\n", " [red]", "\x1b[2J", " one", " far"]
    return [
        (100 + i, text, -0.6 - 0.9 * i, math.exp(-0.1 - 1.2 * i))
        for i, text in enumerate(texts[:count])
    ]


def record(**fields: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "entropy": 4.52,
        "varentropy": 3.1,
        "quadrant": "HELV",
        "region": "HELV",
        "strategy": "clarify",
        "temperature": 1.02,
        "candidates": candidates(),
        "id": 100,
        "rank": 0,
        "logprob": -0.6,
    }
    return token(fields.pop("index", 12), fields.pop("text", " Paris"), **(values | fields))


class Panel(Widget):
    """An inspector where a chat screen would have it: beside the text, or under it."""

    DEFAULT_CSS = "Panel { align: right bottom; } Panel Inspector { width: 48; height: 30; }"

    def __init__(self) -> None:
        super().__init__()
        self.inspector = Inspector(text_of, id="inspector")

    def compose(self) -> ComposeResult:
        yield self.inspector

    def on_mount(self) -> None:
        if self.app.size.width < 100:
            self.inspector.styles.width = "100%"
            self.inspector.styles.height = 10


@asynccontextmanager
async def inspecting(
    size: tuple[int, int], colours: Colours = "true", dark: bool = True
) -> AsyncIterator[tuple[Any, Host, Inspector]]:
    """Pilot, application and inspector."""
    async with hosted(Panel, size, colours=colours, dark=dark) as (app, pilot):
        yield pilot, app, app.query_one(Inspector)


def shown(app: Host, inspector: Inspector) -> str:
    """The inspector's part of the screen."""
    region = inspector.region
    return "\n".join(row[region.x :] for row in rows(app)[region.y : region.bottom])
