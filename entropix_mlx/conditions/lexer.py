"""The words, numbers, texts and signs that a condition is typed in, one after the other."""

import difflib
import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from entropix_mlx.conditions.operands import numbered
from entropix_models.errors import UsageError

_LEXEME = re.compile(
    r"""
      (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign><=|>=|==|!=|!~|[<>~()-])
    """,
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t]*")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_INSTEAD = {
    "=": "==",
    "&": "and",
    "|": "or",
    "!": "not",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}
"""What was meant by some characters that mean nothing here."""


class ConditionError(UsageError):
    """A condition, or a breakpoint's command, that is not in the grammar; `column` is 1-based."""

    def __init__(self, problem: str, column: int, thing: str = "condition") -> None:
        super().__init__(f"{thing}, column {column}: {problem}")
        self.column = column


class Lexeme(NamedTuple):
    """`kind`: number, name, text, sign or end; `start` counts from 0."""

    kind: str
    text: str
    start: int

    @property
    def column(self) -> int:
        return self.start + 1

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else shown(self.text)


def shown(text: str) -> str:
    """Something that was typed, for a message: on one line, and not all of it if it is long."""
    cut = text if len(text) <= 40 else text[:40] + "…"
    return "".join(c if c.isprintable() else numbered(c) for c in cut)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """What to add to a message about an unknown name: nothing, if none is close."""
    by_case = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name[:80].lower(), by_case, n=1)
    return f" (did you mean {by_case[close[0]]}?)" if close else ""


class Lexer:
    """Reads a text from `start`. Each lexeme is looked at when it is asked for, so that errors
    come in the order of the text; any method raises ConditionError.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._next: Lexeme | None = None

    def expected(self, what: str) -> ConditionError:
        found = self.peek()
        return ConditionError(f"expected {what}, found {found}", found.column)

    def accept(self, text: str) -> bool:
        # A text in quotes is never equal to a word or a sign: it has its quotes.
        if self.peek().text != text:
            return False
        self.take()
        return True

    def expect(self, text: str, what: str = "") -> None:
        """Take this text; `what` stands for it in the message if it is not there."""
        if not self.accept(text):
            raise self.expected(what or text)

    def text(self, what: str) -> Lexeme:
        """Take a text in quotes."""
        if self.peek().kind != "text":
            raise self.expected(what)
        return self.take()

    def take(self) -> Lexeme:
        lexeme, self._next = self.peek(), None
        return lexeme

    def peek(self) -> Lexeme:
        """The next one; the one of kind end stays."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def _read(self) -> Lexeme:
        blank = _BLANK.match(self._text, self._at)
        start = self._at if blank is None else blank.end()
        if start == len(self._text):
            return Lexeme("end", "", start)
        found = _LEXEME.match(self._text, start)
        if found is None or found.lastgroup is None:
            raise ConditionError(_strange(self._text[start]), start + 1)
        self._at = found.end()
        following = self._text[self._at : self._at + 1]
        if found.lastgroup == "number" and (following.isalnum() or following in (*"._",)):
            raise ConditionError(
                f"expected the end of the number, found {shown(following)}", self._at + 1
            )
        if found.lastgroup == "name" and following.isalnum():  # what looks like a letter of it
            raise ConditionError(_strange(following), self._at + 1)
        if found.lastgroup == "text":
            for n, character in enumerate(found[0]):
                if not character.isprintable():
                    raise ConditionError(
                        f"a character that cannot be seen; write {shown(character)}",
                        start + n + 1,
                    )
        return Lexeme(found.lastgroup, found[0], start)


def unescaped(lexeme: Lexeme) -> str:
    """What a text in quotes stands for."""

    def one(escape: re.Match[str]) -> str:
        letter, code = escape[0][1], escape[0][2:]
        column = lexeme.column + 1 + escape.start()
        if not code:
            if letter not in _ESCAPES:
                raise ConditionError(
                    f"there is no escape \\{shown(letter)}; a backslash itself is \\\\", column
                )
            return _ESCAPES[letter]
        number = int(code, 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise ConditionError(f"{escape[0]} is no character", column)
        return chr(number)

    return _ESCAPE.sub(one, lexeme.text[1:-1])


def _strange(character: str) -> str:
    """What to say of a character with which nothing begins."""
    if character in "\"'":
        return "this text has no closing quote"
    name = unicodedata.name(character, "")
    found = shown(character) + (f" ({name})" if not character.isascii() and name else "")
    instead = _INSTEAD.get(character) or unicodedata.normalize("NFKC", character)
    if instead.isascii() and instead != character:
        found += f"; write {shown(instead.strip() or 'a space')}"
    return f"expected a field, a number, a text in quotes or an operator, found {found}"


def listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
