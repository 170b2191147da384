"""Every key that can be rebound, and the user's wishes checked against them.

Textual would let a new key silently take the place of another one of its own class, and let a
priority key be stolen from what one types; so wishes are checked here, all at once, and only those
that harm nothing reach `App.set_keymap`.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from entropix_tui.keys.config import Config
from entropix_tui.keys.keynames import normals, types_text

_FIRST = ("EntropixApp", "ChatScreen", "Prompt", "TokenView")
"""Whose keys are listed first; the others follow by their titles."""


class Named(NamedTuple):
    """A binding that can be rebound: its keys without a configuration, and what it does.

    `urgent`: those of the keys that act before the part with the focus sees them. If there are
    any, all keys of a configuration will be.
    """

    id: str
    keys: tuple[str, ...]
    does: str
    urgent: tuple[str, ...]


class Task(NamedTuple):
    """Something that is done on a screen, with the names of its keys; without any it says how."""

    does: str
    keys: tuple[str, ...] = ()


@dataclass
class Scope:
    """A class with keys of its own: the program, a screen or a part of one."""

    node: type[DOMNode]
    title: str
    bindings: list[Named] = field(default_factory=list)


class Loaded(NamedTuple):
    """What `App.set_keymap` takes, and one line each on what was not taken."""

    keymap: dict[str, str]
    notices: list[str]


def scopes_of(package: str) -> list[Scope]:
    """The classes with named keys in what is imported of a package.

    A binding that several classes share is listed with the first of them.
    """
    order = {name: place for place, name in enumerate(_FIRST)}
    found: list[Scope] = []
    listed: set[Binding] = set()
    for node in sorted(
        (node for node in _family(DOMNode) if node.__module__.startswith(f"{package}.")),
        key=lambda node: (order.get(node.__name__, len(order)), title_of(node)),
    ):
        scope = scope_of(node, listed)
        listed.update(_named(node))
        if scope.bindings:
            found.append(scope)
    return found


def scope_of(node: type[DOMNode], listed: Collection[Binding] = ()) -> Scope:
    """The named keys of one class but those that are listed, in the order of their declaration."""
    scope = Scope(node, title_of(node))
    own: dict[str, list[Binding]] = {}
    for binding in _named(node):
        if binding not in listed:
            own.setdefault(binding.id or "", []).append(binding)
    for name, bindings in own.items():
        first = bindings[0]
        keys = tuple(dict.fromkeys(binding.key for binding in bindings))
        does = first.tooltip or first.description
        urgent = tuple(binding.key for binding in bindings if binding.priority)
        scope.bindings.append(Named(name, keys, does, urgent))
    return scope


def _named(node: type[DOMNode]) -> list[Binding]:
    bindings = Binding.make_bindings(node.__dict__.get("BINDINGS", ()))
    return [binding for binding in bindings if binding.id]


def title_of(node: type[DOMNode]) -> str:
    """What a part is called: its own title, or its class's name as words."""
    own: str | None = node.__dict__.get("BINDING_GROUP_TITLE")
    words = re.findall(r"[A-Z]+[a-z0-9]*", node.__name__)
    return own or " ".join(words).capitalize()


def check(config: Config, known: Sequence[Scope]) -> Loaded:
    """The part of the user's keys that can be used together, later ones giving way."""
    named = {binding.id: binding for scope in known for binding in scope.bindings}
    keymap: dict[str, list[str]] = {}
    notices = []
    for name, wanted in config.keys.items():
        complaint = _complaint(name, wanted, named)
        if complaint:
            notices.append(complaint)
        else:
            keymap[name] = normals(wanted)
    while clash := _clash(keymap, known):
        name, key, other = clash
        notices.append(f"{name}: {key} is the key of {other}; it stays {_keys(named[name])}")
        del keymap[name]
    return Loaded({name: ",".join(keys) for name, keys in keymap.items()}, notices)


def _complaint(name: str, wanted: str, named: Mapping[str, Named]) -> str | None:
    """What is wrong with a wish by itself."""
    if name not in named:
        close = difflib.get_close_matches(name, named, 1)
        hint = f"did you mean {close[0]}?" if close else "`entropix-tui keys` lists them"
        return f'there is no key called "{name}": {hint}'
    binding = named[name]
    stays = f"it stays {_keys(binding)}"
    try:
        keys = normals(wanted)
    except ValueError as error:
        return f"{name}: {error}; {stays}"
    for key in keys:
        if binding.urgent and types_text(key) and key not in binding.urgent:
            return f"{name}: {key} is needed for writing; {stays}"
    return None


def _keys(binding: Named) -> str:
    return ", ".join(binding.keys)


def _clash(keymap: Mapping[str, list[str]], known: Iterable[Scope]) -> tuple[str, str, str] | None:
    """The last wish that takes a key of another binding: its id, the key, and the other's id."""
    held = [
        (key, binding, scope)
        for scope in known
        for binding in scope.bindings
        for key in keymap.get(binding.id, binding.keys)
    ]
    for name in reversed(list(keymap)):
        for key, binding, scope in held:
            if binding.id != name:
                continue
            for other_key, other, elsewhere in held:
                if (
                    other_key == key
                    and other.id != name
                    and _meet(binding, scope, other, elsewhere)
                ):
                    return name, key, other.id
    return None


def _meet(a: Named, of_a: Scope, b: Named, of_b: Scope) -> bool:
    """Whether one of two bindings with the same key would hide the other for good."""
    if of_a.node is of_b.node:
        return True
    if not (a.urgent or b.urgent):
        return False  # the one that is nearer to the focus acts, as with the default keys
    if App in of_a.node.__mro__ or App in of_b.node.__mro__:
        return True
    return issubclass(of_a.node, Screen) != issubclass(of_b.node, Screen)


def _family(node: type[DOMNode]) -> Iterator[type[DOMNode]]:
    seen: set[type[DOMNode]] = set()
    waiting = [node]
    while waiting:
        for child in waiting.pop().__subclasses__():
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                yield child
