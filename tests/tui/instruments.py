"""For tests of single instruments: records with chosen figures, and an application around one."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widget import Widget

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_tui.look.styles import Colours

SMALL, LARGE = (80, 24), (140, 45)
THEMES = (
    Theme(name="host-dark", primary="#73ADF2", background="#121212", foreground="#D6D6D6"),
    Theme(
        name="host-light",
        primary="#364491",
        background="#FFFFFF",
        foreground="#1A1A1A",
        surface="#FFFFFF",
        dark=False,
    ),
)
LOOKS: tuple[tuple[Colours, bool], ...] = (
    ("true", True), ("true", False), ("sixteen", True), ("none", True),
)  # fmt: skip
LOOK_NAMES = ("dark", "light", "sixteen", "nocolor")

SETTINGS = Settings.make(
    "calibrated",
    {
        "lelv_entropy": "1.5",
        "lelv_varentropy": "3",
        "helv_entropy": "4",
        "helv_varentropy": "6",
        "lehv_entropy": "2",
        "lehv_varentropy": "8",
        "hehv_entropy": "5",
        "hehv_varentropy": "10",
    },
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def token(index: int, entropy: float | None = 1.0, **fields: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "parent": index - 1,
        "id": 7,
        "text": " word",
        "bytes": b" word".hex(),
        "logprob": -0.5,
        "rank": 0,
        "varentropy": 2.0,
        "attn_entropy": 2.5,
        "attn_varentropy": 0.75,
        "agreement": 0.625,
        "interaction_strength": 4.25,
        "quadrant": "LELV",
        "region": "MID",
        "strategy": "adaptive",
        "ms": 20.0,
    }
    return TokenRecord(index=index, entropy=entropy, **(values | fields))


def prompt(index: int, *entropies: float | None, scored: bool = True) -> PromptRecord:
    records = [token(i, entropy) for i, entropy in enumerate(entropies)]
    return PromptRecord(
        index=index,
        parent=index - 1,
        role="user",
        ids=[1] * len(entropies),
        text="hello",
        records=records if scored else None,
    )


def story(count: int, first: int = 0) -> list[TokenRecord]:
    """Tokens of all kinds, the same ones at every call."""
    rng = np.random.default_rng(5)
    entropies, varentropies = rng.exponential(2.0, count), rng.exponential(5.0, count)
    return [
        token(
            first + i,
            round(float(h), 3),
            varentropy=round(float(v), 3),
            logprob=-float(h) / 2,
            region=("MID", "LELV", "HELV", "LEHV", "HEHV")[i % 5 if i % 2 else 0],
        )
        for i, (h, v) in enumerate(zip(entropies, varentropies, strict=True))
    ]


def long_story(count: int) -> list[TokenRecord]:
    """The same thousand again and again."""
    few = story(1000)
    return [msgspec.structs.replace(few[i % 1000], index=i, parent=i - 1) for i in range(count)]


class Host(App[None]):
    """One widget, filling the screen if it has no size of its own; keeps the messages it posts."""

    AUTO_FOCUS = None

    def __init__(
        self, widget: Widget, colours: Colours = "true", dark: bool = True, css: str = ""
    ) -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self.widget = widget
        self.posted: list[Message] = []
        self._theme_name = (
            f"{'host' if colours == 'true' else 'ansi'}-{'dark' if dark else 'light'}"
        )
        if css:
            self.stylesheet.add_source(css)
        for theme in THEMES:
            self.register_theme(theme)

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.theme = self._theme_name

    def keep(self, message: Message) -> None:
        """Keep a message; a hook is told of it at every stop on its way up."""
        if not any(message is kept for kept in self.posted):
            self.posted.append(message)

    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in lines]


def drive(
    widget: Widget,
    steps: Callable[[Host, Pilot[None]], Any],
    size: tuple[int, int] = SMALL,
    **options: Any,
) -> None:
    """Run an application around a widget, and a test's coroutine against it."""

    async def run() -> None:
        host = Host(widget, **options)
        async with host.run_test(size=size, message_hook=host.keep) as pilot:
            await pilot.pause()
            await steps(host, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the application work until the condition holds; fail if it never does."""
    for _ in range(2000):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.005)
    raise AssertionError("the awaited condition never held")
