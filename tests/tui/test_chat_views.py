"""What the chat screen shows and how it is looked at: one cursor, panels, pages, other screens."""

from pathlib import Path

import pytest
from driving import Chat, chatting
from harness import LARGE, SMALL, scenario
from rich.cells import cell_len
from scripted import STORY, Gate, ScriptedSession, Step, inspection, token
from textual.widgets import Input

from entropix_mlx.records.record import TokenRecord
from entropix_tui.conversation.history import History
from entropix_tui.keys.config import Config
from entropix_tui.screens.jump import Jump
from entropix_tui.screens.save_as import SaveAs
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.tokens.token_ref import TokenRef

pytestmark = pytest.mark.filterwarnings("error")

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
MIDDLE = (100, 30)


async def one_cursor(chat: Chat) -> TokenRef | None:
    """The token that every instrument comes to point at."""
    view = chat.screen.view

    def is_shared() -> bool:
        refs = {view.ref, view.tokens.ref, view.strips.cursor, view.side.plane.cursor}
        return len(refs) == 1 and (view.inspector.record is None) is (view.ref is None)

    await chat.until(is_shared)
    return view.ref


@pytest.mark.slow
@SIZES
@scenario
async def test_there_is_one_cursor(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        assert await one_cursor(chat) is None
        await chat.pilot.press("ctrl+left")
        assert await one_cursor(chat) == TokenRef(len(STORY))
        chat.screen.view.strips.focus()
        await chat.pilot.press("left")
        await chat.until(lambda: chat.screen.view.ref == TokenRef(len(STORY) - 1))
        assert await one_cursor(chat) == TokenRef(len(STORY) - 1)
        await chat.pilot.click(chat.screen.view.strips, offset=(40, 0))
        await chat.until(lambda: chat.screen.view.ref != TokenRef(len(STORY) - 1))
        assert await one_cursor(chat) is not None
        chat.screen.view.tokens.focus()
        await chat.pilot.press("home")
        for _ in range(70):
            await chat.pilot.press("left")
        assert await one_cursor(chat) == TokenRef(0, 3), "the prompt's tokens, too"
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.screen.view.ref is None)
        assert await one_cursor(chat) is None
        assert chat.screen.focused is chat.screen.composer.prompt


