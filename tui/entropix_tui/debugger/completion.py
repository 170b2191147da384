"""What a line for the debugger could go on with, and where a breakpoint is not in the grammar."""

import re
from collections.abc import Iterable

from entropix_mlx.conditions.lexer import ConditionError
from entropix_mlx.debugger.breakpoints import Breakpoints
from entropix_models.errors import UsageError

_MAKING = ("break", "tbreak", "watch", "catch", "b", "tb")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*$")


def completed(value: str, verb: str = "") -> str | None:
    """The text with its last word completed, if there is a way; `verb`: what comes before it."""
    line = f"{verb} {value}" if verb else value
    word = _WORD.search(line)
    if word is None or not _WORD.search(value):
        return None
    before = line[: word.start()]
    found = [name for name in _words(before) if name.startswith(word[0]) and name != word[0]]
    return value[: len(value) - len(word[0])] + found[0] if found else None


def wrong(value: str, verb: str = "") -> tuple[int, str] | None:
    """The column (from 1, of `value`) and what is wrong there, if it makes a breakpoint and
    is not in the grammar; nothing written yet is not wrong.
    """
    written = value
    if not verb:
        verb, blank, rest = value.lstrip().partition(" ")
        if not blank:
            return None
        value = rest
    if verb not in _MAKING or not value.strip():
        return None
    if written is not value or not begins_with_verb(value):
        named = {"b": "break", "tb": "tbreak"}.get(verb, verb)
        value = f"{named} {value}"
    try:
        Breakpoints().add(value)
    except ConditionError as error:
        column = error.column - (len(value) - len(written))
        return max(1, min(column, len(written) + 1)), str(error).partition(": ")[2]
    except UsageError as error:
        return len(written) + 1, str(error)
    return None


def begins_with_verb(value: str) -> bool:
    """Whether a breakpoint is written with its verb."""
    return value.strip().partition(" ")[0] in _MAKING[:4]


def _words(before: str) -> Iterable[str]:
    """What may stand after a beginning of a line."""
    from entropix_mlx.conditions.parser import NAMES
    from entropix_mlx.debugger.breakpoints import VERBS
    from entropix_mlx.debugger.commands import COMMANDS
    from entropix_mlx.debugger.triggers import CATCHES
    from entropix_mlx.records.record import TokenRecord
    from entropix_mlx.sampling.settings import declared, parameters

    first = before.split(maxsplit=1)[0] if before.strip() else ""
    match first:
        case "":
            return [command.name for command in COMMANDS]
        case "set":
            return [f"{name}=" for name in parameters()] if "=" not in before else []
        case "preset":
            return list(declared())
        case "until" | "u":
            return ["line", "sentence"]
        case "catch":
            return list(CATCHES)
        case "display":
            return TokenRecord.__struct_fields__
        case "delete" | "enable" | "disable":
            return ["all"]
        case "break" | "tbreak" | "watch" | "b" | "tb":
            own = VERBS[:4] if not before[len(first) :].strip() else ()
            return [*NAMES, *("strategy", "argmax")[: 2 * (first == "watch")], *own]
    return []
