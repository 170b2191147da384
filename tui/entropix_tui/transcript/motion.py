"""Where a cursor goes: from token to token by what they are."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Literal

from rich.cells import get_character_cell_size

from entropix_mlx.records.measures import favourite
from entropix_mlx.records.record import TokenRecord
from entropix_tui.transcript.transcript import Place, Transcript

Motion = Literal["token", "word", "valley", "doubt", "quadrant"]


def destination(
    transcript: Transcript, place: Place | None, kind: Motion, step: int
) -> Place | None:
    """The next place of a kind, forward (`step` 1) or back (-1); None when there is none.

    From nowhere it is the last one. `word`: the token that a word begins with; `valley`: one
    marked so; `doubt`: no token had half of the probability there; `quadrant`: another than the one
    before has.
    """
    if place is None:
        step = -1
    if kind == "valley":
        return _valley(transcript, place, step)
    tests: dict[Motion, Callable[[TokenRecord | None, TokenRecord], bool]] = {
        "token": lambda _before, _record: True,
        "word": _begins_word,
        "doubt": lambda _before, record: favourite(record) < 1 / 2,
        "quadrant": lambda before, record: (
            before is not None and before.quadrant != record.quadrant
        ),
    }
    test = tests[kind]
    at = transcript.next_token(place, step)
    while at is not None:
        record = transcript.record_at(at)
        before = transcript.record_at(Place(at.block, at.piece - 1))
        if record is not None and test(before, record):
            return at
        at = transcript.next_token(at, step)
    return None


def _valley(transcript: Transcript, place: Place | None, step: int) -> Place | None:
    number, piece = place or Place(len(transcript.blocks), 0)
    while 0 <= number <= len(transcript.blocks):
        block = transcript.blocks[number] if number < len(transcript.blocks) else None
        valleys = block.valleys if block else []
        if place is not None and number == place.block:
            at = bisect_right(valleys, piece) if step > 0 else bisect_left(valleys, piece) - 1
        else:
            at = 0 if step > 0 else len(valleys) - 1
        if 0 <= at < len(valleys):
            return Place(number, valleys[at])
        number += step
    return None


def _begins_word(before: TokenRecord | None, record: TokenRecord) -> bool:
    """Whether a word starts with this token; in scripts without spaces each token starts one."""
    word = record.text.lstrip()
    if not word or not word[0].isalnum():
        return False
    if before is None or len(word) < len(record.text) or get_character_cell_size(word[0]) > 1:
        return True
    return not before.text[-1:].isalnum()
