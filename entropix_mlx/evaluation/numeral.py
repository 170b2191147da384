"""Numbers in a text: digits and words, by their value.

A numeral that cannot be read for sure (`12:30`, `1.2.3`, `5k`, `1,2`) is there but has no value, so
that whoever takes the first or the last number of a text does not take its neighbour.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_BELOW_HUNDRED = {
    **{word: value for value, word in enumerate(UNITS)},
    **{word: 20 + 10 * place for place, word in enumerate(_TENS)},
}

_LONGEST = 100
"""Characters of a numeral that is read; nothing means a longer one, and it takes long."""
_DIGITS = re.compile(
    r"(?<![\w.])(?P<digits>(?:\d+|\.\d+)(?:[.,:/]\d+)*)(?P<exponent>[eE][+-]?\d+)?(?P<letters>\w*)"
)
_PLAIN = re.compile(r"(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?|\.\d+")
_RATIO = re.compile(r"(\d+)/(\d+)")
_SIGN = re.compile(r"(?<![\w)\]}])([-+\u2212]?)(?:[$€£¥]([-\u2212]?))?$")
_MEASURES = frozenset(
    {
        *("kg", "g", "mg", "lb", "lbs", "oz", "km", "m", "cm", "mm", "ft", "in", "mi", "mph", "l"),
        *("ml", "s", "sec", "secs", "ms", "h", "hr", "hrs", "min", "mins", "am", "pm"),
    }
)
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_SCALE = re.compile(rf"[ \t]+({'|'.join(_SCALES)})\b", re.I)
_WHOLE_BEFORE = re.compile(r"(?<![\w.,/])(\d+)[ \t]+$")

_WORD = "|".join((*_BELOW_HUNDRED, *_SCALES))
_WORDS = re.compile(
    rf"(?<![\w.-])(?:{_WORD})(?:[ \t]*[ \t-](?:and[ \t]+)?(?:{_WORD}))*(?![\w-])", re.I
)

_OPERATED_BEFORE = re.compile(
    r"(?:\S[^\S\n]*[+*×÷^]|[\d)%][^\S\n]*[-\u2212–/x]"
    r"|\b(?:plus|minus|times|(?:divided|multiplied) by))[^\S\n]*$"
)
_OPERATED_AFTER = re.compile(
    r"[^\S\n]*(?:[a-z%]{0,12}[^\S\n]*[+*×÷]|\^|[-\u2212–/x][^\S\n]*[$€£¥(]?\d"
    r"|(?:plus|minus|times|divided by|multiplied by)\b)"
)
_NEAR = 40


class Numeral(NamedTuple):
    """`value` is None where it cannot be read for sure; `start` and `end` are places in the text.

    `is_operand`: it is reckoned with (`5 + 7`, `3-4`), so that it is nobody's answer.
    """

    value: Fraction | None
    start: int
    end: int
    is_operand: bool


def numerals(text: str) -> list[Numeral]:
    """In their order.

    The word "one" counts only where nothing else does: "the larger one is 9.9".
    """
    found: list[Numeral] = []
    for number, start, end in sorted(
        (*_of_digits(text), *_of_words(text)), key=lambda each: (each[1], -each[2])
    ):
        if not found or start >= found[-1].end:  # else a part of it: "2 1/2", "3 million"
            found.append(Numeral(number, start, end, _is_operand(text, start, end)))
    return [each for each in found if text[each.start : each.end].lower() != "one"] or found


def value(text: str) -> Fraction | None:
    """Of a text that is a number and nothing else; else None."""
    text = text.strip()
    match numerals(text):
        case [Numeral(value=found, start=0, end=end)] if text[end:] in ("", "%"):
            return found
    return None


def written(number: Fraction) -> str:
    """As digits with a point where that is exact, else as a fraction."""
    rest = number.denominator
    places = dict.fromkeys((2, 5), 0)
    for prime in places:
        while rest % prime == 0:
            rest //= prime
            places[prime] += 1
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    after = max(places.values())
    digits = str(abs(number.numerator) * 10**after // number.denominator).rjust(after + 1, "0")
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[:-after]}.{digits[-after:]}" if after else sign + digits


Found = tuple[Fraction | None, int, int]


def _of_digits(text: str) -> Iterator[Found]:
    for match in _DIGITS.finditer(text):
        letters = match["letters"].lower()
        if letters in _ORDINALS:
            continue
        start, end = match.span()
        number = _read(match["digits"], match["exponent"] or "", letters)
        if scale := _SCALE.match(text, end):
            end = scale.end()
            number = number and number * _SCALES[scale[1].lower()]
        if "/" in match["digits"] and (whole := _WHOLE_BEFORE.search(text[:start][-_LONGEST:])):
            number = number and number + int(whole[1])
            start -= len(whole[0])
        if sign := _SIGN.search(text[max(0, start - 4) : start]):
            start -= len(sign[0])
            if {sign[1], sign[2]} & {"-", "\u2212"}:
                number = number and -number
        yield number, start, end


def _read(digits: str, exponent: str, letters: str) -> Fraction | None:
    if len(digits) > _LONGEST or len(exponent) > 4 or (letters and letters not in _MEASURES):
        return None
    if _PLAIN.fullmatch(digits):
        return Fraction(digits.replace(",", "") + exponent)
    ratio = _RATIO.fullmatch(digits)
    if ratio and not exponent and int(ratio[2]):
        return Fraction(int(ratio[1]), int(ratio[2]))
    return None


def _of_words(text: str) -> Iterator[Found]:
    """Each number of each run of number words; "one two" are two."""
    for run in _WORDS.finditer(text):
        number: _Spoken | None = None
        after_and = False
        for word in re.finditer(r"[a-z]+", run[0].lower()):
            if word[0] == "and":
                after_and = True
                continue
            start, end = (run.start() + place for place in word.span())
            if number is None or not number.takes(word[0], after_and):
                if number is not None:
                    yield number.found()
                number = _Spoken(word[0], start)
            number.end = end
            after_and = False
        if number is not None:
            yield number.found()


class _Spoken:
    """A number as its words come."""

    def __init__(self, word: str, start: int) -> None:
        self._start = self.end = start
        self._whole = 0
        self._part = _BELOW_HUNDRED.get(word, 1)
        self._scale = 10**12
        if word in _SCALES:
            self.takes(word, False)

    def takes(self, word: str, after_and: bool) -> bool:
        """Whether the word goes on with it; "and" only goes on behind a hundred or more."""
        part = self._part
        if word == "hundred":
            if after_and or not 0 < part < 20:
                return False
            self._part *= 100
        elif word in _SCALES:
            if after_and or not part or _SCALES[word] >= self._scale:
                return False
            self._scale = _SCALES[word]
            self._whole += part * self._scale
            self._part = 0
        else:
            more = _BELOW_HUNDRED[word]
            behind_scale = (part >= 100 or self._whole > 0) and part % 100 == 0
            behind_ten = part % 100 >= 20 and part % 10 == 0 and 0 < more < 10 and not after_and
            if not more or not (behind_scale or behind_ten):
                return False
            self._part += more
        return True

    def found(self) -> Found:
        return Fraction(self._whole + self._part), self._start, self.end


def _is_operand(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _NEAR) : start]
    return bool(_OPERATED_BEFORE.search(before) or _OPERATED_AFTER.match(text[end : end + _NEAR]))
