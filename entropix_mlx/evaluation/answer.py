"""The answer that a text settles on; None where it has none, or where it is not clear which.

What says that it is the answer goes before what only stands there; of several such statements of a
text the last one counts. Words are compared whole and without regard to case or accents.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache

from entropix_mlx.evaluation.numeral import Numeral, numerals

_LATEX = (
    (re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}"), r"\1/\2"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!])(?=\d{3})"), ","),
    (re.compile(r"\\(?:times|cdot)\b"), "×"),
    (re.compile(r"\\div\b"), "÷"),
    (re.compile(r"(?<!\\)\$(?=\S)([^$\n]+)(?<=[^\s\\])\$(?!\d)"), r"\1"),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\\[()\[\]]"), " "),
)
_EMPHASIS = re.compile(r"(?<![\w)*])(\*{1,3})(?=[^\s*])([^*\n]*)(?<=[^\s*])\1(?!\*)|__|`")

_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_STATED = re.compile(
    r"\banswers?\b(?:[^.\n:=]|\.\d){0,60}?(?:\b(?:is|are|be)\b|[:=])[ \t]*[:=]?\s*(?=([^\n]+))",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[;\n]|,?\s(?:because|since|as)\s", re.I)
_GOES_ON = re.compile(r"[ \t]*[a-z%]{0,12}[ \t]*(?:,|\band\b|\bor\b|\bto\b)[ \t]*[-$€£¥]?\d", re.I)

_DENIED = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bnor)\s+(?:the\s+|an?\s+|in\s+)?[\W_]*$", re.I
)
_NEAR = 40
"""Characters that say whether what follows is denied."""


def plain(text: str) -> str:
    """A text without its emphasis, and the little LaTeX that answers are written in."""
    for pattern, instead in _LATEX:
        text = pattern.sub(instead, text)
    return _EMPHASIS.sub(lambda match: match[2] or "", text)


def folded(text: str) -> str:
    """What two spellings of the same words have in common: no case, no accents, single spaces."""
    apart = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).casefold().split())


def bare(text: str) -> str:
    """Words alone, as question answering compares them: folded, without punctuation or articles."""
    words = re.sub(r"[^\w\s]", " ", folded(plain(text)))
    return " ".join(word for word in words.split() if word not in ("a", "an", "the"))


def stated(text: str) -> list[str]:
    """What follows "the answer is", "Answer:" and the like, to the end of the line."""
    return [said for said in _STATED.findall(text) if not re.match(r"(?:not|n't)\b", said, re.I)]


# Numbers.


def final_number(text: str) -> Fraction | None:
    """Of a text that reasons: what is behind `####`, in `\\boxed{}` or behind "the answer is", or
    else its last number that is not reckoned with.
    """
    if (said := _said_number(text)) is not None:
        return _alone(said)
    return _settled(numerals(plain(text)), last=True)


def first_number(text: str) -> Fraction | None:
    """Of a short answer: what is said to be the answer, or else its first number that is not
    reckoned with, as 12 is in "5 + 7 = 12".
    """
    if (said := _said_number(text)) is not None:
        return _alone(said)
    return _settled(numerals(plain(text)), last=False)


def _said_number(text: str) -> str | None:
    """The last statement of an answer that has a number in it."""
    boxed = [plain(said) for said in _BOXED.findall(text)]
    text = plain(text)
    for statements in (_HASHES.findall(text), boxed, stated(text)):
        for said in reversed(statements):
            if numerals(said):
                return str(said)
    return None


def _settled(found: Sequence[Numeral], *, last: bool) -> Fraction | None:
    settled = [each.value for each in found if not each.is_operand]
    return settled[-1 if last else 0] if settled else None


def _alone(said: str) -> Fraction | None:
    """The one number of a statement: the one that it begins with, or the only one it has."""
    end = _SENTENCE_END.search(said, 1)
    said = said[: end.start()] if end else said
    found = numerals(said)
    settled = [each for each in found if not each.is_operand]
    if not settled:
        return None
    first = settled[0]
    begins = found[0] is first and not re.search(r"\w", said[: first.start])
    if begins and not _GOES_ON.match(said, first.end):
        return first.value
    values = {each.value for each in settled}
    return first.value if len(values) == 1 else None


# Letters, yes and no, names.


def choice(text: str, letters: str) -> str | None:
    """One of the capital `letters`: "B", "(B)", "B) Paris", "Answer: B".

    The words "A" and "I" count where a mark or the end of a line follows. A text that says nothing
    of an answer and marks several letters has none.
    """
    text = plain(text).strip()
    for said in reversed(stated(text)):
        if match := _letter_at_start(letters).match(said):
            return _letter(match)
    found = {
        _letter(match)
        for match in _letter_marks(letters).finditer(text)
        if not _DENIED.search(text[: match.start()][-_NEAR:])
    }
    return found.pop() if len(found) == 1 else None


def _letter(match: re.Match[str]) -> str:
    return str(next(filter(None, match.groups()))).upper()


@cache
def _letter_marks(letters: str) -> re.Pattern[str]:
    either = letters + letters.lower()
    return re.compile(
        rf"[(\[]([{either}])[)\]]"  # (A)
        rf"|(?<![\w'\u2019(\[])([{letters}])(?=[).:\]](?:\s|$))"  # A)  A.  A:
        rf"|(?m:^)[ \t]*([{either}])[ \t]*[.,;:)]?[ \t]*(?m:$)"  # alone on its line
        rf"|\b(?i:option|choice|letter)[ \t]+([{letters}])(?!\w)"
    )


@cache
def _letter_at_start(letters: str) -> re.Pattern[str]:
    """Of a statement; "A or B" states neither."""
    words = "".join(letter for letter in letters if letter not in "AI")
    before_word = rf"|([{words}])(?=\s)" if words else ""
    either = letters + letters.lower()
    return re.compile(
        r"\s*(?:(?i:option|choice|letter)\s+)?"
        rf"(?![(\[]?[{either}][)\]]?\s*(?:,|/|&|or\b|and\b)\s*[(\[]?[{either}]\b)"
        rf"(?:[(\[]([{either}])[)\]]|([{letters}])(?=[).:,;\]]|\s*$)"
        rf"|([{letters.lower()}])[).]?\s*$" + before_word + ")"
    )


_YES_NO = re.compile(r"(?<![\w-])(yes|no)(?=\s*(?:[.,!;:)\]\n\"”]|$))", re.I)
_BOTH = re.compile(r"\b(?:yes\W+(?:and|or)\W+no|no\W+(?:and|or)\W+yes|yes/no)\b", re.I)


def yes_no(text: str) -> str | None:
    """In small letters: what is said to be the answer, what the text begins with, or else the only
    one of both that stands for itself ("no" in "no difference" does not).
    """
    text = _BOTH.sub(" ", plain(text)).strip()
    for said in [*reversed(stated(text)), text]:
        begins = re.match(r"[\W_]*(yes|no)(?![\w-])", said, re.I)
        if begins and (begins[1].lower() == "yes" or _YES_NO.match(said, begins.start(1))):
            return begins[1].lower()
    found = {
        match[1].lower()
        for match in _YES_NO.finditer(text)
        if not _DENIED.search(text[: match.start()][-_NEAR:])
    }
    return found.pop() if len(found) == 1 else None


def first_name(text: str, names: Iterable[str]) -> str | None:
    """The one of the names that comes first and is not denied; of two in a place the longer one."""
    text = folded(plain(text))
    known = {folded(name): name for name in names if name.strip()}
    if not known:
        return None
    of = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    for match in re.finditer(rf"(?<!\w)(?<!\w['\u2019])(?:{of})(?!\w)", text):
        if not _DENIED.search(text[: match.start()][-_NEAR:]):
            return known[match[0]]
    return None
