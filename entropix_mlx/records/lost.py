"""What of a text the model was not told, because its tokenizer has no token for it."""

from collections.abc import Sequence
from itertools import islice

from entropix_mlx.records.record import Event

LOST = "lost"
"""The kind of the event that tells of it; it follows the text's record."""

_MOST = 100
"""Characters that an event names; it counts all."""

_SAID = 5


def lost(index: int, text: str, places: Sequence[int]) -> Event:
    """That the characters of `text` at `places` had no tokens."""
    characters = [[place, text[place]] for place in places[:_MOST]]
    return Event(kind=LOST, index=index, detail={"count": len(places), "characters": characters})


def count(event: Event) -> int:
    """How many characters an event tells of, as far as it can be believed."""
    found = (event.detail or {}).get("count")
    return found if isinstance(found, int) and 0 < found < 2**53 else 0


def sentence(event: Event) -> str:
    """Which characters were lost, and where, counted from 1."""
    total = count(event)
    listed = (event.detail or {}).get("characters")
    named = []
    for entry in islice(listed if isinstance(listed, list) else (), _SAID):
        match entry:
            case [int(place), str(char)] if len(char) == 1:
                named.append(f"U+{ord(char):04X} at {place + 1}")
    more = ", …" if named and total > len(named) else ""
    which = f" ({', '.join(named)}{more})" if named else ""
    one = total == 1
    return (
        f"{total} character{'' if one else 's'} of the text {'has' if one else 'have'} no token "
        f"and {'is' if one else 'are'} left out{which}"
    )
