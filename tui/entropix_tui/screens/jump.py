"""Jump mode: a letter over every part that can have the focus; it, or a click, goes there."""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Offset, Region
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from entropix_tui.keys import keymap

SPARE = "asdfghjklqwertyuiopzxcvbnm"
"""Letters for parts whose own are taken: the easiest to reach first."""


class Target(NamedTuple):
    """A part of the screen, the letter that leads to it, and where it is."""

    letter: str
    title: str
    widget: Widget
    region: Region


def title_of(widget: Widget) -> str:
    """What a part is called: its own word for it, or its id."""
    if widget.id and type(widget).__module__.startswith("textual."):
        return widget.id
    return keymap.title_of(type(widget))


def targets(screen: Screen[object]) -> list[Target]:
    """The parts in sight that can have the focus, in the order of the Tab key.

    A letter is the first of the part's name that is free, so that the prompt is `p` on every
    screen that has one.
    """
    found: list[Target] = []
    used: set[str] = set()
    seen = screen.region
    for widget in screen.focus_chain:
        region = widget.region.intersection(seen)
        if not region.area:
            continue
        title = title_of(widget)
        name = title.lower().removeprefix("the ")
        letter = next((char for char in (*name, *SPARE) if char in SPARE and char not in used), "")
        if letter:
            used.add(letter)
            found.append(Target(letter, title, widget, region))
    return found


class Tag(Static):
    """A letter and the name of the part that it stands on."""

    DEFAULT_CSS = """
    Tag {
        position: absolute; width: auto; height: 1; max-width: 100%; padding: 0;
        background: $primary; color: $background; text-style: bold;
        &:ansi { text-style: bold reverse; }
    }
    """

    def __init__(self, target: Target) -> None:
        super().__init__(Text(f" {target.letter.upper()} {target.title} ", no_wrap=True))
        self.target = target


class Jump(ModalScreen[Widget | None]):
    """Gives back the part that was chosen, or None."""

    AUTO_FOCUS = None
    BINDING_GROUP_TITLE = "Jumping"
    BINDINGS: ClassVar = [
        Binding("escape,f6", "dismiss", "Stay here", id="jump.leave"),
    ]
    DEFAULT_CSS = """
    Jump { background: $background 40%; layout: vertical; }
    Jump:ansi { background: transparent; }
    """

    def __init__(self, parts: Iterable[Target]) -> None:
        super().__init__()
        self.parts = list(parts)
        self._drawn_for = self.app.size

    def compose(self) -> ComposeResult:
        for part in self.parts:
            yield Tag(part)

    def on_mount(self) -> None:
        taken: set[Offset] = set()
        for tag in self.query(Tag):
            region = tag.target.region
            x, y = region.x + min(2, region.width // 4), region.y + region.height // 2
            while Offset(x, y) in taken and y > 0:
                y -= 1
            taken.add(Offset(x, y))
            tag.styles.offset = (x, y)

    def on_resize(self, event: events.Resize) -> None:
        """The parts have moved under their letters."""
        if self.is_current and event.size != self._drawn_for:
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        character = (event.character or "").lower()
        for part in self.parts:
            if character == part.letter:
                event.stop()
                event.prevent_default()
                self.dismiss(part.widget)
                return

    def on_click(self, event: events.Click) -> None:
        """On a letter, or anywhere in a part; outside of all it leaves."""
        if isinstance(event.widget, Tag):
            self.dismiss(event.widget.target.widget)
            return
        hit = [part for part in self.parts if part.region.contains(*event.screen_offset)]
        smallest = min(hit, key=lambda part: part.region.area, default=None)
        self.dismiss(smallest.widget if smallest else None)


def jump(screen: Screen[object]) -> None:
    """Open jump mode over a screen, and focus what is chosen."""

    def go(widget: Widget | None) -> None:
        if widget is not None:
            widget.focus()

    screen.app.push_screen(Jump(targets(screen)), go)
