"""Short questions with answers that can be checked, and open prompts: what samplers are held to."""

import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

Judge = Callable[[str], bool]


class Question(NamedTuple):
    """`right` says whether what follows the `opening` of an answer is.

    The opening is put into the answer's mouth where a small model would talk about how one reckons
    until it is cut off.
    """

    kind: str
    text: str
    right: Judge
    opening: str = ""


_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
_NUMBER = re.compile(rf"(?<![\w.])-?\d+(?:,\d{{3}})*(?:\.\d+)?(?!\w)|\b(?:{'|'.join(_UNITS)})\b")


def numbers(text: str) -> list[float]:
    """The numbers in a text by their value, words up to twenty too."""
    found = (match.group() for match in _NUMBER.finditer(text.lower()))
    return [float(_UNITS.index(n) if n in _UNITS else n.replace(",", "")) for n in found]


def names(*words: str) -> Judge:
    """Right is what has one of the words, as a whole, whatever its case."""
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), re.I)
    return lambda answer: pattern.search(answer) is not None


def settles_on(right: str, *others: str) -> Judge:
    """Right is what names it before any of the others."""
    words = "|".join(re.escape(word) for word in sorted((right, *others), key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.I)

    def judge(answer: str) -> bool:
        first = pattern.search(answer)
        return first is not None and first.group().lower() == right.lower()

    return judge


def settles_on_number(right: float) -> Judge:
    """Right is what names it before any other number."""
    return lambda answer: numbers(answer)[:1] == [right]


_CAPITALS = {
    "France": ("Paris",),
    "Germany": ("Berlin",),
    "Italy": ("Rome",),
    "Spain": ("Madrid",),
    "Portugal": ("Lisbon",),
    "England": ("London",),
    "Ireland": ("Dublin",),
    "Austria": ("Vienna",),
    "Greece": ("Athens",),
    "Poland": ("Warsaw",),
    "Hungary": ("Budapest",),
    "Norway": ("Oslo",),
    "Sweden": ("Stockholm",),
    "Denmark": ("Copenhagen",),
    "Finland": ("Helsinki",),
    "Russia": ("Moscow",),
    "Turkey": ("Ankara",),
    "Egypt": ("Cairo",),
    "Kenya": ("Nairobi",),
    "Japan": ("Tokyo",),
    "China": ("Beijing", "Peking"),
    "India": ("New Delhi", "Delhi"),
    "Thailand": ("Bangkok",),
    "Australia": ("Canberra",),
    "Canada": ("Ottawa",),
    "Mexico": ("Mexico City",),
    "Cuba": ("Havana",),
    "Argentina": ("Buenos Aires",),
    "Chile": ("Santiago",),
    "Peru": ("Lima",),
}
_FORMS = {
    "plural": {
        "child": "children",
        "mouse": "mice",
        "foot": "feet",
        "tooth": "teeth",
        "goose": "geese",
        "man": "men",
        "knife": "knives",
        "leaf": "leaves",
        "box": "boxes",
        "city": "cities",
    },
    "past tense": {
        "go": "went",
        "run": "ran",
        "write": "wrote",
        "eat": "ate",
        "see": "saw",
        "take": "took",
        "sing": "sang",
        "buy": "bought",
    },
}
_INITIALS = ("planet", "zebra", "river", "mountain", "garden", "window")
_PEOPLE = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo")
_COLOURS = ("red", "blue", "green", "yellow", "white", "black")
_THINGS = ("kite", "boat", "coat", "lamp", "chair", "bicycle", "hat", "cup")
_TOWNS = ("Bergen", "Lyon", "Porto", "Dresden", "Graz", "Leeds", "Kyoto", "Tampa")


def questions() -> list[Question]:
    """Always the same."""
    return [*_capitals(), *_sums(), *_comparisons(), *_spellings(), *_recalls()]


def _capitals() -> Iterator[Question]:
    for country, capitals in _CAPITALS.items():
        yield Question("capital", f"What is the capital of {country}?", names(*capitals))


def _sums() -> Iterator[Question]:
    chance = random.Random(1)
    for least, most in ((1, 9), (5, 20), (20, 70)):
        for a, b in chance.sample(list(itertools.combinations(range(least, most + 1), 2)), 10):
            text, opening = f"What is {a} + {b}?", f"{a} + {b} ="
            yield Question("sum", text, settles_on_number(a + b), opening)


def _comparisons() -> Iterator[Question]:
    chance = random.Random(2)
    for n in range(28):
        most = (20, 100, 1000, 10_000)[n % 4]
        a, b = chance.sample(range(1, most), 2)
        larger = n % 8 < 4
        which = "larger" if larger else "smaller"
        right = max(a, b) if larger else min(a, b)
        text, opening = f"Which number is {which}, {a} or {b}?", f"The {which} number is"
        yield Question("comparison", text, settles_on_number(right), opening)


def _spellings() -> Iterator[Question]:
    for form, words in _FORMS.items():
        for word, right in words.items():
            yield Question("spelling", f'What is the {form} of "{word}"?', names(right))
    for word in _INITIALS:
        text = f'What is the first letter of the word "{word}"?'
        yield Question("spelling", text, names(word[0]))


def _recalls() -> Iterator[Question]:
    """What is asked for is told first and last by turns."""
    chance = random.Random(3)
    for n in range(10):
        who, which = chance.choice(_PEOPLE), n % 2
        things, colours = chance.sample(_THINGS, 2), chance.sample(_COLOURS, 2)
        told = " and ".join(f"a {c} {t}" for c, t in zip(colours, things, strict=True))
        text = f"{who} has {told}. What colour is the {things[which]}?"
        yield Question("recall", text, settles_on(colours[which], colours[1 - which]))
    for n in range(10):
        people, towns, which = chance.sample(_PEOPLE, 2), chance.sample(_TOWNS, 2), n % 2
        told = " ".join(f"{p} lives in {t}." for p, t in zip(people, towns, strict=True))
        text = f"{told} Where does {people[which]} live?"
        yield Question("recall", text, settles_on(towns[which], towns[1 - which]))
    for n in range(8):
        people, ages, which = chance.sample(_PEOPLE, 2), chance.sample(range(2, 20), 2), n % 2
        told = " and ".join(f"{p} is {a} years old" for p, a in zip(people, ages, strict=True))
        text = f"{told}. How old is {people[which]}? Answer with the number."
        yield Question("recall", text, settles_on_number(ages[which]))


OPEN = (
    "Which number is larger, 9.9 or 9.11?",
    "Write a short story about a robot that learns to paint.",
    "Continue: It was a dark and stormy night; the rain fell in torrents",
    "Continue: The detective entered the room and saw",
    "The capital of France is",
    "The best programming language for",
    "The quantum fluctuations",
    "Which is the largest of 9.9, 9.11 and 9.1102001?",
    "Why is the sky blue?",
    "Explain to a child how a bicycle stays upright.",
    "Give me three tips for sleeping well.",
    "Describe a walk along the sea in winter.",
    "How do I make a simple tomato soup?",
    "Write a polite letter that declines an invitation.",
    "What should I know before I adopt a cat?",
    "Tell me about the history of paper.",
    "Invent a name for a small bakery and say why it fits.",
    "Describe your favourite season.",
    "What makes a good friend?",
    "Write four lines about an old clock.",
)
