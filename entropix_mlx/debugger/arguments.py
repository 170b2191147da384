"""What the words after a debugger's command mean. All raise UsageError."""

import json
import re

from entropix_mlx.debugger.debugger import Debugger
from entropix_models.errors import UsageError


def count(text: str, what: str, least: int = 1) -> int:
    if not re.fullmatch("[0-9]{0,9}", text) or int(text or "1") < least:
        raise UsageError(f"{what} {text[:20]!r}: give a whole number from {least} on")
    return int(text or "1")


def number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise UsageError(f"{what} {text[:20]!r}: give a number from {low:g} to {high:g}")
    return value


def text(rest: str) -> str:
    """A text as it stands, or in double quotation marks with JSON's escapes."""
    if len(rest) >= 2 and rest.startswith('"') and rest.endswith('"'):
        try:
            return str(json.loads(rest))
        except ValueError:
            return rest
    return rest


def candidate(debugger: Debugger, rest: str) -> int:
    """The id of a listed candidate by its number, or of a text that is one token."""
    listed = debugger.live.proposal().candidates
    if re.fullmatch("[0-9]{1,3}", rest):
        if not 1 <= int(rest) <= len(listed):
            raise UsageError(f"there are {len(listed)} candidates; give a number or a text")
        return listed[int(rest) - 1][0]
    spelt = text(rest)
    ids = debugger.session.model.tokenizer.encode(spelt)
    if len(ids) != 1:
        raise UsageError(f"{spelt[:40]!r} is {len(ids)} tokens; type inserts a longer text")
    return ids[0]


def leaf(debugger: Debugger, rest: str) -> int:
    branches = debugger.session.tree.branches()
    number = count(rest or "0", "branch", least=0)
    if not 1 <= number <= len(branches):
        raise UsageError(f"there is no branch {rest}; branches lists {len(branches)} of them")
    return branches[number - 1].leaf
