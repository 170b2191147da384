"""Small functions of Python, with what they are for, what they do, and what to call them with."""

import calendar
import math
import random
import string
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Arguments = list[Any]
Cases = Callable[[random.Random], list[Arguments]]


class Function(NamedTuple):
    """`says`: what it does, behind "a function that". `{k}`, in it and in `name`, stands for a
    number that `does` gets first.
    """

    kind: str
    name: str
    parameters: str
    says: str
    does: Callable[..., Any]
    cases: Cases

    @property
    def has_number(self) -> bool:
        return "{k}" in self.says


def _whole(least: int, most: int, of: int = 1) -> Cases:
    """Of so many whole numbers each, the smallest and largest ones too."""
    return lambda chance: [
        [least] * of,
        [most] * of,
        *([chance.randint(least, most) for _ in range(of)] for _ in range(5)),
    ]


def _each(arguments: Iterable[Any]) -> Cases:
    """Always the same, of one argument each."""
    calls = [[argument] for argument in arguments]
    return lambda _: calls


def _words(chance: random.Random) -> list[Arguments]:
    texts = ["", "a", "Level", "hello world", "Python is FUN", "x1 y2  z3"]
    return [
        *([text] for text in texts),
        ["".join(chance.choices(string.ascii_letters + " ", k=12))],
    ]


def _lists(least_length: int) -> Cases:
    def cases(chance: random.Random) -> list[Arguments]:
        lengths = [least_length, least_length + 1, 3, 5, 5, 8]
        return [[[chance.randint(-20, 20) for _ in range(length)]] for length in lengths]

    return cases


def _letters_of(chance: random.Random) -> list[Arguments]:
    texts = [text for (text,) in _words(chance)]
    return [
        ["hello world", "l"],
        ["banana", "a"],
        *([text, chance.choice("aelo")] for text in texts),
    ]


def _text_lists(chance: random.Random) -> list[Arguments]:
    words = ["kite", "a", "river", "Zebra", "no", "planet", "sun", ""]
    return [[["one"]], *([chance.sample(words, length)] for length in (2, 3, 4, 6))]


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % k for k in range(2, math.isqrt(n) + 1))


def _fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


_VOWELS = "aeiouAEIOU"

