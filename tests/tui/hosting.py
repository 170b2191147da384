"""A program that has nothing but one screen, which a test looks at; and a tree to show in it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from scripted import STORY, prompt, token
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_tui.app import DARK, LIGHT
from entropix_tui.look import styles

SMALL, LARGE = (80, 24), (140, 45)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
LOOKS = pytest.mark.parametrize(
    ("colours", "dark"),
    [("true", True), ("true", False), ("none", True)],
    ids=["dark", "light", "nocolor"],
)
HOSTILE = (
    "[/red] \x1b[31m\u202eabc\u202c \U0001f469\u200d\U0001f469\u200d\U0001f467 \x07 漢字[bold]"
)
"""Markup, an escape sequence, a turned direction, a joined emoji, a bell, wide characters."""


class Host(App[None]):
    """Shows a screen at once; `answers` are what it was dismissed with."""

    def __init__(
        self,
        make: Callable[[], Screen[Any]],
        colours: styles.Colours = "true",
        dark: bool = True,
    ) -> None:
        super().__init__(ansi_color=None if colours == "true" else True)
        self.make = make
        self.answers: list[Any] = []
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        family = "entropix" if colours == "true" else "ansi"
        self.theme = f"{family}-{'dark' if dark else 'light'}"
        self.animation_level = "none"

    def on_mount(self) -> None:
        self.push_screen(self.make(), self.answers.append)

    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in lines]

    def text(self) -> str:
        return "\n".join(self.rows())

    def steering(self) -> set[str]:
        """Characters on the screen that could steer a terminal."""
        return {
            char
            for char in "".join(self.rows())
            if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u202c"
        }


async def settled(pilot: Pilot[None]) -> None:
    """Let workers end, and what they brought be drawn."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    for _ in range(3):
        await pilot.pause()


@asynccontextmanager
async def hosted(
    make: Callable[[], Screen[Any]], size: tuple[int, int] = SMALL, **look: Any
) -> AsyncIterator[tuple[Host, Pilot[None]]]:
    app = Host(make, **look)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield app, pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await settled(pilot)


def drawn(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[styles.Colours], Screen[Any]],
    size: tuple[int, int],
    colours: styles.Colours,
    dark: bool,
    *keys: str,
) -> bool:
    """Whether a screen looks as it did, after some keys."""
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    app = Host(lambda: make(colours), colours, dark)

    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        for field in pilot.app.screen.query("Input, TextArea"):
            field.cursor_blink = False  # type: ignore[attr-defined]
        await press(pilot, *keys)

    return bool(snap_compare(app, terminal_size=size, run_before=before))


# A conversation.

ASKED = "Which number is larger, 9.9 or 9.11?"


def id_of(text: str) -> int:
    """The same text has the same id, as far as tests go."""
    return sum((n + 1) * byte for n, byte in enumerate(text.encode())) % 49_000


def said(texts: Sequence[str], first: int, parent: int, **fields: Any) -> list[TokenRecord]:
    """Tokens that follow each other, the first of them a record."""
    return [
        token(index, text, parent=parent if index == first else index - 1, id=id_of(text), **fields)
        for index, text in enumerate(texts, first)
    ]


def asked(index: int, text: str = ASKED, parent: int = -1) -> PromptRecord:
    """A prompt whose ids follow from its words."""
    plain = prompt(index, text, parent=parent)
    ids = [id_of(record.text) for record in plain.records or ()]
    return PromptRecord(
        index=index, parent=parent, role="user", ids=ids, text=text, records=plain.records
    )


OTHER = [*STORY[:9], " smaller", *STORY[10:20], " well", *STORY[20:]]
"""The story with a word replaced and another one put in."""


def two_answers() -> tuple[Tree, int, int]:
    """One prompt, two answers, and their leaves."""
    first, second = said(STORY, 1, 0), said(OTHER, 100, 0)
    tree = Tree.of([asked(0), *first, *second])
    return tree, first[-1].index, second[-1].index


def two_prompts() -> tuple[Tree, int, int]:
    """One word of the prompt replaced, what was answered to either, and the leaves."""
    first, second = said(STORY, 1, 0), said(OTHER, 201, 200)
    changed = asked(200, ASKED.replace("larger", "smaller"))
    tree = Tree.of([asked(0), *first, changed, *second])
    return tree, first[-1].index, second[-1].index
