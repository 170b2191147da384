"""Saved sessions: found, resumed, renamed, deleted."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Protocol

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType

from entropix_mlx.terminal.glyphs import one_line
from entropix_mlx.trace.archive import Saved
from entropix_models.errors import EntropixError
from entropix_tui.look import humanize
from entropix_tui.screens.choice_screen import ChoiceScreen
from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.choices import CURRENT, Choices

DAMAGED = "✗"
"""The sign of a file that tells no model."""


class Sessions(Protocol):
    """What this screen needs of an archive."""

    def list(self) -> list[Saved]: ...
    def rename(self, old: str, new: str) -> None: ...
    def delete(self, name: str) -> None: ...


def local_now() -> datetime:
    return datetime.now().astimezone()


class SessionChoices(Choices[Saved]):
    """The newest first."""

    NOTHING = "Nothing is saved yet: conversations are, from their first word."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Resume", id="sessions.resume", tooltip="Go on with it"),
        Binding("r", "screen.rename", "Rename", id="sessions.rename"),
        Binding("x,delete", "screen.delete", "Delete", id="sessions.delete", tooltip="Twice"),
    ]

    def __init__(self, current: str | None, now: Callable[[], datetime]) -> None:
        super().__init__(id="sessions")
        self.open = current
        self.now = now

    def heading(self, width: int) -> str:
        title, model = self._cells(width)
        names = (fit("title", title), fit("model", model), fit("used", 13))
        return fit(f"    {'  '.join(names)}  {'size':>6}", width)

    def line(self, item: Saved, width: int) -> Text:
        title, model = self._cells(width + 2)
        sign = DAMAGED if not item.model else CURRENT if item.name == self.open else " "
        text = Text(f"{sign} ", end="")
        text.append(fit(_title(item), title), None if item.title else self.look("note"))
        text.append("  " + fit(one_line(item.model) or "damaged", model), self.look("note"))
        text.append("  " + fit(humanize.ago(item.modified, self.now()), 13))
        return text.append(f"  {humanize.size(item.size):>6}", self.look("note"))

    def words(self, item: Saved) -> str:
        return f"{item.name} {item.title} {item.model}"

    def _cells(self, width: int) -> tuple[int, int]:
        """Of title and model: what signs, times and sizes leave."""
        room = width - 4 - 2 - 2 - 13 - 2 - 6
        model = max(8, min(20, room // 4))
        return max(8, room - model), model


class SessionsScreen(ChoiceScreen[Saved, str | None]):
    """Gives back the name of the session to resume, or None.

    `current`: the one that is open, which can be neither renamed nor deleted.
    """

    HEADING = "Saved sessions"
    BINDING_GROUP_TITLE = "Saved sessions"
    ABOUT = 2
    choices: SessionChoices

    def __init__(
        self,
        archive: Sessions,
        *,
        current: str | None = None,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        super().__init__(SessionChoices(current, now))
        self.archive = archive
        self._doomed: str | None = None  # the session of which deletion was asked for once

    def on_mount(self) -> None:
        self.choices.note = "reading …"
        self.read()

    @work(thread=True, exclusive=True)
    def read(self, at: str | None = None) -> None:
        """List the sessions without holding up the screen; the cursor goes to `at`."""
        try:
            found = self.archive.list()
        except (EntropixError, OSError) as error:
            self.app.call_from_thread(self._show, [], at, f"The list cannot be read: {error}")
        else:
            self.app.call_from_thread(self._show, found, at, SessionChoices.NOTHING)

    def _show(self, found: list[Saved], at: str | None, note: str) -> None:
        if not self.is_mounted:
            return
        self.choices.note = one_line(note)
        row = self.choices.row
        self.choices.fill(found, at=None if at is None else lambda saved: saved.name == at)
        if at is None:
            self.choices.go(row)

    def about(self, item: Saved) -> Text:
        now = self.choices.now()
        text = Text(one_line(item.title) or _title(item), no_wrap=True, overflow="ellipsis")
        facts = [
            item.name,
            item.model or "damaged: what can be read of it is shown when it is resumed",
            f"last used {humanize.moment(item.modified, now)}",
        ]
        return text.append("\n" + one_line(" · ".join(facts)), self.choices.look("note"))

    def on_choices_moved(self) -> None:
        """Going elsewhere takes the question back; what is shown then, the base sees to."""
        self._doomed = None

    def take(self, item: Saved) -> None:
        self.dismiss(item.name)

    # Renaming and deleting.

    def action_rename(self) -> None:
        item = self._own("renamed")
        if item is not None:
            self.ask("New name", item.name, lambda name: self._rename(item.name, name))

    def _rename(self, old: str, new: str) -> None:
        if new in ("", old):
            return
        try:
            self.archive.rename(old, new)
        except (EntropixError, OSError) as error:
            self.say(f"Not renamed: {error}", look="error")
        else:
            self.read(new)

    def action_delete(self) -> None:
        item = self._own("deleted")
        if item is None:
            return
        if self._doomed != item.name:
            self.say("Once more deletes it for good; going elsewhere keeps it.", look="error")
            self._doomed = item.name
            return
        self._doomed = None
        try:
            self.archive.delete(item.name)
        except (EntropixError, OSError) as error:
            self.say(f"Not deleted: {error}", look="error")
        else:
            self.read()

    def _own(self, what: str) -> Saved | None:
        """The item under the cursor, unless it is in use."""
        item = self.choices.current
        if item is not None and item.name == self.choices.open:
            self.say(f"This conversation is open: it cannot be {what} now.", look="error")
            return None
        return item


def _title(item: Saved) -> str:
    return one_line(item.title) or f"(nothing was said) {one_line(item.name)}"
