"""What an answer settles on: strictly, and nothing where it is not clear."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropix_mlx.evaluation import answer, numeral

UNITS = [*numeral.UNITS, "twenty"]
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
texts = st.text(max_size=60) | st.text("0123456789.,:/-+*x^$%()# \n andoretyisaw", max_size=60)


def spelt(n: int) -> str:
    """A whole number below a million in words, by a rule of this test's own."""
    if n < 20:
        return UNITS[n]
    if n < 100:
        tens, rest = TENS[n // 10 - 2], n % 10
        return f"{tens}-{UNITS[rest]}" if rest else tens
    size, name = (100, "hundred") if n < 1000 else (1000, "thousand")
    rest = n % size
    return f"{spelt(n // size)} {name}" + (f" and {spelt(rest)}" if rest else "")


class TestNumerals:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("7", [7]),
            ("7.", [7]),
            ("It is seven.", [7]),
            ("1,234 and 1234.0", [1234, 1234]),
            ("-2.50, \u22125, $-18, -$18.50 and +3", ["-5/2", -5, -18, "-37/2", 3]),
            ("v2, x1, 3rd, 20th and H2O", []),
            ("9.11 > 9.9", ["9.11", "9.9"]),
            ("5kg, 18%, 12 dollars, 7€", [5, 18, 12, 7]),
            ("3/4, 2 1/2 and 1.5e3", ["3/4", "5/2", 1500]),
            ("3 million, 2.5 thousand", [3_000_000, 2500]),
            ("twenty-five, twenty five, twenty", [25, 25, 20]),
            ("one hundred and five apples and six pears", [105, 6]),
            ("five six", [5, 6]),
            ("five-year, well-one, someone", []),
            ("The larger one is 9.9", ["9.9"]),
            ("one", [1]),
            ("12:30", [None]),
            ("1.2.3", [None]),
            ("1,2 and 12,34", [None, None]),
            ("5k, 2x", [None, None]),
            ("1/0, 1/2/3", [None, None]),
            ("1e99999", [None]),
            ("9" * 200, [None]),
            ("½, ٣ and ²", [3]),
        ],
    )
    def test_they_are_read_by_value(self, text: str, found: list[object]) -> None:
        values = [None if each is None else Fraction(str(each)) for each in found]
        assert [each.value for each in numeral.numerals(text)] == values

    @given(st.integers(-(10**12), 10**12))
    def test_a_whole_number_is_itself_in_every_spelling(self, n: int) -> None:
        for text in (f"{n}", f"{n:,}", f"{n}.0", f"{n:,}.00", f" {n}\n"):
            assert numeral.value(text) == n
        assert numeral.value(f"${abs(n):,}") == abs(n)

    @given(st.integers(0, 999_999))
    def test_words_are_the_number_that_they_spell(self, n: int) -> None:
        assert [each.value for each in numeral.numerals(f"It is {spelt(n)}.")] == [n]

    @given(st.fractions(-(10**6), 10**6, max_denominator=10**6))
    def test_what_is_written_reads_as_what_it_was(self, number: Fraction) -> None:
        assert numeral.value(numeral.written(number)) == number

    @given(texts)
    def test_any_text_has_numerals_in_their_order(self, text: str) -> None:
        found = numeral.numerals(text)
        ends = [(each.start, each.end) for each in found]
        assert ends == sorted(ends)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "final", "first"),
        [
            ("5 + 7 = 12", 12, 12),
            ("12 = 5 + 7", 12, 12),
            ("5 apples + 7 apples = 12 apples", 12, 12),
            ("5-3", None, None),
            ("10^5", None, None),
            ("2^3 = 8", 8, 8),
            ("six times seven is forty-two", 42, 42),
            ("He has 16 - 3 - 4 = 9, then 9 * 2 = $18 every day", 18, 9),
            ("**12**", 12, 12),
            ("*12*", 12, 12),
            ("$12$", 12, 12),
            ("* 12", 12, 12),
            ("#### 1,234", 1234, 1234),
            ("So 5.\n#### 18 dollars\nThat was 7.", 18, 18),
            ("\\boxed{\\frac{3}{4}} of 8", "3/4", "3/4"),
            ("\\boxed{1{,}234}", 1234, 1234),
            ("\\boxed{\\text{12}}", 12, 12),
            ("The answer is 5. No, the answer is 6.", 6, 6),
            ("The answer is 12 apples and 3 pears", None, None),
            ("The answer is 12 or 13", None, None),
            ("The answer to 5 + 7 is 12.", 12, 12),
            ("The answer is 42, since 6*7 = 42", 42, 42),
            ("The answer is 6 * 7 = 42.", 42, 42),
            ("The answer is not 5. It is 6", 6, 5),
            ("Answer:\n**$1{,}234**", 1234, 1234),
            ("Final answer = -3", -3, -3),
            ("The answer is clear: there are 7", 7, 7),
            ("I have 3 and 4", 4, 3),
            ("At 12:30 he had 5", 5, None),
            ("He had 5 at 12:30", None, 5),
            ("", None, None),
            ("no idea", None, None),
        ],
    )
    def test_what_is_stated_goes_before_what_stands_there(
        self, text: str, final: object, first: object
    ) -> None:
        assert answer.final_number(text) == (None if final is None else Fraction(str(final)))
        assert answer.first_number(text) == (None if first is None else Fraction(str(first)))

    @given(st.text("abcdefg ,.!?\n()*", max_size=80), st.integers(-(10**9), 10**9))
    def test_a_stated_answer_is_found_behind_any_words(self, text: str, n: int) -> None:
        for stated in (f"The answer is {n}.", f"#### {n:,}", f"\\boxed{{{n}}}", f"Answer: **{n}**"):
            assert answer.final_number(f"{text}\n{stated}") == n

    @given(texts)
    def test_any_text_has_at_most_one(self, text: str) -> None:
        for number in (answer.final_number(text), answer.first_number(text)):
            assert number is None or isinstance(number, Fraction)


