"""Which number is larger: decimals that read like versions, asked in many ways and both orders."""

import random
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice, permutations
from typing import ClassVar, NamedTuple

from entropix_mlx.evaluation.answer import plain, yes_no
from entropix_mlx.evaluation.item import Item, Items, Verdict, guessing
from entropix_mlx.evaluation.numeral import numerals
from entropix_mlx.evaluation.task import Encode, Task
from entropix_models.progress import Progress, quiet


class _Phrasing(NamedTuple):
    """`numbers`: how many it asks of; `sign`: 1 where the larger one is wanted, -1 the smaller."""

    kind: str
    text: str
    numbers: int
    sign: int = 1


_PHRASINGS = (
    _Phrasing("which larger", "Which is larger, {} or {}?", 2),
    _Phrasing("which number bigger", "Which number is bigger, {} or {}?", 2),
    _Phrasing("which greater", "Which of these is greater: {} or {}?", 2),
    _Phrasing("yes or no larger", "Is {} larger than {}? Answer yes or no.", 2),
    _Phrasing("number first", "{} or {}: which number is larger?", 2),
    _Phrasing("write larger", "Write the larger number: {} and {}.", 2),
    _Phrasing("which smaller", "Which is smaller, {} or {}?", 2, -1),
    _Phrasing("yes or no smaller", "Is {} smaller than {}? Answer yes or no.", 2, -1),
    _Phrasing("write smaller", "Write the smaller number: {} and {}.", 2, -1),
    _Phrasing("largest of three", "Which is the largest of {}, {} and {}?", 3),
    _Phrasing("write largest", "Write the largest number: {}, {} and {}.", 3),
    _Phrasing("smallest of three", "Which is the smallest of {}, {} and {}?", 3, -1),
)
_CLASSIC = (("9.9", "9.11"), ("9.8", "9.11"), ("9.9", "9.11", "9.1102001"))
_YES_NO = "yes or no"

_MORE = r"larger|bigger|greater|higher|largest|biggest|greatest|highest"
_LESS = r"smaller|lesser|less|lower|smallest|least|lowest"
_IS = r"(?:is|was|are|would be|=|:)"
_LIST = r"(?:(?:of|between|among|out of|from)?[ ]?(?:#\d+[, ]*(?:(?:and|or)[ ])?)+)"
_BEFORE = re.compile(
    rf"#(\d+)[ ](?:{_IS}[ ])(not[ ])?(?:the[ ]|a[ ]|much[ ]|slightly[ ]|actually[ ]|in fact[ ])*"
    rf"(?:({_MORE})|({_LESS}))\b(?:[ ](?:number|one|value|decimal))?(?:[ ](than)[ ]#(\d+))?"
)
_AFTER = re.compile(
    rf"\b(?:({_MORE})|({_LESS}))(?:[ ](?:number|one|value|decimal|of the (?:two|three)))*[ ]?"
    rf"{_LIST}?[ ]?{_IS}[ ](not[ ])?(?:the[ ]|number[ ])*#(\d+)"
)
_COMPARED = re.compile(r"#(\d+)[ ]([<>])[ ]#(\d+)")


class Larger(Task):
    """The classic pairs in every phrasing and order, then others of the same trap, by a seed.

    Each set of numbers is asked in all its orders, so that every place is right equally often.

    An answer settles on the number that it says is the wanted one (`9.9 is larger`, `the larger
    number is 9.9`, `9.9 > 9.11`; of two numbers, what it says of the other one counts too). If it
    says so of several, it settles on none. If it says so of none, it settles on the number that it
    begins with, unless another one follows in the same breath, or on the only number that it names.
    Where yes or no is asked for, nothing else is an answer.
    """

    summary: ClassVar = "which number is larger, in all phrasings (9.9 or 9.11)"
    max_tokens: ClassVar = 48

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        del progress
        found = islice(_all(random.Random(f"{seed} larger")), n)
        return Items(
            [
                _item(f"larger-{number}", phrasing, numbers)
                for number, (phrasing, numbers) in enumerate(found, 1)
            ]
        )

    def judge(self, item: Item, text: str) -> Verdict:
        if item.kind.startswith(_YES_NO):
            given = yes_no(text)
        else:
            given = settled(text, item.data["numbers"].split(), int(item.data["sign"]))
        return Verdict(given, given in item.accepted)

    def chance(self, items: Sequence[Item]) -> float | None:
        return guessing(items)

    def notes(self, items: Sequence[Item], encode: Encode) -> list[str]:
        """How the model splits the numbers that the items are about, the classic ones first."""
        asked = {number for item in items for number in item.data["numbers"].split()}
        classic = dict.fromkeys(number for numbers in _CLASSIC for number in numbers)
        parts = {number: encode(number) for number in classic if number in asked}
        return [
            f"{number} is {' · '.join(tokens)} to the model: {len(tokens)} "
            f"{'token' if len(tokens) == 1 else 'tokens'}"
            for number, tokens in parts.items()
        ]


