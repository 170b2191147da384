"""Conditions on a proposed token, as they are typed: `entropy > 3 and (rank > 1 or text ~ "so")`.

A small grammar with a parser of its own: what it does not name is an error at its column, and
nothing is ever evaluated but comparisons of a record's fields.
"""

from collections.abc import Callable

from entropix_mlx.conditions import terms
from entropix_mlx.conditions.lexer import (
    ConditionError,
    Lexeme,
    Lexer,
    did_you_mean,
    listed,
    shown,
    unescaped,
)
from entropix_mlx.conditions.operands import (
    CHANGING,
    FIELDS,
    MEASURES,
    NAMED,
    OPEN,
    TEXTS,
    Delta,
    Field,
    Literal,
    Minus,
    Operand,
    Probability,
    quoted,
)
from entropix_mlx.conditions.patterns import Pattern, PatternError
from entropix_mlx.conditions.ranks import senseless
from entropix_mlx.conditions.terms import Term

LONGEST = 2_000
"""Characters of a condition, as typed and as written out."""

DEEPEST = 50
"""Parentheses and `not` within each other."""

_WORDS = ("and", "or", "not", "null", "do")
NAMES = (*FIELDS, "changed", "delta", *_WORDS)
"""Every word of the grammar."""


def parse(text: str) -> Term:
    """The condition of a whole text. Raises ConditionError."""
    condition, end = leading(text)
    if end < len(text):
        raise ConditionError("expected and, or, or the end, found do", end + 1)
    return condition


def leading(text: str, start: int = 0) -> tuple[Term, int]:
    """The condition from `start` to the word `do` or the end, and where that is.

    Raises ConditionError with columns of the whole text.
    """
    condition, end = _Parser(text, start).whole()
    if len(str(condition)) > LONGEST:
        raise ConditionError(
            f"a condition has at most {LONGEST:,} characters, also when it is written out",
            start + 1,
        )
    return condition, end


