"""The keys of whatever shows a conversation, each by the name under which a user can change it.

In the order in which help and footer list them; a screen puts its own between. The palette's
commands are actions too, of which most have no key.
"""

from typing import NamedTuple

from textual.binding import Binding, BindingType

from entropix_tui.keys.keymap import Task

_TOKEN = Binding.Group("token", compact=True)


def anywhere(
    key: str, action: str, name: str, id: str, tooltip: str = "", *, show: bool = False
) -> Binding:
    """A key that acts wherever the focus is."""
    return Binding(key, action, name, id=f"chat.{id}", tooltip=tooltip, show=show, priority=True)


def of(part: str, action: str) -> str:
    """An action of one of the screen's parts, by the class of that."""
    return f"of({part!r}, {action!r})"


class Command(NamedTuple):
    """An action by name, as the palette lists it."""

    name: str
    means: str
    action: str


BRANCHES = anywhere(
    "ctrl+b", "branches", "Branches", "branches", "Every way this has gone", show=True
)
TOKENS: list[BindingType] = [
    Binding("ctrl+left", "cursor(-1)", "Token", id="chat.token_before", priority=True,
            tooltip="The token before, with all that is known of it", show=True, group=_TOKEN),
    Binding("ctrl+right", "cursor(1)", "Token", id="chat.token_after", priority=True,
            tooltip="The token after", show=True, group=_TOKEN),
    anywhere("f1", "app.help", "Help", "help", "Everything that can be done here", show=True),
]  # fmt: skip
TEXT: list[BindingType] = [
    anywhere("ctrl+y", of("TextStage", "copy_answer"), "Copy", "copy",
             "Copy the answer (OSC 52: works over SSH)"),
    anywhere("ctrl+f", of("TextStage", "search"), "Search", "search", "Look for a text"),
    anywhere("ctrl+l", of("TokenView", "colour(1)"), "Colours", "colours",
             "Colour by the next measure"),
    anywhere("ctrl+g", of("TokenView", "letters"), "Letters", "letters",
             "Letters beside each line"),
]  # fmt: skip
STEP = anywhere("f7", "step", "Step", "step", "Halt before each token: the debugger")
PLACES: list[BindingType] = [
    anywhere("f6", "app.jump", "Jump", "jump", "A letter over every part: it goes there"),
    anywhere("pageup", of("TextStage", "page(-1)"), "Page up", "page_up"),
    anywhere("pagedown", of("TextStage", "page(1)"), "Page down", "page_down"),
    Binding("question_mark", "app.help", "Help", id="text.help", show=False),
    Binding("x", of("ConversationView", "vocabulary"), "Vocabulary", id="text.vocabulary",
            show=False, tooltip="The whole vocabulary that the token was drawn from"),
    Binding("a", of("ConversationView", "attention"), "Attention", id="text.attention",
            show=False, tooltip="Where the model looked"),
    Binding("left_square_bracket", of("ConversationView", "turn(-1)"), "Page before",
            id="text.page_before", show=False, tooltip="Of what is known of the token"),
    Binding("right_square_bracket", of("ConversationView", "turn(1)"), "Page after",
            id="text.page_after", show=False),
    Binding("p", of("SidePanel", "panel"), "Panel", id="text.side", show=False,
            tooltip="Show or hide the panel"),
]  # fmt: skip
COPY: list[BindingType] = [
    Binding("y", of("TextStage", "copy_answer"), "Copy", id="text.copy", show=False),
]
STOP = Binding(
    "escape", "leave", "Stop", id="chat.stop",
    tooltip="Stop generating or loading; else close the nearest thing that is open",
)  # fmt: skip

READ = [
    Task("Read the colours: the line below the text names them; colour by the next measure",
         ("chat.colours",)),
    Task("Inspect a token: how sure the model was, what else was likely, where it looked",
         ("chat.token_before", "chat.token_after")),
    Task("See the whole vocabulary at the token under the cursor", ("text.vocabulary",)),
    Task("Search the text", ("chat.search",)),
]  # fmt: skip
ANYTHING = [
    Task("Export as a page, a table, data, text or a picture; and everything else, by name",
         ("app.palette",)),
]  # fmt: skip
"""Tasks that every screen over a conversation has, first and last."""

PALETTE = [
    Command("Branches", "Every way this has gone", "branches"),
    Command(
        "Vocabulary",
        "All that could have stood at the cursor",
        of("ConversationView", "vocabulary"),
    ),
    Command("Attention", "Where the model looked", of("ConversationView", "attention")),
    Command("Panel", "Show or hide the plane and the figures", of("SidePanel", "panel")),
    Command("Search", "Look for a text", of("TextStage", "search")),
    Command("Markdown", "The answer as a document, or its tokens", of("TextStage", "markdown")),
    Command("Copy answer", "The last one, as plain text", of("TextStage", "copy_answer")),
    Command("Export as Markdown", "The conversation", "export('.md')"),
    Command("Export as text", "The conversation", "export('.txt')"),
    Command("Export as a page (HTML)", "Text, charts, figures", "export('.html')"),
    Command("Export as a table (CSV)", "A row for each token", "export('.csv')"),
    Command("Export as data (JSON)", "An object for each token", "export('.json')"),
    Command("Export the screen", "As a picture (SVG)", "export('.svg')"),
    Command("Colours", "Colour by the next measure", of("TokenView", "colour(1)")),
    Command("Letters", "Letters beside each line", of("TokenView", "letters")),
    Command("Line breaks", "Show or hide ↵", of("TextStage", "breaks")),
    Command("Jump", "A letter over every part", "app.jump"),
]
