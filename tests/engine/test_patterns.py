"""What `~` finds: what `re` finds, in the end of a text, and never for longer than its time."""

import re
import subprocess
import sys
import warnings

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from traces import token

from entropix_mlx.conditions.lexer import ConditionError
from entropix_mlx.conditions.operands import Proposed
from entropix_mlx.conditions.parser import parse
from entropix_mlx.conditions.patterns import LONGEST, REACH, Pattern, PatternError, SlowPatternError
from entropix_models.errors import UsageError

UNITS = st.sampled_from(
    [
        *("a", "b", "A", "é", " ", "0", "_", ".", "{", "}", "]", "-", ","),
        *(r"\d", r"\w", r"\S", r"\n", r"\.", r"\x61", r"\u00e9", r"\]", r"\"", r"\\"),
        *("[ab]", "[^a]", "[a-c0-9]", "[]a]", "[^]]", r"[\s_]", r"[\d\]]", "[-a]", "[.]"),
    ]
)
PLACES = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
REPEATS = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{,2}", "{0,3}", "{2}?"])
OPENED = st.sampled_from(["(", "(?:", "(?=", "(?!", "(?>"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{})".format, OPENED, inner)
    return st.one_of(
        st.builds("{}{}".format, st.one_of(UNITS, group), REPEATS),
        st.lists(inner, max_size=4).map("".join),
        st.builds("{}|{}".format, inner, inner),
        group,
    )


PATTERNS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "(?i)", "(?m)", "(?s)", "(?ims)"]),
    st.recursive(st.one_of(UNITS, PLACES), _larger, max_leaves=12),
)
SUBJECTS = st.text(st.sampled_from('aAb Bé0_.\n{}]-,"\\'), min_size=1, max_size=12)


def found(pattern: str, text: str) -> bool:
    """Whether a condition finds a pattern that has no single quote in it."""
    proposed = Proposed(token(1), None, 0, text, lambda _text: None)
    return parse(f"so_far ~ '{pattern}'").holds(proposed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(PATTERNS, SUBJECTS)
@example("(a+)+b", "aaaa")
@example("(?:a|b|)*$", "ab\n")
@example("(?m)^b$", "a\nb\n")
@example("(?m)a$", "a\nbb")
@example("a$", "a\nbb")
@example("^a{1,2}$", "aaa")
@example("^a{2,}$", "a")
@example(r"\bé\b", "a é.")
@example("x{,}", "b")
@example("a{}", "a{}")
@example("(?i)[^a]", "A")
@example("(^a)?b", "bb")
@example(r"(a|b)\1", "abb")
@example("(?<=a)b", "ab")
@example("(?<!a)b", "ab")
@example("(?P<c>.)(?P=c)", "aba")
def test_finds_what_re_finds(pattern: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            expected = re.search(pattern, text) is not None
        except (re.error, FutureWarning):
            assume(False)
    assert found(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("b", "abc", True),  # anywhere
        ("B", "abc", False),
        ("(?i)B", "abc", True),
        ("(?i)É", "thé", True),
        (r"^\w+$", "été漢", True),
        (r"\d", "٣", True),
        (r"\p{Lu}", "aÉ", True),
        (r"\p{Lu}", "aé", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
    ],
)
def test_letters_and_cases_are_those_of_unicode(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) == expected


@settings(deadline=None)
@given(
    st.text(max_size=30)
    | st.text(st.sampled_from(r"ab()[]{}|*+?^$\.,-0139iPdxue<=!:&R#L"), max_size=30)
)
@example("(?a)(?L)a")
@example("(" * 100 + ")" * 100)
@example("(?R)")
def test_any_text_is_a_pattern_or_an_error_with_its_position(text: str) -> None:
    try:
        Pattern(text).search("ab 3")
    except PatternError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017
        assert "\n" not in str(error) or "\n" in text  # noqa: PT017
    except SlowPatternError:
        pass


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        (r"(a)\2", 5, "group reference"),
        (r"(?=b", 4, r"missing \)"),
        (r"a**", 2, "multiple repeat"),
        (r"a{2}{3}", 4, "multiple repeat"),
        (r"*a", 0, "nothing to repeat"),
        (r"(a", 2, r"missing \)"),
        (r"a)", 1, "unbalanced parenthesis"),
        (r"b[a", 3, "unterminated character set"),
        (r"[z-a]", 4, "bad character range"),
        (r"a{3,2}", 2, "min repeat greater than max"),
        (r"a\q", 3, r"bad escape \\q"),
        (r"\N{DASH}", 8, "undefined character name"),
        (r"\p{Dash}x\p{Slang}", 18, "unknown property"),
        ("(?a)(?u)", 0, "incompatible"),
        ("(?:a{100}){100}", 0, "too much"),
        ("(?:(?:a+){50}){50}", 0, "too much"),
        ("(?:(?:(?:a{1000}){1000}){1000}){1000}", 0, "too much"),
        ("(?:){99999999999}", 0, "too much"),
        ("a" * (LONGEST + 1), LONGEST, "at most 200"),
    ],
)
def test_refused(text: str, position: int, problem: str) -> None:
    with pytest.raises(PatternError, match=problem) as error:
        Pattern(text)
    assert error.value.position == position
    with pytest.raises(ConditionError, match=f"pattern: .*{problem}") as told:
        parse(f"so_far ~ '{text}'")
    assert told.value.column == len("so_far ~ '") + 1 + position


def test_what_is_counted_beside_each_other_only_adds_up() -> None:
    parts = [r"[0-9a-f]{8}", *[r"[0-9a-f]{4}"] * 3, r"[0-9a-f]{12}"]
    assert found("-".join(parts), "id 123e4567-e89b-12d3-a456-426614174000")
    assert found(r"(?:a?){60}a{60}", "a" * 60)


@pytest.mark.parametrize("text", ["(a+)+[bc]", "(a|a)*[bc]", "(((a*)*)*)*[bc]", "(?R)"])
@pytest.mark.parametrize("sign", ["~", "!~"])
def test_a_search_that_takes_too_long_is_given_up(text: str, sign: str) -> None:
    """It is neither found nor not found, and the next search is none the worse."""
    condition = parse(f"rank == null and not so_far {sign} '{text}'")
    endless, short = (
        Proposed(token(1, rank=None), None, 0, so_far, lambda _text: None)
        for so_far in ("a" * 3_000 + "!", "aab")
    )
    with pytest.raises(SlowPatternError, match=re.escape(f'"{text}" takes too long')) as error:
        condition.holds(endless)
    assert isinstance(error.value, UsageError)
    if "R" not in text:
        assert condition.holds(short) == (sign == "!~")


def test_only_the_end_is_searched_and_places_know_what_is_before() -> None:
    subject = "b" + "a" * REACH
    assert found("a{3}$", subject)
    assert not found("b", subject)
    assert found("b", subject[:-1])
    assert found("^b", subject[:-1])
    for text in ("^a", r"\Aa", r"\baa"):
        assert not found(text, subject), text
    assert found("(?m)^a", "b\n" + "a" * REACH)


def test_equal_by_text() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("(?:a)")
    assert Pattern("a") != "a"
    assert len({Pattern("a"), Pattern("a")}) == 1


def test_what_searches_for_nothing_does_not_load_the_library() -> None:
    program = (
        "import sys; from entropix_mlx.conditions.parser import parse; "
        "parse('entropy > 3'); print('regex' in sys.modules); "
        "parse('text ~ \"a\"'); print('regex' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.split() == ["False", "True"], run.stderr