def _item(id: str, phrasing: _Phrasing, numbers: Sequence[str]) -> Item:
    wanted = max(numbers, key=lambda number: phrasing.sign * Fraction(number))
    if phrasing.kind.startswith(_YES_NO):
        right = "yes" if numbers[0] == wanted else "no"
        wrong: tuple[str, ...] = ("no" if right == "yes" else "yes",)
    else:
        right, wrong = wanted, tuple(number for number in numbers if number != wanted)
    return Item(
        id,
        phrasing.text.format(*numbers),
        phrasing.kind,
        accepted=(right,),
        rejected=wrong,
        data={"numbers": " ".join(numbers), "sign": str(phrasing.sign)},
    )


def _all(chance: random.Random) -> Iterator[tuple[_Phrasing, tuple[str, ...]]]:
    asked = set(_CLASSIC)
    for numbers in _CLASSIC:
        for phrasing in _PHRASINGS:
            if phrasing.numbers == len(numbers):
                yield from ((phrasing, order) for order in permutations(numbers))
    of_two = cycle([phrasing for phrasing in _PHRASINGS if phrasing.numbers == 2])
    while True:
        numbers = _trap(chance)
        if numbers not in asked:
            asked.add(numbers)
            phrasing = next(of_two)
            yield from ((phrasing, order) for order in permutations(numbers))


def _trap(chance: random.Random) -> tuple[str, str]:
    """The first is larger, though the digits behind its point are the smaller whole number."""
    whole = chance.randrange(1, 100)
    after, before = chance.choice(((1, 2), (2, 3), (1, 7)))
    large = chance.randrange(2 * 10 ** (after - 1), 10**after)
    small = chance.randrange(10 ** (before - 1), large * 10 ** (before - after))
    large, small = (n + 1 if n % 10 == 0 else n for n in (large, small))  # no zero at the end
    return f"{whole}.{large}", f"{whole}.{small}"


def settled(text: str, numbers: Sequence[str], sign: int) -> str | None:
    """Which of the numbers a text says is the largest (`sign` 1) or the smallest (-1), as `Larger`
    says.
    """
    places = {Fraction(number): str(place) for place, number in enumerate(numbers)}
    marked, end = "", 0
    known: dict[str | None, None] = {}
    text = plain(text).strip()
    for numeral in numerals(text):
        place = places.get(numeral.value) if numeral.value is not None else None
        marked += text[end : numeral.start] + f"#{place or len(numbers)}"
        end = numeral.end
        known[place] = None
    marked = " ".join((marked + text[end:]).lower().replace("isn't", "is not").split())
    claims = set(_claims(marked, len(numbers), sign))
    if claims:
        return numbers[claims.pop()] if len(claims) == 1 else None
    begins = re.match(r"\W*#(\d+)(?![ ]?(?:,|:|and\b|or\b|vs\b|/|-|to\b)[ ]?#)", marked)
    if begins and int(begins[1]) < len(numbers):
        return numbers[int(begins[1])]
    only = next(iter(known)) if len(known) == 1 else None
    return None if only is None else numbers[int(only)]


def _claims(marked: str, of: int, sign: int) -> Iterator[int]:
    """The places of numbers that are said to be the wanted one."""

    def claim(place: str, is_more: bool, compared: bool) -> Iterator[int]:
        if int(place) >= of:
            return
        if of == 2:
            yield int(place) if is_more == (sign > 0) else 1 - int(place)
        elif not compared and is_more == (sign > 0):
            yield int(place)

    for match in _BEFORE.finditer(marked):
        place, denied, more, _, than, _ = match.groups()
        if not denied or of == 2:
            yield from claim(place, bool(more) != bool(denied), bool(than))
    for match in _AFTER.finditer(marked):
        more, _, denied, place = match.groups()
        if not denied or of == 2:
            yield from claim(place, bool(more) != bool(denied), False)
    for match in _COMPARED.finditer(marked):
        yield from claim(match[1], match[2] == ">", True)
