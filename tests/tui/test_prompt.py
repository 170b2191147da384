"""The prompt: what Enter, arrows and a paste do, and that nothing in it can harm."""

from pathlib import Path
from typing import ClassVar

import pytest
from harness import LARGE, SMALL, rows, running, scenario, told, until
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot

from entropix_tui.conversation.history import History
from entropix_tui.widgets.prompt import Prompt
from entropix_tui.widgets.text_editor import LONGEST, harmless


class Asking(App[None]):
    BINDINGS: ClassVar = [Binding("ctrl+k", "nothing", "Nothing", priority=True)]

    def __init__(self, history: History | None = None) -> None:
        super().__init__()
        self.prompt = Prompt(history)
        self.sent: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.prompt

    def on_mount(self) -> None:
        self.prompt.focus()

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        self.sent.append(event.text)
        if event.text.strip():
            self.prompt.take()


async def paste(pilot: Pilot[None], text: str) -> None:
    """As the terminal's bracketed paste arrives."""
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_enter_sends_and_other_keys_begin_lines(size: tuple[int, int]) -> None:
    app = Asking()
    async with running(app, size) as pilot:
        await pilot.press("o", "n", "ctrl+j", "e", "shift+enter", "x", "alt+enter", "enter")
        assert app.sent == ["on\ne\nx\n"]
        assert app.prompt.text == ""
        await pilot.press("enter")
        assert app.sent[1:] == [""], "the screen decides what an empty prompt sends"


@scenario
async def test_up_and_down_through_what_was_sent() -> None:
    app = Asking()
    async with running(app) as pilot:
        for text in ("one", "two\nlines", "three"):
            app.prompt.put(text)
            await pilot.press("enter")
        await pilot.press(*"draft", "up")
        assert app.prompt.text == "three"
        await pilot.press("up")
        assert app.prompt.text == "two\nlines"
        await pilot.press("up")
        assert app.prompt.text == "two\nlines", "the cursor moves to the first line"
        await pilot.press("up", "up")
        assert app.prompt.text == "one", "before the first there is none"
        await pilot.press("down", "down")
        assert app.prompt.text == "three"
        await pilot.press("down")
        assert app.prompt.text == "draft"


@scenario
async def test_what_was_sent_lasts_and_is_seen_in_the_next_session(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first = Asking(History(path))
    async with running(first) as pilot:
        await pilot.press(*"hello", "enter")
        assert first.sent == ["hello"]
    second = Asking(History(path))
    async with running(second) as pilot:
        await pilot.press("up")
        assert second.prompt.text == "hello"


@scenario
async def test_no_place_for_it_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    app = Asking(History(tmp_path / "file" / "[red]history.jsonl"))
    async with running(app) as pilot:
        await pilot.press("a", "enter", "b", "enter")
        await until(pilot, lambda: told(app))
        assert len(app._notifications) == 1
        assert "not remembered" in told(app)
        await pilot.press("up", "up")
        assert app.prompt.text == "a"


@scenario
async def test_a_rebound_enter_leaves_enter_to_the_text() -> None:
    app = Asking()
    async with running(app) as pilot:
        app.set_keymap({"prompt.send": "ctrl+s"})
        await pilot.press("a", "enter", "b")
        assert app.sent == []
        assert app.prompt.text == "a\nb"
        await pilot.press("ctrl+s")
        assert app.sent == ["a\nb"]


@scenario
async def test_the_title_says_what_the_text_is_for() -> None:
    app = Asking()
    async with running(app) as pilot:
        app.prompt.mode = "editing [red]message 2\x1b"
        await pilot.pause()
        assert "editing [red]message 2‹1B›" in "\n".join(rows(app))
        app.prompt.mode = ""
        await pilot.pause()
        assert "editing" not in "\n".join(rows(app))


HOSTILE = "a\r\nb\rc\x1b[31md\x07\x00\x9b\u202ee\ufeff\u2066f\tg\u2028h\x85i\U000e0041\ud800"


@scenario
async def test_a_paste_reaches_the_terminal_harmless() -> None:
    app = Asking()
    async with running(app) as pilot:
        await paste(pilot, HOSTILE)
        assert app.prompt.text == "a\nb\nc[31mdef\tg\nh\ni"
        drawn = "\n".join(rows(app))
        assert all(
            ord(char) >= 32 and not 0x7F <= ord(char) < 0xA0 for char in drawn if char != "\n"
        )
        assert "invisible" in told(app)
        assert app.prompt.cursor_at_end_of_text
        await pilot.press("enter")
        assert app.sent == ["a\nb\nc[31mdef\tg\nh\ni"]


@scenario
async def test_text_that_is_put_in_is_harmless_too() -> None:
    app = Asking()
    async with running(app):
        app.prompt.put(HOSTILE)
        assert app.prompt.text == "a\nb\nc[31mdef\tg\nh\ni"


def test_ordinary_text_is_left_alone() -> None:
    text = "Ünïcode 🤖 👩\u200d👩\u200d👧 שלום ‏".rstrip("\u200f") + "\n\ttab [red] {x}"
    assert harmless(text) == text


@scenario
async def test_a_paste_of_megabytes_is_cut() -> None:
    app = Asking()
    async with running(app) as pilot:
        await paste(pilot, ("word " * 20 + "\r\n") * 10_000)
        assert len(app.prompt.text) == LONGEST
        assert "Cut at" in told(app)
        await pilot.press("x")
        assert app.prompt.text.endswith("x")
        await paste(pilot, "more")
        assert app.prompt.text.endswith("x"), "no room is left"


@scenario
async def test_a_paste_replaces_what_is_selected() -> None:
    app = Asking()
    async with running(app) as pilot:
        app.prompt.put("one two three")
        app.prompt.select_all()
        await paste(pilot, "four")
        assert app.prompt.text == "four"
        assert told(app) == ""
