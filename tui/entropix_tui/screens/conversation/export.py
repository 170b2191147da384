"""A conversation, or what is on the screen, written to a file."""

import datetime
from pathlib import Path
from typing import Any

from textual.app import App

from entropix_tui.conversation.conversation import Conversation
from entropix_tui.look import screenshot


def export(app: App[Any], conversation: Conversation, suffix: str) -> None:
    """Ask for a file's name and write it, in the format of the suffix."""
    from entropix_tui.screens.save_as import save

    if conversation.header is None:
        app.notify("There is nothing to export yet.", severity="warning", markup=False)
        return
    from entropix_mlx.export.formats import FORMATS, by_ending
    from entropix_mlx.export.passage import Passage

    name = by_ending(Path(f"conversation{suffix}")) if suffix != ".svg" else None
    if name is None:
        kind, what, data = "screen", "the screen as a picture", screenshot.svg(app)
    else:
        kind, what = "chat", f"the conversation as {FORMATS[name].title}"
        data = FORMATS[name].make(Passage.of(conversation.header, conversation.tree))
    default = screenshot.default_name(kind, suffix, datetime.datetime.now(), Path.cwd())
    save(app, what, default, data)
