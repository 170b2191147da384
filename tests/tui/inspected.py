"""A small application around one widget or screen of the inspector, for tests."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from scripted import token
from textual.app import App, ComposeResult
from textual.message import Message
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


class Host(App[None]):
    """The widget alone on the screen; keeps the messages that a chat screen would get."""

    AUTO_FOCUS = None

    def __init__(
        self, make: Callable[[], Widget], colours: Colours = "true", dark: bool = True
    ) -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self._make = make
        self.colours, self.dark = colours, dark
        self.messages: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self._make()

    def on_mount(self) -> None:
        family = "textual" if self.colours == "true" else "ansi"
        self.theme = f"{family}-{'dark' if self.dark else 'light'}"

    def on_inspector_inspection_wanted(self, event: Inspector.InspectionWanted) -> None:
        self.messages.append(event)

    def on_inspector_highlight_wanted(self, event: Inspector.HighlightWanted) -> None:
        self.messages.append(event)

    def on_inspector_candidate_taken(self, event: Inspector.CandidateTaken) -> None:
        self.messages.append(event)

    def on_inspector_spot_chosen(self, event: Inspector.SpotChosen) -> None:
        self.messages.append(event)

    def of(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    def rows(self) -> list[str]:
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in lines]

    def text(self) -> str:
        return "\n".join(self.rows())


class Panel(Widget):
    """An inspector where a chat screen would have it: beside the text, or under it."""

    DEFAULT_CSS = "Panel { align: right bottom; } Panel Inspector { width: 48; height: 30; }"

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.inspector = Inspector(colours, text_of, id="inspector")

    def compose(self) -> ComposeResult:
        yield self.inspector

    def on_mount(self) -> None:
        if self.app.size.width < 100:
            self.inspector.styles.width = "100%"
            self.inspector.styles.height = 10


@asynccontextmanager
async def hosted(
    size: tuple[int, int], colours: Colours = "true", dark: bool = True
) -> AsyncIterator[tuple[Any, Host, Inspector]]:
    """Pilot, application and inspector."""
    app = Host(lambda: Panel(colours), colours, dark)
    async with app.run_test(size=size) as pilot:
        yield pilot, app, app.query_one(Inspector)


def shown(app: Host, inspector: Inspector) -> str:
    """The inspector's part of the screen."""
    region = inspector.region
    rows = app.rows()[region.y : region.bottom]
    return "\n".join(row[region.x :] for row in rows)
