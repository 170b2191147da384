"""Names of keys: as a user writes them, as Textual knows them, as a footer has room for them."""

import re
from typing import Any

from textual.keys import REPLACED_KEYS, Keys, _character_to_key, key_to_character
from textual.screen import Screen

_MODIFIERS = ("ctrl", "alt", "shift", "super", "hyper", "meta")
_NAMED = {key.value for key in Keys if "+" not in key.value} | {f"f{n}" for n in range(1, 25)}
_SYNONYMS = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown"} | {
    "del": "delete",
    "ins": "insert",
    "control": "ctrl",
    "option": "alt",
}
_SAME = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+h": "backspace",
    "ctrl+left_square_bracket": "escape",
}
"""What a terminal sends for these."""
_SHORT = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "enter": "⏎",
    "escape": "Esc",
    "backspace": "⌫",
    "delete": "Del",
    "insert": "Ins",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "space": "Space",
    "tab": "Tab",
    "home": "Home",
    "end": "End",
}


def normal(key: str) -> str:
    """A key as Textual names it. Raises ValueError, with the complaint, for what is no key."""
    *modifiers, base = [part.strip() for part in re.split(r"\+(?!$)", key.strip())]
    modifiers = [_SYNONYMS.get(name.lower(), name.lower()) for name in modifiers]
    if not base:
        raise ValueError("no key is named")
    for name in modifiers:
        if name not in _MODIFIERS:
            raise ValueError(f'"{name}" is no modifier: use ctrl, alt or shift')
    if len(base) == 1:
        if not base.isprintable():
            raise ValueError(f'"{key}" is no key')
        if modifiers == ["shift"] and base.isalpha():
            return base.upper()
        base = _character_to_key(base.lower() if modifiers else base)
    else:
        base = _SYNONYMS.get(base.lower(), base.lower())
        if base not in _NAMED and character(base) is None:
            raise ValueError(f'"{key}" is no key')
    ordered = [name for name in _MODIFIERS if name in modifiers]
    found = "+".join([*sorted(ordered), base])
    if found in _SAME:
        raise ValueError(f"to a terminal {found} is {_SAME[found]}")
    return found


def normals(keys: str) -> list[str]:
    """The keys of a list with commas, each once. Raises ValueError as `normal` does."""
    return list(dict.fromkeys(normal(key) for key in keys.split(",")))


def character(base: str) -> str | None:
    """The character that a key without modifiers types, if it types one."""
    found = key_to_character(REPLACED_KEYS.get(base, base))
    return found if found is not None and found.isprintable() else None


def types_text(key: str) -> bool:
    """Whether the key writes or edits where one writes, rather than being a command."""
    modifiers, _, base = key.rpartition("+")
    if set(modifiers.split("+")) & {"ctrl", "alt", "super", "hyper", "meta"}:
        return False
    edits = ("enter", "backspace", "delete", "left", "right", "up", "down", "home", "end", "space")
    return base in edits or (not modifiers and character(base) is not None)


def written(key: str) -> str:
    """A key as sentences have it: `Ctrl+R`, `F1`, `?`."""
    *modifiers, base = key.split("+")
    name = _SHORT.get(base, character(base) or base)
    if modifiers or re.fullmatch(r"f\d+", base):
        name = name.capitalize() if len(name) > 1 else name.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), name])


def key_of(screen: Screen[Any], action: str) -> str:
    """The key that does an action on a screen, as sentences have it; empty if none does.

    One that would be written where one writes acts in the text.
    """
    for node in (screen, screen.app):
        for _, binding in node._bindings:
            if binding.action == action:
                key = screen.app._keymap.get(binding.id or "", binding.key).split(",")[0]
                return f"{written(key)} in the text" if types_text(key) else written(key)
    return ""


def with_key(means: str, screen: Screen[Any], action: str) -> str:
    """What an action means, and its key."""
    key = key_of(screen, action)
    return f"{means} ({key})" if key else means


def short(key: str) -> str:
    """A key in as few cells as it can be recognised by: `^R`, `⏎`, `^←`, `?`."""
    *modifiers, base = key.split("+")
    name = _SHORT.get(base) or character(base) or base
    if re.fullmatch(r"f\d+", base) or (modifiers and len(name) == 1):
        name = name.upper()
    marks = {"ctrl": "^", "shift": "⇧", "alt": "Alt+", "meta": "Alt+", "super": "❖"}
    return "".join(marks.get(modifier, modifier + "+") for modifier in modifiers) + name


def together(keys: list[str]) -> str:
    """Several keys of one thing, a common modifier said once: `^←→`, `F/f`."""
    names = [short(key) for key in keys]
    mark = names[0][:1]
    if len(names) > 1 and mark in "^⇧" and all(name.startswith(mark) for name in names):
        names = [names[0], *(name[1:] for name in names[1:])]
    arrows = all(name.lstrip("^⇧") in "←→↑↓" for name in names)
    return ("" if arrows else "/").join(names)
