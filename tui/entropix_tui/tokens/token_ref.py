"""The name of one token, wherever it was said."""

from typing import NamedTuple


class TokenRef(NamedTuple):
    """Token record `index` (`nth` 0), or the `nth` id of the prompt record `index`."""

    index: int  # type: ignore[assignment]  # a tuple has a method of this name
    nth: int = 0