@pytest.mark.slow
@scenario
async def test_the_panel_stands_beside_a_wide_text_and_under_a_narrow_one() -> None:
    async with chatting(size=LARGE) as chat:
        side = chat.screen.view.side
        await chat.ask()
        assert side.display
        assert side.region.width == 48
        assert chat.screen.view.side.summary.display
        await chat.pilot.press("ctrl+left")
        await chat.until(lambda: chat.screen.view.inspector.display)
        assert chat.screen.view.side.plane.display, "there is room for both"
        await chat.pilot.resize_terminal(*SMALL)
        await chat.until(lambda: side.region.width == 80)
        assert side.region.height == 10
        assert chat.screen.view.inspector.display
        await chat.pilot.press("escape")
        await chat.until(lambda: not side.display)
        chat.screen.view.tokens.focus()
        await chat.pilot.press("p")
        await chat.until(lambda: side.display)
        assert chat.screen.view.side.plane.display
        assert chat.screen.view.side.summary.display
        await chat.pilot.press("p")
        await chat.until(lambda: not side.display)
        await chat.pilot.resize_terminal(*LARGE)
        await chat.until(lambda: chat.screen.has_class("-wide"))
        assert not side.display, "it stays away until it is asked for"
        await chat.pilot.press("p")
        await chat.until(lambda: side.display)


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "100x30", "140x45"])
@scenario
async def test_the_sampler_opens_and_closes(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.phase("ready")
        await chat.pilot.press("ctrl+s")
        assert chat.screen.focused is chat.screen.view.side.sampler
        await chat.until(lambda: "temperature" in chat.text())
        await chat.pilot.press("escape")
        assert not chat.screen.view.side.sampler.display
        assert chat.screen.focused is chat.screen.composer.prompt
        await chat.pilot.press("ctrl+s", "ctrl+s")
        assert not chat.screen.view.side.sampler.display


@pytest.mark.slow
@SIZES
@scenario
async def test_the_whole_vocabulary_of_a_token(size: tuple[int, int]) -> None:
    session = ScriptedSession()
    async with chatting(session, size=size) as chat:
        await chat.ask()
        chat.screen.view.tokens.focus()
        await chat.pilot.press("x")
        assert "Put the cursor on a token first" in chat.told()
        await chat.pilot.press("left", "left", "x")
        await chat.until(lambda: isinstance(chat.app.screen, Vocabulary))
        assert "out of 1,000 tokens" in chat.text()
        await chat.pilot.press("down", "enter")
        await chat.until(lambda: session.calls[-1][0] == "continue_")
        await chat.phase("ready")
        record = session.tree[len(STORY) - 1]
        assert isinstance(record, TokenRecord)
        assert record.rank is not None
        following = inspection(record, []).head[record.rank + 1]
        assert session.calls[-1][1]["force"] == [following[0]]


@pytest.mark.slow
@SIZES
@scenario
async def test_where_the_model_looked(size: tuple[int, int]) -> None:
    session = ScriptedSession()
    async with chatting(session, size=size) as chat:
        await chat.ask()
        chat.screen.view.tokens.focus()
        await chat.pilot.press("left", "left", "a")
        await chat.until(lambda: chat.screen.view.inspector.inspection)
        await chat.until(lambda: "attended to:" in chat.text())
        assert [call for call in session.calls if call[0] == "inspect"] == [
            ("inspect", {"index": len(STORY) - 1})
        ]
        await chat.pilot.press("escape")
        await chat.until(lambda: "attended to:" not in chat.text())


@pytest.mark.slow
@scenario
async def test_an_inspection_that_fails_is_told() -> None:
    class Blind(ScriptedSession):
        def inspect(self, index: int):  # type: ignore[no-untyped-def, override]  # noqa: ARG002
            raise MemoryError

    async with chatting(Blind(), size=LARGE) as chat:
        await chat.ask()
        chat.screen.view.tokens.focus()
        await chat.pilot.press("left", "a")
        await chat.until(lambda: "out of memory" in chat.told())
        assert chat.screen.conversation.phase == "ready"


@pytest.mark.slow
@SIZES
@scenario
async def test_markdown_and_back(size: tuple[int, int]) -> None:
    session = ScriptedSession(answers=[["# A", " title", "\n\n", "* one\n", "* two [red]"]])
    async with chatting(session, size=size) as chat:
        await chat.ask()
        chat.screen.view.tokens.focus()
        await chat.pilot.press("m")
        await chat.until(lambda: chat.screen.view.stage.markdown.display)
        await chat.until(lambda: "• two [red]" in chat.text())
        assert not chat.screen.view.tokens.display
        await chat.pilot.press("m")
        await chat.until(lambda: chat.screen.view.tokens.display)
        await chat.pilot.press("m")
        await chat.until(lambda: chat.screen.view.stage.markdown.display)
        chat.screen.composer.prompt.focus()
        await chat.pilot.press(*"more", "enter")
        await chat.until(lambda: chat.screen.view.tokens.display)


@pytest.mark.slow
@SIZES
@scenario
async def test_searching(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask("Which is larger?")
        await chat.pilot.press("ctrl+f", *"LARGER")
        await chat.until(lambda: "/3" in chat.text())
        await chat.pilot.press("escape")
        assert not chat.screen.view.stage.search.display
        assert chat.screen.focused is chat.screen.view.tokens


@pytest.mark.slow
@SIZES
@scenario
async def test_jumping(size: tuple[int, int]) -> None:
    async with chatting(size=size) as chat:
        await chat.ask()
        await chat.pilot.press("f6")
        await chat.until(lambda: isinstance(chat.app.screen, Jump))
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)


@pytest.mark.slow
@scenario
async def test_tab_goes_to_the_text_first_and_the_focus_shows_everywhere() -> None:
    async with chatting(size=LARGE) as chat:
        await chat.ask()
        await chat.pilot.press("tab")
        assert chat.screen.focused is chat.screen.view.tokens
        seen = []
        for _ in range(len(chat.screen.focus_chain)):
            await chat.pilot.press("tab")
            seen.append(chat.screen.focused)
        assert chat.screen.view.strips in seen
        assert chat.screen.composer.prompt in seen


@pytest.mark.slow
@scenario
async def test_colours_letters_and_breaks() -> None:
    async with chatting(size=LARGE) as chat:
        await chat.ask()
        for measure in ("entropy (bits)", "varentropy (bits²)", "surprisal (bits)", "rank"):
            await chat.pilot.press("ctrl+l")
            await chat.until(lambda m=measure: m in chat.rows()[-5])  # type: ignore[misc]
        await chat.pilot.press("ctrl+g")
        assert chat.screen.view.legend.letters


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".md", ".txt", ".svg", ".html", ".csv", ".json"])
@scenario
async def test_exporting(suffix: str, tmp_path: Path) -> None:
    async with chatting() as chat:
        await chat.ask("Which [red]?")
        chat.screen.action_export(suffix)
        await chat.until(lambda: isinstance(chat.app.screen, SaveAs))
        target = tmp_path / f"out{suffix}"
        chat.app.screen.query_one(Input).value = str(target)
        await chat.pilot.press("enter")
        await chat.until(target.exists)
        written = target.read_text(encoding="utf-8")
        assert "larger" in written
        assert suffix != ".html" or written.startswith("<!doctype html>")


@scenario
async def test_the_users_keys_and_what_is_wrong_with_them() -> None:
    config = Config(keys={"chat.regenerate": "f10", "chat.nonsense": "f8"})
    session = ScriptedSession(answers=[["one"], ["two"]])
    async with chatting(session, config=config) as chat:
        await chat.ask()
        assert "chat.nonsense" in chat.told()
        await chat.pilot.press("f10")
        await chat.until(lambda: len(session.calls) == 2)
        await chat.phase("ready")
        assert session.calls[-1][0] == "continue_"


@scenario
async def test_what_was_sent_is_remembered(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    async with chatting(history=history) as chat:
        await chat.ask("remember me")
    assert History(tmp_path / "history.jsonl").texts == ["remember me"]


@pytest.mark.slow
@scenario
async def test_every_width_while_streaming_with_panels_open() -> None:
    gate = Gate(0)
    steps: list[Step] = [token(i, f" word{i}") for i in range(1, 400)]
    async with chatting(ScriptedSession(answers=[steps], gate=gate), size=LARGE) as chat:
        await chat.phase("ready")
        await chat.pilot.press(*"hello", "enter")
        gate.allow(40)
        await chat.until(lambda: chat.screen.conversation.used > 40)
        await chat.pilot.press("ctrl+left")
        for width, height in ((60, 20), (99, 31), (100, 32), (140, 45), (20, 10), (80, 24)):
            gate.allow(40)
            await chat.pilot.resize_terminal(width, height)
            await chat.until(lambda w=width: chat.screen.size.width == w)  # type: ignore[misc]
            await chat.pilot.press("ctrl+s")
            assert all(cell_len(row) <= width for row in chat.rows())
        gate.open()
        await chat.phase("ready")
