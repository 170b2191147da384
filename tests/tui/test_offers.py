"""What the chat and the replay offer, by key and by name: there is an action for each of it."""

from collections.abc import Iterator

from driving import chatting
from harness import scenario
from test_replay import replaying
from textual import actions
from textual.binding import Binding

from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.conversation.screen import ConversationScreen


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