class _Parser:
    """Recursive descent; a method for each rule of the grammar."""

    def __init__(self, text: str, start: int) -> None:
        if len(text) - start > LONGEST:
            raise ConditionError(
                f"a condition has at most {LONGEST:,} characters", start + LONGEST + 1
            )
        self._lexer = Lexer(text, start)
        self._depth = 0

    def whole(self) -> tuple[Term, int]:
        """The term, and where what follows it begins."""
        term = self._or()
        found = self._lexer.peek()
        if found.text == ")":
            raise ConditionError("this parenthesis was not opened", found.column)
        if found.kind != "end" and found.text != "do":
            raise self._lexer.expected("and, or, or the end")
        return term, found.start

    def _or(self) -> Term:
        return self._joined(terms.Or, "or", self._and)

    def _and(self) -> Term:
        return self._joined(terms.And, "and", self._not)

    def _joined(
        self, kind: type[terms.And | terms.Or], word: str, inner: Callable[[], Term]
    ) -> Term:
        found = [inner()]
        while self._lexer.accept(word):
            found.append(inner())
        # One kind is never directly within itself, so that a meaning has one form.
        flat = [t for term in found for t in (term.terms if isinstance(term, kind) else (term,))]
        return flat[0] if len(flat) == 1 else kind(tuple(flat))

    def _not(self) -> Term:
        first = self._lexer.peek()
        if self._lexer.accept("not"):
            self._deeper(first)
            term: Term = terms.Not(self._not())
            self._depth -= 1
            return term
        if self._lexer.accept("("):
            self._deeper(first)
            term = self._or()
            self._lexer.expect(")", f"and, or, or the ) of column {first.column}")
            self._depth -= 1
            return term
        if self._lexer.accept("changed"):
            return terms.Changed(self._argument(CHANGING))
        return self._comparison()

    def _deeper(self, token: Lexeme) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ConditionError(f"more than {DEEPEST} within each other", token.column)

    def _comparison(self) -> Term:
        sides, starts = [], [self._lexer.peek()]
        sides.append(self._operand())
        first = self._lexer.peek()
        if first.text in ("~", "!~") and first.kind == "sign":
            return self._match(sides[0], self._lexer.take())
        signs: list[Lexeme] = []
        while (sign := self._lexer.peek()).kind == "sign" and sign.text in terms.COMPARISONS:
            signs.append(self._lexer.take())
            starts.append(self._lexer.peek())
            if starts[-1].text == "null":
                return self._null(sides, starts[0], signs)
            sides.append(self._operand())
        if not signs:
            wanted = "== != ~ or !~" if sides[0].is_text else "< <= > >= == or !="
            raise self._lexer.expected(f"{wanted} after {starts[0]}")
        self._check(sides, starts, signs)
        return terms.Comparison(tuple(sides), tuple(sign.text for sign in signs))

    def _check(self, sides: list[Operand], starts: list[Lexeme], signs: list[Lexeme]) -> None:
        """Numbers with numbers, texts with texts, names with names that there are, ranks with what
        only some have.
        """
        for n, sign in enumerate(signs):
            left, right = sides[n : n + 2]
            if n and not {sign.text, signs[n - 1].text} <= {*terms.ORDERS}:
                raise ConditionError(
                    "only < <= > >= can follow each other; join comparisons by and", sign.column
                )
            if left.is_text and sign.text in terms.ORDERS:
                raise ConditionError(
                    f"{sign.text} compares numbers, and {shown(str(left))} is a text; "
                    "use == != ~ or !~",
                    sign.column,
                )
            if left.is_text != right.is_text:
                kinds = ["a text" if side.is_text else "a number" for side in (left, right)]
                raise ConditionError(
                    f"{shown(str(left))} is {kinds[0]}, {shown(str(right))} is {kinds[1]}",
                    starts[n + 1].column,
                )
            if said := senseless(left, sign.text, right):
                raise ConditionError(said, sign.column)
            for named, other, at in ((left, right, starts[n + 1]), (right, left, starts[n])):
                if isinstance(named, Field) and isinstance(other, Literal):
                    self._check_name(named.name, other.value, at)

    def _check_name(self, name: str, value: float | str, at: Lexeme) -> None:
        if not isinstance(value, str) or name not in NAMED or value in NAMED[name]:
            return
        if name not in OPEN or did_you_mean(value, NAMED[name]):
            raise ConditionError(
                f"no {name} is {shown(quoted(value))}{did_you_mean(value, NAMED[name])}; "
                f"expected {listed(NAMED[name])}",
                at.column,
            )

    def _null(self, sides: list[Operand], start: Lexeme, signs: list[Lexeme]) -> Term:
        null = self._lexer.take()
        if len(signs) > 1 or signs[0].text in terms.ORDERS:
            raise ConditionError("null is compared by == or != alone", null.column)
        if not _can_be_null(sides[0]):
            instead = f'; write {start} == ""' if sides[0].is_text else ""
            raise ConditionError(f"{shown(str(sides[0]))} is never null{instead}", null.column)
        return terms.Null(sides[0], signs[0].text == "!=")

    def _match(self, subject: Operand, sign: Lexeme) -> Term:
        if not isinstance(subject, Field) or not subject.is_text:
            raise ConditionError(
                f"{sign.text} searches a field with text, and {shown(str(subject))} is none; "
                f"expected {listed((*TEXTS, *NAMED))} before it",
                sign.column,
            )
        literal = self._lexer.text(f"a pattern in quotes after {sign.text}")
        try:
            pattern = Pattern(literal.text[1:-1])
        except PatternError as error:
            raise ConditionError(f"pattern: {error}", literal.column + 1 + error.position) from None
        return terms.Match(subject, pattern, sign.text == "!~")

    def _operand(self) -> Operand:
        negative = False
        while self._lexer.accept("-"):
            negative = not negative
        token = self._lexer.peek()
        if token.kind == "number":
            self._lexer.take()
            value = float(token.text)
            if value == float("inf"):
                raise ConditionError("this number is too great", token.column)
            return Literal(-value if negative else value)
        operand = self._text_or_name(token)
        if negative and operand.is_text:
            raise ConditionError(f"- wants a number, and {token} is a text", token.column)
        return Minus(operand) if negative else operand

    def _text_or_name(self, token: Lexeme) -> Operand:
        if token.kind == "text":
            self._lexer.take()
            return Literal(unescaped(token))
        if token.kind != "name" or token.text in _WORDS:
            raise self._lexer.expected("a field, a number or a text in quotes")
        self._lexer.take()
        if token.text == "delta":
            return Delta(self._argument(tuple(MEASURES)))
        if token.text == "p" and self._lexer.accept("("):
            return self._probability()
        if token.text in FIELDS:
            return Field(token.text)
        for values in NAMED.values():
            if token.text in values:
                raise ConditionError(f'{token} needs quotes: "{token}"', token.column)
        meant = did_you_mean(token.text, NAMES) or (
            f"; expected {listed((*FIELDS, 'p(...)', 'delta(...)', 'changed(...)'))}"
        )
        raise ConditionError(f"there is no field {token}{meant}", token.column)

    def _probability(self) -> Operand:
        token = self._lexer.text('the text of a token in quotes, like p(" yes")')
        text = unescaped(token)
        if not text:
            raise ConditionError("no token spells nothing; give its text", token.column)
        self._lexer.expect(")")
        return Probability(text)

    def _argument(self, names: tuple[str, ...]) -> str:
        """A name in parentheses."""
        self._lexer.expect("(", f"( and one of {listed(names)}")
        token = self._lexer.peek()
        if token.text not in names:
            raise ConditionError(
                f"expected {listed(names)}, found {token}{did_you_mean(token.text, names)}",
                token.column,
            )
        self._lexer.take()
        self._lexer.expect(")")
        return token.text


def _can_be_null(operand: Operand) -> bool:
    if isinstance(operand, Field):
        return operand.name in MEASURES or operand.name in NAMED
    return isinstance(operand, Delta | Probability) or (
        isinstance(operand, Minus) and _can_be_null(operand.operand)
    )
