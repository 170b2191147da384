"""What of words and sentences shows in a token alone."""

from collections.abc import Iterable
from enum import IntFlag

_ENDS = (".", "!", "?", "。", "！", "？")  # noqa: RUF001 - full stops of Chinese and Japanese
_CLOSERS = "\"'”’)]}»*_"  # noqa: RUF001
_QUESTIONS = ("?", "？")  # noqa: RUF001


class Mark(IntFlag):
    """BEGINS: a word begins with it, as it brings the space before it. BLANK: what follows begins
    a word. ENDS: a sentence ends, if a word begins after it. ASKS: it has a question mark. STOPS:
    it ends an answer.
    """

    BEGINS = 1
    BLANK = 2
    ENDS = 4
    ASKS = 8
    STOPS = 16


def marks_of(tokens: Iterable[bytes], special: frozenset[int], stops: frozenset[int]) -> bytes:
    """A byte for each id: its marks. Special tokens stand between texts, so a sentence begins
    after one.
    """
    found = []
    for id, token in enumerate(tokens):
        if id in stops:
            found.append(Mark.STOPS | Mark.ENDS | Mark.BLANK)
        elif id in special:
            found.append(Mark.ENDS | Mark.BLANK)
        else:
            found.append(_mark(token.decode("utf-8", "replace")))
    return bytes(found)


def _mark(text: str) -> Mark:
    mark = Mark(0)
    if text[:1].isspace():
        mark |= Mark.BEGINS
    if text[-1:].isspace():
        mark |= Mark.BLANK
    said = text.rstrip().rstrip(_CLOSERS)
    # Three dots go on.
    if "\n" in text or (said.endswith(_ENDS) and not said.endswith("..")):
        mark |= Mark.ENDS
    if any(question in text for question in _QUESTIONS):
        mark |= Mark.ASKS
    return mark
