"""The chat screen under Pilot, on a scripted engine."""

import msgspec
import pytest
from driving import chatting
from harness import LARGE, SMALL, scenario
from rich.cells import cell_len
from scripted import HEADER, STORY, Gate, ScriptedFactory, ScriptedSession, Step, scored, token
from textual.dom import NoScreen

from entropix_mlx.records.quadrants import KINDS
from entropix_mlx.records.record import Event
from entropix_mlx.sampling.calibration import GUIDE
from entropix_models.errors import EntropixError, ModelNotFoundError
from entropix_tui.conversation.demos import DEMOS
from entropix_tui.engine.protocol import Calibrate
from entropix_tui.transcript.blocks import Block
from entropix_tui.transcript.transcript import Place
from entropix_tui.widgets.welcome import Welcome

pytestmark = pytest.mark.filterwarnings("error")

HOSTILE: list[Step] = [
    token(1, "[/"),
    token(2, " [red]"),
    token(3, " arr[i]"),
    token(4, "[/red][link=https://x]"),
    token(5, "\x1b[2J\x1b]0;title\x07"),
    token(6, "\u202eevil\u202c"),
    token(7, "\r\x08\x00"),
    token(8, " 👨‍👩"),
    token(9, "‍👧‍👦"),
    token(10, " שלום"),
    token(11, "x" * 2000),
    token(12, "", b"\xe4\xb8"),
    token(13, "中", b"\xad"),
    token(14, "", b"\xff"),
    token(15, "\ufffd\tend", b"\tend"),
    token(16, "", b"<|im_end|>"),
]


def drawn_in(block: Block) -> str:
    """What is drawn of a block, its lines joined."""
    lines = [line for section in block.sections for line in section.layout.lines]
    return "".join(run.shown for line in lines for run in line.runs)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_a_turn(size: tuple[int, int]) -> None:
    steps: list[Step] = [token(i, text) for i, text in enumerate(STORY, 1)]
    steps.insert(30, Event(kind="valley", index=30, at=12))
    session = ScriptedSession(answers=[steps])
    async with chatting(session, size=size) as chat:
        await chat.phase("ready")
        assert chat.screen.query_one(Welcome).display
        assert f"F2 {DEMOS['numbers']}" in chat.text()
        await chat.ask("Which number is larger?")
        text = chat.text()
        assert "▌ Which number is larger?" in text
        assert "The number 9.9 is larger than 9.1▾1." in text
        assert f"{len(STORY)} tokens · 12.5 tok/s" in text
        assert "1 valley" in text
        assert "smollm2-135m · calibrated" in text
        assert f"{len(scored('Which number is larger?')) + len(STORY)}/2048 tokens" in text
        assert all(word in text for word in ("sure", "open", "favoured", "scattered"))
        assert not chat.screen.query_one(Welcome).display
        rows = chat.rows()
        assert len(rows) == size[1]
        assert max(map(cell_len, rows)) <= size[0]
        assert rows[-1].endswith("F1 help")
    assert session.heard == ["Which number is larger?"]


@pytest.mark.slow
@scenario
async def test_before_anything_was_said_no_instrument_is_shown_but_one_that_is_asked_for() -> None:
    async with chatting(ScriptedSession(answers=[["one"]]), size=LARGE) as chat:
        await chat.phase("ready")
        view = chat.screen.view
        parts = (view.strips, view.legend, view.side.plane, view.side.summary)
        assert not any(part.is_on_screen for part in parts)
        await chat.press("ctrl+s")
        assert view.side.sampler.is_on_screen
        await chat.press("escape")
        await chat.ask("first")
        assert all(part.is_on_screen for part in parts)


@scenario
async def test_a_long_line_is_no_longer_than_can_be_read() -> None:
    async with chatting(ScriptedSession(answers=[["one"]]), size=(200, 55)) as chat:
        await chat.phase("ready")
        await chat.ask("first")
        view = chat.screen.view
        assert view.tokens.size.width == 98
        assert view.side.size.width == 102 - 1  # beside its padding


