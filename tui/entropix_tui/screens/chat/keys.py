"""The keys of the conversation, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.conversation.demos import DEMOS

_TOKEN = Binding.Group("token", compact=True)


def _key(
    key: str, action: str, name: str, id: str, tooltip: str = "", *, show: bool = False
) -> Binding:
    """A key that acts wherever the focus is."""
    return Binding(key, action, name, id=f"chat.{id}", tooltip=tooltip, show=show, priority=True)


KEYS: list[BindingType] = [
    Binding("enter", "submit", "Send", id="chat.send", show=False),
    Binding(
        "escape", "leave", "Stop", id="chat.stop",
        tooltip="Stop generating or loading; else close the nearest thing that is open",
    ),
    _key("ctrl+r", "regenerate", "Again", "regenerate",
         "The last answer once more, with another seed: a branch", show=True),
    _key("ctrl+s", "sampler", "Sampler", "sampler", "Change how tokens are drawn", show=True),
    _key("ctrl+b", "branches", "Branches", "branches", "Every way this has gone", show=True),
    _key("ctrl+n", "new_chat", "New", "new", "A new conversation", show=True),
    _key("ctrl+o", "sessions", "Sessions", "sessions", "Saved conversations", show=True),
    Binding("ctrl+left", "cursor(-1)", "Token", id="chat.token_before", priority=True,
            tooltip="The token before, with all that is known of it", show=True, group=_TOKEN),
    Binding("ctrl+right", "cursor(1)", "Token", id="chat.token_after", priority=True,
            tooltip="The token after", show=True, group=_TOKEN),
    _key("f1", "help", "Help", "help", "Everything that can be done here", show=True),
    _key("ctrl+d", "compare", "Side by side", "compare",
         "The same prompt under another sampler, seed or wording"),
    _key("ctrl+y", "copy_answer", "Copy", "copy", "Copy the answer (OSC 52: works over SSH)"),
    _key("ctrl+f", "search", "Search", "search", "Look for a text"),
    _key("ctrl+l", "colour(1)", "Colours", "colours", "Colour by the next measure"),
    _key("ctrl+g", "letters", "Letters", "letters", "Letters beside each line"),
    _key("ctrl+up", "edit(-1)", "Edit", "edit", "Write an earlier message anew: a branch"),
    _key("ctrl+down", "edit(1)", "Edit", "edit_after", "The message after it"),
    _key("f7", "step", "Step", "step", "Halt before each token: the debugger"),
    _key("f6", "jump", "Jump", "jump", "A letter over every part: it goes there"),
    _key("pageup", "page(-1)", "Page up", "page_up"),
    _key("pagedown", "page(1)", "Page down", "page_down"),
    Binding("question_mark", "help", "Help", id="text.help", show=False),
    Binding("x", "vocabulary", "Vocabulary", id="text.vocabulary", show=False,
            tooltip="The whole vocabulary that the token was drawn from"),
    Binding("a", "attention", "Attention", id="text.attention", show=False,
            tooltip="Where the model looked"),
    Binding("s", "sampler", "Sampler", id="text.sampler", show=False),
    Binding("p", "side", "Panel", id="text.side", show=False,
            tooltip="Show or hide the panel"),
    Binding("d", "compare", "Side by side", id="text.compare", show=False),
    Binding("y", "copy_answer", "Copy", id="text.copy", show=False),
    *(
        _key(f"f{key}", f"demo('{name}')", f"Demo {name}", f"demo_{name}",
             "While the conversation is empty")
        for key, name in enumerate(DEMOS, 2)
    ),
]  # fmt: skip
