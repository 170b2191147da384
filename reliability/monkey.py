"""A monkey at the keyboard, the mouse and the window's corner: what it does follows from a seed."""

import random
import string
import time
import unicodedata
from collections import Counter
from collections.abc import Callable

from damaged_traces import SECONDS
from harness import at_rest, rows, steering
from textual import events
from textual.app import App
from textual.geometry import Size
from textual.keys import _get_unicode_name_from_key

SIZES = (
    *((1, 1), (2, 1), (1, 200), (3, 2), (5, 5), (10, 3), (20, 8), (40, 12), (79, 23), (80, 24)),
    *((80, 24), (99, 30), (100, 30), (140, 45), (140, 45), (500, 3), (7, 200), (250, 80)),
    (500, 200),
)
"""Columns and rows; small ones cost least, and are where there is no room for anything."""

LARGE = 20_000
"""Cells from which on a screen costs so much that the monkey soon leaves it."""

QUITS = {"ctrl+q"}
"""Keys that end the program, which the monkey leaves alone. Ctrl+C does at its second press."""

PLAIN = (
    *("enter", "escape", "tab", "shift+tab", "backspace", "delete", "insert", "home", "end"),
    *("up", "down", "left", "right", "pageup", "pagedown", "ctrl+home", "ctrl+end", "ctrl+c"),
    *("shift+up", "shift+down", "shift+left", "shift+right", "ctrl+up", "ctrl+down"),
    *(f"f{n}" for n in range(1, 13)),
    *(f"ctrl+{letter}" for letter in string.ascii_lowercase),
)
TEXTS = (
    "hello",
    "0.5",
    "rank > 2",
    "temperature=9",
    "\x1b[2J\u202e\r\n\x00",
    "漢字🙂" * 9,
    "x\n" * 99,
)


class Monkey:
    """Does something to an application; `done` counts what, `seen` the screens that it was on."""

    def __init__(self, app: App[None], spread: random.Random) -> None:
        self.app = app
        self.spread = spread
        self.done: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.last: list[str] = []
        """The newest events, to be told if the application ends."""
        app.action_quit = self._stay  # type: ignore[method-assign]

    async def _stay(self) -> None:
        """Quit was taken from the palette: whether an Enter takes that depends on what was typed
        and on what its list shows by then. To end is right, and would end the run.
        """
        self.last.append("quit")

    async def act(self, count: int) -> None:
        """So many events, in bursts. Raises what the application raises; AssertionError if it has
        ended, or shows something raw.
        """
        left = count
        while left > 0:
            burst = min(left, self.spread.choice((1, 1, 2, 5, 20)))
            left -= burst
            began = time.process_time()
            for _ in range(burst):
                self._one()
            await at_rest()
            self._check()
            taken = time.process_time() - began
            assert taken < SECONDS, f"{taken:.0f} s for {burst} events"

    def _check(self) -> None:
        app = self.app
        if app._exception is not None:
            raise app._exception
        assert not app._exit, f"it has ended, after {self.last[-20:]}"
        self.seen[type(app.screen).__name__] += 1
        if self.spread.random() < 0.2:
            assert not steering(app), f"raw: {steering(app)!r}"
            assert len(rows(app)) <= app.size.height

    def _one(self) -> None:
        acts: list[tuple[int, Callable[[], str]]] = [
            (60, self._key),
            (12, self._letter),
            (12, self._mouse),
            (4, self._resize),
            (3, self._unfocus),
            (2, self._paste),
            (7, self._command),
        ]
        weights = [weight for weight, _ in acts]
        ((_, act),) = self.spread.choices(acts, weights)
        if self.app.size.area > LARGE and self.spread.random() < 0.3:
            act = self._resize
        self.done[act.__name__.strip("_")] += 1
        self.last = [*self.last[-99:], act()]

    def _key(self) -> str:
        """One that does something where the focus is, or any other."""
        bound = [key for key in self.app.screen.active_bindings if key not in QUITS]
        key = self.spread.choice(bound if bound and self.spread.random() < 0.7 else PLAIN)
        if key in QUITS:
            return "nothing"
        try:
            character = unicodedata.lookup(_get_unicode_name_from_key(key))
        except KeyError:
            character = key if len(key) == 1 else None
        self._send(events.Key(key, character))
        return key

    def _letter(self) -> str:
        character = self.spread.choice(string.ascii_letters + string.digits + " éß漢🙂.,:;/")
        self._send(events.Key(character, character))
        return character

    def _mouse(self) -> str:
        width, height = self.app.size
        x, y = self.spread.randrange(max(1, width)), self.spread.randrange(max(1, height))
        down, up, move = events.MouseDown, events.MouseUp, events.MouseMove
        wheel = self.spread.choice((events.MouseScrollUp, events.MouseScrollDown))
        drawn = self.spread.choice(((down, up), (down,), (up,), (move,), (wheel,)))
        for kind in drawn:
            self._send(kind(None, x, y, 0, 0, int(kind is not move), *(False,) * 3, x, y))
        return f"{drawn[0].__name__} at {x}, {y}"

    def _resize(self) -> str:
        size = Size(*self.spread.choice(SIZES))
        driver = self.app._driver
        assert driver is not None
        driver._size = size
        self.app.post_message(events.Resize(size, size))
        return f"size {size.width}x{size.height}"

    def _unfocus(self) -> str:
        self.app.screen.set_focus(None)
        return "focus on nothing"

    def _paste(self) -> str:
        text = self.spread.choice(TEXTS)
        self._send(events.Paste(text))
        return f"paste {text[:10]!r}"

    def _command(self) -> str:
        """Something that the palette offers."""
        offered = [
            command
            for command in self.app.get_system_commands(self.app.screen)
            if command.title != "Quit"
        ]
        command = self.spread.choice(offered)
        self.app.call_later(command.callback)
        return f"“{command.title}”"

    def _send(self, event: events.Event) -> None:
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)
