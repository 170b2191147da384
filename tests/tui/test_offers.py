"""What the chat and the replay offer, by key and by name: there is an action for each of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from conversations import two_answers
from debugged import Scripted
from driving import chatting
from harness import LARGE, hosted, press, scenario
from scripted import Gate, ScriptedSession
from test_replay import replaying
from textual import actions
from textual.binding import Binding
from textual.screen import Screen

from entropix_tui.app import scopes
from entropix_tui.conversation.comparison import Side
from entropix_tui.screens.branches import Branches
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.compare.compare import Column, Compare
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.screens.help import here
from entropix_tui.screens.replay.replay import ReplayScreen
from entropix_tui.screens.score.score import ScoreScreen
from entropix_tui.screens.step.step import StepScreen
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.text.token_view import TokenView


def missing(screen: ConversationScreen) -> list[str]:
    """What a screen offers and has no action for."""
    return [action for action in offered(screen) if not _is_there(screen, action)]


def offered(screen: ConversationScreen) -> Iterator[str]:
    yield from (binding.action for binding in Binding.make_bindings(screen.BINDINGS))
    yield from (command.action for command in screen.PALETTE)


def _is_there(screen: ConversationScreen, action: str) -> bool:
    destination, name, given = actions.parse(action)
    if name == "of":
        target = screen.query_one(given[0])
        _, name, _ = actions.parse(given[1])
        return hasattr(target, f"action_{name}")
    return hasattr(screen.app if destination == "app" else screen, f"action_{name}")


@pytest.mark.slow
@scenario
async def test_all_that_a_chat_offers_is_there() -> None:
    async with chatting() as chat:
        assert missing(chat.screen) == []


@scenario
async def test_all_that_a_replay_offers_is_there_and_nothing_of_a_chat() -> None:
    live = {"Regenerate", "Edit message", "New conversation", "Side by side", "Continue"}
    assert live <= {command.name for command in ChatScreen.PALETTE}
    async with replaying() as replay:
        assert missing(replay.screen) == []
        assert not live & {command.name for command in replay.screen.PALETTE}


@scenario
async def test_a_command_does_what_its_key_does() -> None:
    async with replaying() as replay:
        commands = {c.title: c.callback for c in replay.app.get_system_commands(replay.screen)}
        await commands["Letters"]()
        assert replay.screen.view.tokens.letters
        await replay.press("ctrl+g")
        assert not replay.screen.view.tokens.letters


@scenario
async def test_every_task_of_the_help_has_a_key_that_is_there() -> None:
    named = {binding.id for scope in scopes() for binding in scope.bindings}
    for screen in (ChatScreen, ReplayScreen, ScoreScreen, StepScreen):
        assert screen.TASKS
        assert {key for task in screen.TASKS for key in task.keys} <= named


@scenario
async def test_the_palette_says_keys() -> None:
    async with chatting() as chat:
        told = {c.title: c.help for c in chat.app.get_system_commands(chat.screen)}
        assert told["Sampler"].endswith("(Ctrl+S)")
        assert told["Quit"].endswith("(Ctrl+Q)")
        assert told["Help"].endswith("(F1)")
        assert told["Vocabulary"].endswith("(x in the text)")
        assert "(" not in told["System prompt"]


def told_of(screen: Screen[Any]) -> set[str]:
    """What can be done on a screen, as its footer and its help say."""
    footer = {button.does for button in screen.query_one(KeyBar).shown}
    return {does.casefold() for does in footer | {entry.right for entry in here(screen).entries}}


@pytest.mark.slow
@scenario
async def test_a_replay_offers_nothing_that_would_change_what_was_recorded() -> None:
    sampler, naming = "change how tokens are drawn", "name"
    async with chatting(size=LARGE) as chat:
        await chat.ask()
        assert sampler in told_of(chat.screen)
        await chat.press("ctrl+b")
        assert naming in told_of(chat.app.screen)
    async with replaying(size=LARGE) as replay:
        assert sampler not in told_of(replay.screen)
        assert not [action for action in offered(replay.screen) if "sampler" in action]
        await replay.press("ctrl+b")
        branches = replay.app.screen
        assert isinstance(branches, Branches)
        assert {"switch", "side by side"} <= told_of(branches)
        assert naming not in told_of(branches)
        await replay.press("n")
        assert branches.focused is branches.choices


def footer(screen: Screen[Any]) -> str:
    return "  ".join(f"{button.name} {button.does}" for button in screen.query_one(KeyBar).shown)


@scenario
async def test_a_chats_footer_offers_what_can_be_done_now() -> None:
    gate = Gate(0)
    session = ScriptedSession(gate=gate)
    async with chatting(session, size=LARGE) as chat:
        await chat.phase("ready")
        await chat.pilot.pause()
        nothing = footer(chat.screen)
        assert "⏎ send" in nothing
        assert not {"Esc", "^R", "^B", "^N", "^←→"} & set(nothing.split())
        await chat.press(*"Hi", "enter")
        gate.allow(3)
        await chat.until(lambda: "Esc stop" in footer(chat.screen))
        assert "send" not in footer(chat.screen)
        assert "again" not in footer(chat.screen)
        await chat.press("escape")
        gate.open()
        await chat.until(lambda: "⏎ continue" in footer(chat.screen))
        for offer in ("^R again", "^N new", "^←→ token"):
            assert offer in footer(chat.screen)
        assert "Esc" not in footer(chat.screen)
        assert "branches" not in footer(chat.screen), "there is one"
        await chat.press("x")
        await chat.until(lambda: "⏎ send" in footer(chat.screen))
        await chat.press("backspace", "tab")
        await chat.until(lambda: "Esc back" in footer(chat.screen))
        await chat.press("escape", "ctrl+up")
        await chat.until(lambda: "Esc cancel" in footer(chat.screen))


@scenario
async def test_the_palette_lists_no_command_that_would_be_refused() -> None:
    async with chatting() as chat:
        await chat.phase("ready")
        listed = {c.title for c in chat.app.get_system_commands(chat.screen)}
        assert not {"Stop", "Continue", "Regenerate", "Side by side", "Branches"} & listed
        await chat.ask()
        listed = {c.title for c in chat.app.get_system_commands(chat.screen)}
        assert {"Regenerate", "Side by side"} <= listed
        assert not {"Stop", "Continue"} & listed


@scenario
async def test_a_debuggers_footer_follows_where_it_stands() -> None:
    script = Scripted(hold={"continue"})
    async with hosted(lambda: script.make(first=())) as (app, pilot):
        assert footer(app.screen) == "Esc close  F1 help", "a prompt is being written"
        await press(pilot, "escape")
        assert footer(app.screen) == "a ask  B break  : command  Esc leave  F1 help"
        await press(pilot, "a", *"Hi", "enter")
        going = ["⏎ take", "s step", "n word", "c continue"]
        assert [b for b in going if b in footer(app.screen)] == going
        assert "back/on" not in footer(app.screen), "there is nothing to go back to"
        await press(pilot, "s")
        assert "← back" in footer(app.screen)
        assert "on" not in footer(app.screen).split()
        await press(pilot, "left")
        assert "← on" in footer(app.screen).replace("→", "←")
        assert "w rewind" in footer(app.screen)
        await press(pilot, "right", "c")
        assert "Esc stop" in footer(app.screen)
        assert not [b for b in going if b in footer(app.screen)]
        script.go()
        await press(pilot, "f")
        over = footer(app.screen)
        assert not [b for b in going if b in over]
        assert {"a ask", "w rewind", "← back"} <= set(over.split("  "))


@scenario
async def test_a_replays_footer_says_what_space_does() -> None:
    async with replaying() as replay:
        assert "Space play" in footer(replay.screen)
        assert "Esc" not in footer(replay.screen)
        assert footer(replay.screen).count(" token") == 1, "the line's"
        await replay.press("space")
        assert "Space pause" in footer(replay.screen)
        assert "Esc stop" in footer(replay.screen)


def asked_for(screen: Screen[Any]) -> set[str | None]:
    """The text's keys that ask the screen for something, by their names."""
    asking = {f"tokens.{action}" for action in TokenView.asks}
    return asking & {active.binding.id for active in screen.active_bindings.values()}


@pytest.mark.slow
@scenario
async def test_a_text_asks_for_what_its_screen_answers() -> None:
    async with chatting() as chat:
        await chat.ask()
        tokens = chat.screen.view.tokens
        tokens.focus()
        await chat.press("left")
        every = {"tokens.fork", "tokens.edit", "tokens.markdown", "tokens.search"}
        assert asked_for(chat.screen) == every
    async with replaying() as replay:
        tokens = replay.screen.view.tokens
        tokens.focus()
        await replay.press("left")
        assert asked_for(replay.screen) == every - {"tokens.edit"}
        await replay.press("e")
        assert replay.screen.focused is tokens
    tree, one, other = two_answers()
    async with hosted(lambda: Compare(tree, Side(one), Side(other))) as (app, _):
        column = app.screen.query(Column).first()
        column.focus()
        assert asked_for(app.screen) == set()