@pytest.mark.slow
@scenario
async def test_provisional_colours_say_so() -> None:
    for header, said in (
        (HEADER, False),
        (msgspec.structs.replace(HEADER, calibration=None), True),
        (msgspec.structs.replace(HEADER, calibration=None, quadrant_split=GUIDE), False),
        (msgspec.structs.replace(HEADER, calibration=None, quadrant_split=None), False),
    ):
        async with chatting(ScriptedSession(header=header)) as chat:
            await chat.phase("ready")
            assert ("thresholds provisional" in chat.rows()[0]) is said
            assert ("entropix-mlx calibrate --model smollm2-135m measures" in chat.text()) is said
            listed = [command.title for command in chat.app.get_system_commands(chat.screen)]
            assert ("Calibrate" in listed) is said
            await chat.pilot.press("f9")
            assert ("in about ten minutes" in chat.told()) is said


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_where_it_takes_seconds_a_key_calibrates(size: tuple[int, int]) -> None:
    without = msgspec.structs.replace(HEADER, device="cuda", calibration=None)
    gpu = msgspec.structs.replace(HEADER, device="cuda")
    factory = ScriptedFactory([ScriptedSession(header=without), ScriptedSession(header=gpu)])
    async with chatting(factory=factory, size=size) as chat:
        await chat.phase("ready")
        assert "F9 measures smollm2-135m's own, in about a minute" in chat.text()
        await chat.pilot.press("f9")
        await chat.until(lambda: factory.wishes[-1:] == [Calibrate()])
        await chat.phase("ready")
        await chat.until(lambda: "F9 measures" not in chat.text())
        assert "provisional" not in chat.text()
        await chat.pilot.press("f9")
        assert factory.made == 2, "there is nothing to make better"


@scenario
async def test_it_need_not_be_calibrated_and_may_fail_to_be() -> None:
    without = msgspec.structs.replace(HEADER, device="cuda", calibration=None)
    factory = ScriptedFactory([ScriptedSession(header=without)])
    factory.refused[1] = EntropixError("Stopped: smollm2-135m has no thresholds of its own yet.")
    async with chatting(factory=factory) as chat:
        await chat.ask()
        await chat.pilot.press("f9")
        await chat.until(lambda: "no thresholds of its own yet" in chat.told())
        await chat.phase("ready")
        assert "thresholds provisional" in chat.rows()[0]
        assert not chat.screen.conversation.is_empty


@scenario
async def test_several_turns_and_the_history_of_the_prompt() -> None:
    async with chatting(ScriptedSession(answers=[["one"], ["two"]])) as chat:
        await chat.ask("first")
        await chat.ask("second")
        kinds = [block.kind for block in chat.screen.conversation.transcript.blocks]
        assert kinds == ["user", "answer", "note"] * 2
        chat.screen.composer.prompt.put("draft")
        seen = []
        for key in ("up", "up", "up", "down", "down"):
            await chat.pilot.press(key)
            seen.append(chat.screen.composer.prompt.text)
        assert seen == ["second", "first", "first", "second", "draft"]


@scenario
async def test_a_prompt_of_several_lines() -> None:
    session = ScriptedSession(answers=[["ok"]])
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.pilot.press("a", "ctrl+j", "b", "shift+enter", "c", "up", "x", "enter")
        await chat.until(lambda: session.heard)
    assert session.heard == ["a\nbx\nc"]


@pytest.mark.slow
@scenario
async def test_blank_prompts_are_not_sent() -> None:
    session = ScriptedSession()
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.pilot.press("enter", "space", "enter")
        assert chat.screen.conversation.is_empty
    assert session.heard == []


@pytest.mark.slow
@scenario
async def test_stopping() -> None:
    gate = Gate(5)
    async with chatting(ScriptedSession(gate=gate)) as chat:
        await chat.phase("ready")
        await chat.pilot.press("h", "i", "enter")
        await chat.until(lambda: len(chat.screen.view.tokens.transcript.blocks) > 1)
        answer = chat.screen.conversation.transcript.answer
        assert answer is not None
        await chat.until(lambda: len(answer.records) == 5)
        assert "generating" in chat.text()
        await chat.pilot.press("escape")
        await chat.phase("ready")
        assert "5 tokens · 12.5 tok/s" in chat.text()
        assert "stopped" in chat.text()
        gate.open()
        await chat.ask("again")
        assert f"{len(STORY)} tokens" in chat.text()


@scenario
async def test_typing_while_the_model_loads() -> None:
    gate = Gate(2)
    session = ScriptedSession(answers=[["ok"]])
    factory = ScriptedFactory([session], gate=gate)
    async with chatting(factory=factory) as chat:
        await chat.until(lambda: "downloading smollm2-135m 20 %" in chat.text())
        await chat.pilot.press(*"Which?")
        assert "write on, Enter sends when it is ready" in chat.text()
        await chat.pilot.press("enter")
        assert chat.screen.composer.prompt.text == "Which?", "kept until it can be sent"
        assert "sent as it stands when the model is ready" in chat.text()
        gate.open()
        await chat.until(lambda: session.heard)
    assert session.heard == ["Which?"]