class TestChoice:
    @pytest.mark.parametrize(
        ("text", "letter"),
        [
            *((text, "A") for text in ("A", "(A)", "A)", "A.", "**A**", "Answer: A", "[A]", "a")),
            ("Answer: B", "B"),
            ("The answer is (b)", "B"),
            ("The correct answer is: C. Rome", "C"),
            ("Answer: B Paris", "B"),
            ("B. Because A dog", "B"),
            ("B) Paris, not A)", "B"),
            ("Option C is right", "C"),
            ("It must be (D), I think", "D"),
            ("Answer: A. Wait. Answer: B", "B"),
            ("A dog is an animal", None),
            ("The answer is A dog", None),
            ("Answer: A Paris", None),
            ("I think B", None),
            ("A) Paris\nB) Rome", None),
            ("Answer: A or B", None),
            ("Answer: (A) and (B)", None),
            ("The answer is not A", None),
            ("It is not (A)", None),
            ("Answer: E", None),
            ("DNA", None),
            ("", None),
        ],
    )
    def test_a_letter_is_not_a_word(self, text: str, letter: str | None) -> None:
        assert answer.choice(text, "ABCD") == letter

    @given(texts | st.text("ABCDabcd().: \nI", max_size=30), st.integers(2, 26))
    def test_any_text_has_one_of_the_letters_or_none(self, text: str, of: int) -> None:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:of]
        assert answer.choice(text, letters) in (None, *letters)

    @given(st.sampled_from("ABCD"), st.sampled_from(["Answer: {}", "({})", "{})", "{}.", "{}"]))
    def test_a_letter_alone_is_it(self, letter: str, form: str) -> None:
        assert answer.choice(form.format(letter), "ABCD") == letter


class TestYesNo:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("Yes", "yes"),
            ("**No**, 9.9 is", "no"),
            ("yes 9.9 is larger", "yes"),
            ("I would say no.", "no"),
            ("The answer is yes.", "yes"),
            ("Answer yes or no: yes", "yes"),
            ("There is no difference", None),
            ("No difference", None),
            ("yes and no", None),
            ("not yes.", None),
            ("Well, yes. Or no.", None),
            ("no-one; yesterday", None),
            ("", None),
        ],
    )
    def test_a_word_that_stands_for_itself(self, text: str, said: str | None) -> None:
        assert answer.yes_no(text) == said


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("the city of ROME.", "Rome"),
            ("Romeo", None),
            ("It is not Paris but Rome", "Rome"),
            ("It isn't Paris", None),
            ("Paris, not Rome", "Paris"),
            ("BRASILIA!", "Brasília"),
            ("New Delhi", "New Delhi"),
            ("new\n delhi", "New Delhi"),
            ("**Delhi**", "Delhi"),
            ("It's a z", "z"),
            ("It's the letter 's'", "s"),
            ("", None),
        ],
    )
    def test_the_first_whole_word_that_is_not_denied(self, text: str, name: str | None) -> None:
        names = ["Paris", "Rome", "Delhi", "New Delhi", "Brasília", "z", "s"]
        assert answer.first_name(text, names) == name

    @given(st.text(max_size=40), st.lists(st.text(max_size=8), max_size=4))
    def test_any_text_has_one_of_the_names_or_none(self, text: str, names: list[str]) -> None:
        assert answer.first_name(text, names) in (None, *names)
