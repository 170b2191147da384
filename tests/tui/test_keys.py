"""The footer: which keys, in which order, how many, and what a click on them does."""

from typing import ClassVar

import pytest
from conversations import two_answers
from harness import LARGE, SMALL, hosted, rows, running, scenario
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import Input

from entropix_tui.conversation.comparison import Side
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.widgets.keys import MOST, KeyBar

MOVE = Binding.Group("token", compact=True)


class Words(Widget, can_focus=True):
    BINDINGS: ClassVar = [
        Binding("left", "move(-1)", "Token before", id="words.left", group=MOVE),
        Binding("right", "move(1)", "Token after", id="words.right", group=MOVE),
        Binding("v", "valley", "Valley", id="words.valley"),
        Binding("V", "hidden", "Hidden", id="words.hidden", show=False),
        Binding("x", "broken", "Never now", id="words.never"),
    ]

    def render(self) -> str:
        return "words"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "broken"

    def action_move(self, step: int) -> None:
        self.app.did.append(f"move {step}")  # type: ignore[attr-defined]

    def action_valley(self) -> None:
        self.app.did.append("valley")  # type: ignore[attr-defined]


class Keyed(App[None]):
    ENABLE_COMMAND_PALETTE = False
    CSS = "Words { height: 1; } Input { height: 3; }"
    BINDINGS: ClassVar = [
        Binding("enter", "note('send')", "Send", id="host.send"),
        Binding("ctrl+r", "note('again')", "Again", id="host.again", priority=True),
        Binding("ctrl+b", "note('branches')", "Branches", id="host.branches"),
        *(Binding(f"f{n}", f"note('f{n}')", f"Thing {n}", id=f"host.f{n}") for n in range(2, 9)),
        Binding("f1,question_mark", "note('help')", "Help", id="host.help"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.did: list[str] = []
        self.words, self.bar = Words(), KeyBar()

    def compose(self) -> ComposeResult:
        yield Input()
        yield self.words
        yield self.bar

    def action_note(self, what: str) -> None:
        self.did.append(what)

    def row(self) -> str:
        return rows(self)[-1]


@scenario
async def test_the_focused_part_comes_first_and_help_is_always_there() -> None:
    app = Keyed()
    async with running(app, SMALL) as pilot:
        app.words.focus()
        await pilot.pause()
        row = app.row()
        assert row.startswith(" ←→ token  v valley  ⏎ send  ^R again  ^B branches ")
        assert row.endswith("F1 help")
        assert "idden" not in row
        assert "ever now" not in row


@scenario
async def test_the_way_out_keeps_its_place() -> None:
    tree, one, other = two_answers()
    async with hosted(lambda: Compare(tree, Side(one), Side(other)), (60, 24)) as (app, _):
        row = rows(app)[-1]
        assert "keep" not in row, "there is no room for it"
        assert row.endswith("Esc close  F1 help")


@scenario
async def test_the_order_does_not_change_with_the_keys() -> None:
    app = Keyed()
    async with running(app, LARGE) as pilot:
        app.words.focus()
        await pilot.pause()
        before = [button.does for button in app.bar.shown]
        app.set_keymap({"words.left": "z", "host.send": "f12", "host.again": "ctrl+e"})
        await pilot.pause()
        assert [button.does for button in app.bar.shown] == before
        assert app.row().startswith(" z/→ token  v valley  F12 send  ^E again ")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 140, 200])
@scenario
async def test_it_never_wraps_and_never_has_more_than_eight(width: int) -> None:
    app = Keyed()
    async with running(app, (width, 24)) as pilot:
        app.words.focus()
        await pilot.pause()
        assert app.bar.size.height == 1
        assert sum(button.cells for button in app.bar.shown) <= width
        assert cell_len(app.row()) <= width
        assert "…" not in app.row(), "a key is there whole or not at all"
        assert app.row().endswith("F1 help")
        shown = len(app.bar.shown)
        assert shown == MOST if width >= 140 else shown < MOST


@scenario
async def test_each_is_a_button() -> None:
    app = Keyed()
    async with running(app, LARGE) as pilot:
        app.words.focus()
        await pilot.pause()
        row = app.row()
        for word in ("←", "→", "valley", "send", "^R", "help"):
            await pilot.click(app.bar, offset=(row.index(word), 0))
        assert app.did == ["move -1", "move 1", "valley", "send", "again", "help"]
        await pilot.click(app.bar, offset=(139, 0))
        assert len(app.did) == 6, "beside the last there is nothing"


@scenario
async def test_keys_that_are_typed_are_not_offered() -> None:
    app = Keyed()
    async with running(app, LARGE) as pilot:
        app.query_one(Input).focus()
        await pilot.pause()
        assert "valley" not in app.row()
        assert "F1 help" in app.row()
        assert "?" not in app.row()