@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_what_colours_say_comes_with_the_model(size: tuple[int, int]) -> None:
    gate = Gate(2)
    async with chatting(factory=ScriptedFactory([ScriptedSession()], gate=gate), size=size) as chat:

        def place() -> int:
            return next(n for n, row in enumerate(chat.rows()) if "F2 " in row)

        def words() -> list[str]:
            named = {name for kind in KINDS.values() for name in (kind.word, kind.older)}
            return [row.split()[0] for row in chat.rows() if {*row.split()[:1]} & named]

        await chat.until(lambda: "downloading smollm2-135m 20 %" in chat.text())
        assert "comes with the model" in chat.text()
        assert words() == [], "no split is known"
        before = place()
        gate.open()
        await chat.phase("ready")
        assert words() == ["sure", "open", "favoured", "scattered"]
        assert place() == before, "room was kept"


@pytest.mark.slow
@scenario
async def test_what_was_changed_after_enter_is_not_sent() -> None:
    gate = Gate(2)
    session = ScriptedSession(answers=[["ok"]])
    factory = ScriptedFactory([session], gate=gate)
    async with chatting(factory=factory) as chat:
        await chat.until(lambda: "downloading smollm2-135m 20 %" in chat.text())
        await chat.pilot.press(*"Which", "enter", "!")
        gate.open()
        await chat.phase("ready")
        assert session.heard == [], "nothing is sent that was not asked for"
        await chat.pilot.press("enter")
        await chat.until(lambda: session.heard)
    assert session.heard == ["Which!"]


@scenario
async def test_typing_while_it_generates() -> None:
    gate = Gate(3)
    session = ScriptedSession(gate=gate)
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.pilot.press("a", "enter")
        await chat.phase("generating")
        await chat.pilot.press("b", "enter")
        assert chat.screen.composer.prompt.text == "b"
        assert "Esc stops" in chat.text()
        gate.open()
        await chat.phase("ready")
        await chat.pilot.press("enter")
        await chat.until(lambda: len(session.heard) == 2)
    assert session.heard == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
@scenario
async def test_hostile_tokens_reach_the_terminal_escaped(size: tuple[int, int]) -> None:
    async with chatting(ScriptedSession(answers=[HOSTILE]), size=size) as chat:
        await chat.ask("[/] [bold]?")
        await chat.pilot.press("end")
        blocks = chat.screen.conversation.transcript.blocks
        drawn = drawn_in(blocks[1])
        assert "[/ [red] arr[i][/red][link=https://x]" in drawn
        assert "‹1B›[2J‹1B›]0;title‹07›" in drawn
        assert "‹U+202E›evil‹U+202C›‹0D›‹08›‹00›" in drawn
        assert "👨‍👩‍👧‍👦" in drawn
        assert "x" * 2000 in drawn
        assert "中‹FF›" in drawn
        assert "<|im_end|>" in drawn
        chat.screen.view.tokens.scroll_home(animate=False)
        await chat.pilot.pause()
        text = chat.text()
        assert "▌ [/] [bold]?" in text
        assert "[/ [red]" in text
        assert not any(ord(char) < 32 for row in chat.rows() for char in row)
        for _ in HOSTILE:  # the inspector, too, shows what no markup parser has seen
            await chat.pilot.press("ctrl+left")
            assert not any(ord(char) < 32 for row in chat.rows() for char in row)
        assert all(cell_len(row) <= size[0] for row in chat.rows())


@scenario
async def test_an_error_in_mid_answer_leaves_the_conversation_whole() -> None:
    session = ScriptedSession(answers=[["Half", " an", RuntimeError("[red]no luck")], ["ok"]])
    async with chatting(session) as chat:
        await chat.ask("first")
        text = chat.text()
        assert "  Half an" in text
        assert "✗ the engine failed: RuntimeError: [red]no luck" in text
        assert "ready" in chat.rows()[0]
        await chat.ask("second")
        assert "  Half an" in chat.text()
        assert "  ok" in chat.text()
    assert session.heard == ["first", "second"]