_NUMBERS = (
    ("add", "a, b", "returns the sum of a and b", lambda a, b: a + b, _whole(-50, 50, 2)),
    ("subtract", "a, b", "returns a minus b", lambda a, b: a - b, _whole(-50, 50, 2)),
    ("multiply", "a, b", "returns the product of a and b", lambda a, b: a * b, _whole(-9, 9, 2)),
    ("square", "n", "returns the square of n", lambda n: n * n, _whole(-30, 30)),
    ("maximum", "a, b", "returns the larger one of a and b", max, _whole(-50, 50, 2)),
    ("minimum", "a, b, c", "returns the smallest of a, b and c", min, _whole(-50, 50, 3)),
    ("is_even", "n", "returns whether n is even", lambda n: n % 2 == 0, _whole(-9, 20)),
    ("is_odd", "n", "returns whether n is odd", lambda n: n % 2 == 1, _whole(-9, 20)),
    ("absolute", "n", "returns the absolute value of n", abs, _whole(-50, 50)),
    ("factorial", "n", "returns the factorial of n", math.factorial, _whole(0, 9)),
    ("is_prime", "n", "returns whether n is a prime number", _is_prime, _each(range(-1, 40))),
    (
        *("fibonacci", "n", "returns the n-th Fibonacci number; the 0th is 0, the 1st is 1"),
        *(_fibonacci, _whole(0, 20)),
    ),
    ("gcd", "a, b", "returns the greatest common divisor of a and b", math.gcd, _whole(1, 60, 2)),
    (
        *("digit_sum", "n", "returns the sum of the digits of the non-negative number n"),
        *(lambda n: sum(map(int, str(n))), _whole(0, 9999)),
    ),
    (
        *("sum_to", "n", "returns the sum of the whole numbers from 1 to n"),
        *(lambda n: n * (n + 1) // 2, _whole(0, 40)),
    ),
    (
        *("sign", "n", "returns 1 if n is positive, -1 if it is negative, and 0 if it is 0"),
        *(lambda n: (n > 0) - (n < 0), _whole(-3, 3)),
    ),
    (
        *("is_leap_year", "year", "returns whether the year is a leap year (Gregorian calendar)"),
        *(calendar.isleap, _each((1900, 1996, 2000, 2023, 2024, 2100))),
    ),
    ("add_{k}", "n", "returns n plus {k}", lambda k, n: n + k, _whole(-30, 30)),
    ("times_{k}", "n", "returns n times {k}", lambda k, n: n * k, _whole(-30, 30)),
    ("power_of_{k}", "n", "returns {k} to the power of n", lambda k, n: k**n, _whole(0, 8)),
    (
        *("is_divisible_by_{k}", "n", "returns whether n is divisible by {k}"),
        *(lambda k, n: n % k == 0, _each(range(41))),
    ),
    (
        *("remainder_of_{k}", "n", "returns the remainder of the division of n by {k}"),
        *(lambda k, n: n % k, _whole(0, 60)),
    ),
    (
        *("is_more_than_{k}", "n", "returns whether n is greater than {k}"),
        *(lambda k, n: n > k, _each(range(-2, 15))),
    ),
)
_TEXTS = (
    ("reverse", "text", "returns the text backwards", lambda t: t[::-1], _words),
    (
        *(
            "count_vowels",
            "text",
            "returns how many vowels (a, e, i, o, u, small or capital) it has",
        ),
        *(lambda t: sum(c in _VOWELS for c in t), _words),
    ),
    ("shout", "text", "returns the text in capital letters", str.upper, _words),
    ("whisper", "text", "returns the text in small letters", str.lower, _words),
    ("length", "text", "returns how many characters the text has", len, _words),
    (
        "count_words",
        "text",
        "returns how many words the text has",
        lambda t: len(t.split()),
        _words,
    ),
    (
        *(
            "is_palindrome",
            "text",
            "returns whether the text reads the same backwards, ignoring case",
        ),
        *(lambda t: t.lower() == t.lower()[::-1], _words),
    ),
    ("remove_spaces", "text", "returns it without spaces", lambda t: t.replace(" ", ""), _words),
    (
        *("count_letter", "text, letter", "returns how often the letter occurs in the text"),
        *(lambda t, c: t.count(c), _letters_of),
    ),
    ("double", "text", "returns the text twice, one behind the other", lambda t: t + t, _words),
    (
        *("first_{k}_letters", "text", "returns the first {k} characters of the text"),
        *(lambda k, t: t[:k], _words),
    ),
    (
        *("repeat_{k}_times", "text", "returns the text {k} times, one behind the other"),
        *(lambda k, t: t * k, _words),
    ),
    (
        *("is_longer_than_{k}", "text", "returns whether the text has more than {k} characters"),
        *(lambda k, t: len(t) > k, _each("x" * n for n in range(14))),
    ),
)
_LISTS = (
    ("total", "numbers", "returns the sum of a list of numbers", sum, _lists(0)),
    ("largest", "numbers", "returns the largest number of a list", max, _lists(1)),
    ("smallest", "numbers", "returns the smallest number of a list", min, _lists(1)),
    ("mean", "numbers", "returns the mean of a list", lambda n: sum(n) / len(n), _lists(1)),
    ("reversed_list", "items", "returns a list backwards", lambda n: n[::-1], _lists(0)),
    ("ascending", "numbers", "returns the list in ascending order", sorted, _lists(0)),
    (
        *("evens", "numbers", "returns a list of the even numbers of a list, in their order"),
        *(lambda n: [each for each in n if each % 2 == 0], _lists(0)),
    ),
    (
        *("squares", "numbers", "returns a list of the squares of the numbers of a list"),
        *(lambda n: [each * each for each in n], _lists(0)),
    ),
    (
        *("contains", "items, item", "returns whether the item is in the list"),
        *(lambda n, item: item in n, lambda _: [[[3, 1, 2, k], 5] for k in range(8)]),
    ),
    (
        *(
            "unique",
            "items",
            "returns the list without repetitions, in the order of first occurrence",
        ),
        *(
            lambda n: list(dict.fromkeys(n)),
            lambda c: [[c.choices(range(4), k=k)] for k in range(7)],
        ),
    ),
    ("joined", "words", "returns the words joined by single spaces", " ".join, _text_lists),
    (
        *(
            "longest_word",
            "words",
            "returns the longest word of a list, the first one if several are",
        ),
        *(lambda words: max(words, key=len), _text_lists),
    ),
    (
        *("count_above_{k}", "numbers", "returns how many numbers of a list are greater than {k}"),
        *(lambda k, n: sum(each > k for each in n), _each(list(range(m)) for m in range(14))),
    ),
    (
        *("add_{k}_to_all", "numbers", "returns a list with {k} added to each number of a list"),
        *(lambda k, n: [each + k for each in n], _lists(0)),
    ),
    (
        *(
            "every_{k}th",
            "items",
            "returns a list of every {k}th item of a list, from the first on",
        ),
        *(lambda k, n: n[::k], _each(list(range(m)) for m in (0, 1, 5, 12, 20))),
    ),
)
FUNCTIONS = tuple(
    Function(kind, *entry)
    for kind, entries in (("number", _NUMBERS), ("text", _TEXTS), ("list", _LISTS))
    for entry in entries
)
