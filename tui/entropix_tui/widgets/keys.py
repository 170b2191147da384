"""The footer: the keys that matter most here and now, each a button for the mouse too."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode
from textual.screen import Screen

from entropix_tui.keys.keynames import together
from entropix_tui.widgets.styled import Styled

MOST = 8
"""Keys that are shown at most; the rest is in the command palette and in the help."""
WAYS_OUT = ("leave", "close", "dismiss")
"""Actions whose keys keep their place, like that of the help."""


@runtime_checkable
class Offering(Protocol):
    """A part, or what holds parts, that says which keys are worth showing just now.

    A key that isn't still acts: most say then why they can't.
    """

    def offer(self, action: str, does: str) -> str:
        """What an action of its own, or of a part of it, does now: `does`, or another word; empty
        if it does nothing.
        """


def offered(node: DOMNode) -> list[str]:
    """What a node's own keys do now. Where this changes, `refresh_bindings` is due."""
    found = Binding.make_bindings(node.__class__.__dict__.get("BINDINGS", ()))
    return [_does(binding, [node]) for binding in found if binding.show]


class TellingScreen(Screen[None]):
    """A screen that has the footer follow what its own keys do now."""

    _offered: Sequence[str] = ()

    def tell_offers(self) -> None:
        """Have the footer say what is offered now."""
        if (now := offered(self)) != self._offered:
            self._offered = now
            self.refresh_bindings()


def _does(binding: Binding, chain: Sequence[DOMNode]) -> str:
    """As every node of the chain has it, from the binding's own up."""
    does = binding.description
    for node in chain:
        if does and isinstance(node, Offering):
            does = node.offer(binding.action, does)
    return does


class Button(NamedTuple):
    """Keys that belong together and what they do: `^←→ token` runs two actions."""

    keys: tuple[str, ...]
    does: str
    actions: tuple[str, ...]
    node: DOMNode
    is_help: bool
    is_way_out: bool

    @property
    def name(self) -> str:
        return together(list(self.keys))

    @property
    def cells(self) -> int:
        """With a space on either side, and one between."""
        return cell_len(self.name) + cell_len(self.does) + 3


def buttons(active: Iterable[ActiveBinding], chain: Sequence[DOMNode]) -> list[Button]:
    """What can be done at the end of `chain` (the focused node and its ancestors), in order.

    Keys of the node that has the focus come first, then its ancestors'; in the order in which they
    were declared, whatever they are bound to. The key for help, if there is one, is always shown.
    """
    near = {node: place for place, node in enumerate(chain)}
    declared = {node: _declared(node) for node in near}
    groups: dict[tuple[DOMNode, object], list[Binding]] = {}
    names: dict[Binding, str] = {}
    for node, binding, enabled, _ in active:
        if not (binding.show and enabled and node in near):
            continue
        names[binding] = _does(binding, chain[near[node] :])
        if names[binding]:
            key = binding.group if binding.group is not None else binding.action
            groups.setdefault((node, key), []).append(binding)

    def place(found: tuple[tuple[DOMNode, object], list[Binding]]) -> tuple[int, int]:
        node, bindings = found[0][0], found[1]
        order = declared[node]
        return near[node], min(order.get(binding.action, len(order)) for binding in bindings)

    shown: list[Button] = []
    for (node, _), bindings in sorted(groups.items(), key=place):
        first = {binding.action: binding for binding in reversed(bindings)}
        order = declared[node]
        each = sorted(first.values(), key=lambda binding: order.get(binding.action, len(order)))
        group = each[0].group
        does = group.description if group is not None and len(each) > 1 else names[each[0]]
        helps = (each[0].id or "").endswith(".help")
        shown.append(
            Button(
                tuple(binding.key for binding in each),
                does[:1].lower() + does[1:] if does[1:2].islower() or not does[1:2] else does,
                tuple(binding.action for binding in each),
                node,
                is_help=helps,
                is_way_out=each[0].action.partition("(")[0] in WAYS_OUT,
            )
        )
    return shown


def _declared(node: DOMNode) -> dict[str, int]:
    """Actions in the order of their declaration: a rebound key does not move its button."""
    order: dict[str, int] = {}
    for base in reversed(type(node).__mro__):
        for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", ())):
            order.setdefault(binding.action, len(order))
    return order


def fitting(found: Sequence[Button], width: int) -> list[Button]:
    """The first of them that have room, `MOST` at most; the way out of something and help keep
    their places, help at the end.
    """
    helps = [button for button in found if button.is_help][:1]
    kept = [*[button for button in found if button.is_way_out][:1], *helps]
    room, places = width - sum(button.cells for button in kept), MOST - len(kept)
    chosen: list[Button] = []
    for button in found:
        if button in kept:
            continue
        if not places or button.cells > room:
            break
        room, places = room - button.cells, places - 1
        chosen.append(button)
    return sorted([*chosen, *kept], key=lambda button: (button.is_help, found.index(button)))


class KeyBar(Styled):
    """One row of keys that follows the focus. A click on one is a press of it."""

    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; }"

    _buttons: Sequence[Button] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is not self.screen:
            return
        chain = [screen] if screen.focused is None else list(screen.focused.ancestors_with_self)
        if self.app not in chain:
            chain = [*chain, self.app]
        found = buttons(screen.active_bindings.values(), chain)
        if found != self._buttons:
            self._buttons = found
            self.refresh()

    @property
    def shown(self) -> list[Button]:
        """The buttons that are in sight, from the left."""
        return fitting(self._buttons, self.size.width)

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for button in self.shown:
            text.append(f" {button.name}", "bold").append(f" {button.does} ")
        return text

    async def on_click(self, event: events.Click) -> None:
        x = event.x
        for button in self.shown:
            if x < button.cells:
                # Of several keys the one that was hit; their common name stands for the last.
                at = (x - 1) * len(button.keys) // max(1, cell_len(button.name))
                action = button.actions[max(0, min(at, len(button.actions) - 1))]
                await self.app.run_action(action, button.node)
                return
            x -= button.cells