@scenario
async def test_a_model_that_does_not_load_can_be_tried_again() -> None:
    error = ModelNotFoundError("no model is named 'x'; see entropix-mlx models list")
    session = ScriptedSession(answers=[["ok"]])
    async with chatting(error, session) as chat:
        await chat.phase("failed")
        assert "✗ no model is named 'x'" in chat.text()
        assert "no model" in chat.rows()[0]
        await chat.pilot.press("a", "enter")
        await chat.until(lambda: session.heard)
        await chat.phase("ready")
        assert "  ok" in chat.text()


@scenario
async def test_following_and_reading_back() -> None:
    gate = Gate(400)
    session = ScriptedSession(answers=[[f" word{i}" for i in range(800)]], gate=gate)
    async with chatting(session) as chat:
        await chat.phase("ready")
        await chat.pilot.press("a", "enter")
        tokens = chat.screen.view.tokens
        await chat.until(lambda: chat.screen.conversation.used == len(scored("a")) + 400)
        assert tokens.scroll_y == tokens.max_scroll_y
        assert "word399" in chat.text()
        await chat.pilot.press("pageup", "pageup")
        place = tokens.transcript.place_of_row(tokens.scroll_offset.y)
        gate.open()
        await chat.phase("ready")
        assert tokens.transcript.place_of_row(tokens.scroll_offset.y) == place, "it stays"
        await chat.pilot.resize_terminal(60, 30)
        await chat.until(lambda: tokens.size.width == 60)
        row = tokens.transcript.row_of_place(place or Place(0, 0))
        assert tokens.scroll_offset.y == row, "after a resize, too"
        tokens.focus()
        await chat.pilot.press("end")
        await chat.until(lambda: tokens.scroll_y == tokens.max_scroll_y)
        assert tokens.follow


@pytest.mark.slow
@scenario
async def test_resizing_while_streaming() -> None:
    gate = Gate(0)
    words = [f" word{i}" for i in range(300)]
    async with chatting(ScriptedSession(answers=[words], gate=gate)) as chat:
        await chat.phase("ready")
        await chat.pilot.press("a", "enter")
        for width, height in ((60, 20), (140, 45), (20, 10), (10, 5), (80, 24)):
            gate.allow(60)
            await chat.pilot.resize_terminal(width, height)
            await chat.pilot.pause()
        await chat.phase("ready")
        await chat.until(lambda: "word299" in chat.text())
        answer = chat.screen.conversation.transcript.blocks[1]
        assert answer.text == "".join(words)


@pytest.mark.slow
@scenario
async def test_a_new_chat_begins_empty() -> None:
    old, new = ScriptedSession(gate=Gate(4)), ScriptedSession(answers=[["fresh"]])
    async with chatting(old, new) as chat:
        await chat.phase("ready")
        await chat.pilot.press("a", "enter")
        await chat.phase("generating")
        await chat.pilot.press("ctrl+n")
        await chat.phase("ready")
        await chat.until(lambda: chat.screen.query_one(Welcome).display)
        assert chat.screen.conversation.used == 0
        await chat.ask("b")
        assert "  fresh" in chat.text()
        assert [b.kind for b in chat.screen.conversation.transcript.blocks] == [
            "user",
            "answer",
            "note",
        ]
        assert old.closed


@pytest.mark.slow
@scenario
async def test_copying_the_answer_and_a_selection() -> None:
    answer = (
        "One [red] two\nthree, which is more than long enough to be wrapped at the edge of a"
        " narrow screen."
    )
    async with chatting(ScriptedSession(answers=[answer.split("|")])) as chat:
        await chat.phase("ready")
        await chat.pilot.press("ctrl+y")
        assert chat.app.clipboard == ""
        await chat.ask()
        await chat.pilot.press("ctrl+y")
        assert chat.app.clipboard == answer
        tokens = chat.screen.view.tokens
        await chat.pilot.mouse_down(tokens, offset=(2, 1))
        await chat.pilot.hover(tokens, offset=(40, 3))
        await chat.pilot.mouse_up(tokens, offset=(40, 3))
        assert chat.screen.get_selected_text() == answer


@scenario
async def test_what_fails_on_the_way_out_is_not_told() -> None:
    """Parts that still mount look for what is gone already."""

    def fail() -> None:
        raise NoScreen("node has no screen")

    async with chatting() as chat:
        await chat.phase("ready")
        chat.app.exit(return_code=129)
        chat.screen.call_later(fail)
    assert chat.app.return_code == 129
