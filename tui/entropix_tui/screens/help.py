"""Help: what can be done here, task by task; one key further every key, mark and measure."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from entropix_mlx.records.quadrants import KINDS, QUADRANTS, sentence
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.keys import keymap
from entropix_tui.keys.keynames import together
from entropix_tui.look import glossary
from entropix_tui.screens.jump import title_of
from entropix_tui.transcript.painter import letters
from entropix_tui.widgets.wrapped import WrappedText

KEYS_WIDTH = 18
"""Cells of the column of keys, and of that of marks."""
NARROW = 45
"""Cells below which what they mean stands under them."""


class Entry(NamedTuple):
    """One line of help: a key, mark or measure at the left, what it means at the right."""

    left: Text
    right: str


class Section(NamedTuple):
    title: str
    entries: list[Entry]
    introduction: str = ""


class HelpBox(WrappedText):
    """The help's text, as `told` at a width in cells; arrows and page keys scroll it."""

    def __init__(self, told: Callable[[int], Text]) -> None:
        super().__init__()
        self.told = told

    def text(self) -> Text:
        text = self.told(self.room)
        text.rstrip()  # it ends every line
        return text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self.lines)


class Help(ModalScreen[None]):
    """Over a screen, whose `TASKS` are told first; without any, everything is. The key that opens
    it goes on to everything, and closes it. What is typed is searched for in everything. `scopes`:
    whose keys are told.
    """

    BINDING_GROUP_TITLE = "Help"
    BINDINGS: ClassVar = [
        Binding("escape", "leave", "Close", id="help.close", tooltip="End the search, or close"),
        Binding("f1,question_mark", "more", "More", show=False),
        Binding("backspace", "erase", "Erase", show=False),
    ]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help HelpBox {
        width: 100; max-width: 100%; height: auto; max-height: 100%;
        border: round $border; background: $surface; padding: 0 1;
        /* No row for a bar at the bottom, which a gutter counts with. */
        overflow-y: auto; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """

    def __init__(self, scopes: Iterable[keymap.Scope]) -> None:
        super().__init__()
        self.scopes = scopes
        self.wanted = ""
        """What is searched for; lines that do not have it are left out."""
        self.whole = False
        """Whether everything is told, or what can be done."""
        self._tasks: list[Section] = []
        self._sections: list[Section] = []

    def compose(self) -> ComposeResult:
        yield HelpBox(self.text)

    def on_mount(self) -> None:
        self._tasks, self._sections = list(self._doable()), list(self._gather())
        self.whole = not self._tasks
        self._show()

    # Searching.

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character and event.key != "question_mark":
            if event.character == " " and not self.wanted:
                return  # scrolls
            event.stop()
            event.prevent_default()
            self.wanted += event.character
            self._show()

    def action_erase(self) -> None:
        self.wanted = self.wanted[:-1]
        self._show()

    def action_leave(self) -> None:
        if self.wanted:
            self.wanted = ""
            self._show()
        else:
            self.dismiss()

    def action_more(self) -> None:
        if self.whole:
            self.dismiss()
            return
        self.whole = True
        self._show()

    # Text.

    def _show(self) -> None:
        box = self.query_one(HelpBox)
        box.border_title = Text(f"Help: {self.wanted}▏" if self.wanted else "Help")
        box.border_subtitle = Text(
            "Esc ends the search"
            if self.wanted
            else ("" if self.whole else "F1 every key · ") + "type to search · Esc closes"
        )
        box.lay_out()
        box.refresh(layout=True)
        box.scroll_home(animate=False)

    def text(self, width: int) -> Text:
        """All sections, or the entries with what is searched for, at this width in cells."""
        text = Text()
        wanted = self.wanted.casefold().strip()
        for section in self._sections if self.whole or wanted else self._tasks:
            entries = [
                entry
                for entry in section.entries
                if wanted in f"{section.title} {entry.left.plain} {entry.right}".casefold()
            ]
            if not entries:
                continue
            text.append(("\n" if text else "") + section.title + "\n", "bold underline")
            if section.introduction and not wanted:
                text.append_text(_wrapped(section.introduction, width, 0))
            for entry in entries:
                text.append_text(_row(entry, width))
        return text if text else Text(f"Nothing here speaks of “{self.wanted}”.")

    def _doable(self) -> Iterator[Section]:
        """What can be done on the screen below, with the keys that are in force."""
        under: Screen[object] = self.app.screen_stack[-2]
        tasks: Sequence[keymap.Task] = getattr(under, "TASKS", ())
        named = {binding.id: binding for scope in self.scopes for binding in scope.bindings}
        held = self.app._keymap
        entries = []
        for task in tasks:
            found = [
                held[name].split(",")[0] if name in held else named[name].keys[0]
                for name in task.keys
            ]
            keys = together(found) if found else ""
            entries.append(Entry(Text.assemble((keys, "bold")), task.does))
        if entries:
            yield Section(title_of(under), entries)

    def _gather(self) -> Iterator[Section]:
        under: Screen[object] = self.app.screen_stack[-2]
        yield here(under)
        held = self.app._keymap
        for scope in self.scopes:
            entries = []
            for binding in scope.bindings:
                keys = held[binding.id].split(",") if binding.id in held else list(binding.keys)
                entries.append(Entry(Text.assemble((together(keys), "bold")), binding.does))
            yield Section(scope.title, entries)
        yield self._colours()
        yield Section(
            "Marks", [Entry(Text(mark), meaning) for mark, meaning in glossary.MARKS.items()]
        )
        yield Section(
            "Measures",
            [
                Entry(Text.assemble((name, "bold")), meaning)
                for name, meaning in glossary.measures()
            ],
            glossary.PLANE,
        )

    def _colours(self) -> Section:
        box, entries = self.query_one(HelpBox), []
        lettered = letters("quadrant", box.split)
        for quadrant in QUADRANTS:
            left = Text()
            left.append(f" {box.word(quadrant)} ", box.look(quadrant))
            caption = f"({KINDS[quadrant].caption}; {quadrant}"
            caption += f", letter {lettered[quadrant]})" if quadrant in lettered else ")"
            entries.append(Entry(left, f"{sentence(quadrant, box.split)} {caption}"))
        return Section("Colours by quadrant", entries)


def here(screen: Screen[object]) -> Section:
    """What has the focus and the keys that act on it, then those of the whole screen."""
    focused = screen.focused
    nodes: list[DOMNode] = [screen] if focused is None else list(focused.ancestors_with_self)
    own = nodes[: nodes.index(screen) + 1] if screen in nodes else nodes
    # Textual's own keys are told of only where there are no others.
    plain = focused is not None and not keymap.scope_of(type(focused)).bindings
    found: dict[tuple[DOMNode, str], tuple[list[str], str]] = {}
    for node, binding, enabled, tooltip in screen.active_bindings.values():
        does = tooltip or binding.description
        if node in own and enabled and does and (binding.id or (plain and node is focused)):
            keys, _ = found.setdefault((node, binding.action), ([], does))
            keys.append(binding.key)
    ordered = sorted(found.items(), key=lambda item: own.index(item[0][0]))
    title = f"Here: {title_of(focused)}" if focused is not None else "Here"
    entries = [Entry(Text.assemble((together(keys), "bold")), does) for _, (keys, does) in ordered]
    return Section(one_line(title), entries, (focused.HELP or "") if focused is not None else "")


def _row(entry: Entry, width: int) -> Text:
    row = entry.left.copy()
    if width < NARROW:
        return row.append("\n  ").append_text(_wrapped(entry.right, width, 2, 2))
    if row.cell_len >= KEYS_WIDTH:
        row.append("  ")
    else:
        row.append(" " * (KEYS_WIDTH - row.cell_len))
    row.append_text(_wrapped(entry.right, width, row.cell_len, KEYS_WIDTH))
    return row


def _wrapped(words: str, width: int, used: int, indent: int = 0) -> Text:
    """Words over as many lines as they need, after `used` cells of the first."""
    lines = textwrap.fill(
        " ".join(one_line(words).split()),
        width,
        initial_indent=" " * used,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
    return Text(lines[used:] + "\n")
