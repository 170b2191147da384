"""Lines that begin with a slash, as other chats have their commands: what was meant, and its key.

Nothing of the kind goes to a model in silence.
"""

import difflib
import re
from typing import Any, NamedTuple

from textual.screen import Screen

from entropix_tui.keys.keynames import key_of


class Meant(NamedTuple):
    """A command as the palette lists it, with its action."""

    name: str
    action: str


_MEANT = {
    "help h commands keys": Meant("Help", "app.help"),
    "quit exit q bye": Meant("Quit", "quit"),
    "new clear reset": Meant("New conversation", "new_chat"),
    "model models switch": Meant("Model", "models"),
    "sampler set settings parameters preset temperature temp": Meant(
        "Sampler", "of('SidePanel', 'sampler')"
    ),
    "system prompt": Meant("System prompt", "of('Composer', 'system_prompt')"),
    "sessions session load resume history": Meant("Sessions", "sessions"),
    "save export": Meant("Export", "export"),
    "regenerate retry again redo": Meant("Regenerate", "regenerate"),
    "continue": Meant("Continue", "continue"),
    "edit undo": Meant("Edit message", "of('Composer', 'edit(-1)')"),
    "branches branch fork": Meant("Branches", "branches"),
    "compare diff": Meant("Side by side", "compare"),
    "step debug debugger": Meant("Step", "step"),
    "score surprise": Meant("Score a text", "score"),
    "search find": Meant("Search", "of('TextStage', 'search')"),
    "copy": Meant("Copy answer", "of('TextStage', 'copy_answer')"),
    "colours colors color": Meant("Colours", "of('TokenView', 'colour(1)')"),
    "theme dark light": Meant("Dark or light", "toggle_dark"),
    "about info": Meant("About this conversation", "about"),
}
_BY_WORD = {word: meant for words, meant in _MEANT.items() for word in words.split()}


def question(text: str, screen: Screen[Any]) -> str:
    """Why a text is not sent at once, what else may have been meant, and what sends it; empty
    for one that does not begin with a slash and a word.
    """
    found = re.match(r"\s*/([^\W\d_][\w-]*)(?=\s|$)", text)
    if found is None:
        return ""
    word = found[1]
    close = difflib.get_close_matches(word.lower(), _BY_WORD, 1)
    palette = key_of(screen, "command_palette")
    hint = f"{palette} lists all there is" if palette else "it is no command"
    if close:
        meant = _BY_WORD[close[0]]
        key = key_of(screen, meant.action)
        listed = f"in the list of {palette}" if palette else "in the chat"
        hint = f"{meant.name} is {key or listed}"
    return f"/{word[:20]} is not sent: {hint}; Enter again sends it"


def unslashed(text: str) -> str:
    """What is sent: of two slashes before a word at the beginning one."""
    return re.sub(r"\A(\s*)//(?=/*[^\W\d_][\w-]*(\s|$))", r"\1/", text)
