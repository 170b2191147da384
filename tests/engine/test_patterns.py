"""The search that cannot be made to hang: the answers of `re`, in time that follows the text."""

import re
import warnings

import pytest
from growth import LINEAR, ratio
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from entropix_mlx.conditions import patterns
from entropix_mlx.conditions.patterns import LONGEST, REACH, Pattern, PatternError

UNITS = st.sampled_from(
    [
        *("a", "b", "A", "é", " ", "0", "_", ".", "{", "}", "]", "-", ","),
        *(r"\d", r"\w", r"\S", r"\n", r"\.", r"\x61", r"\u00e9", r"\]", r"\"", r"\\"),
        *("[ab]", "[^a]", "[a-c0-9]", "[]a]", "[^]]", r"[\s_]", r"[\d\]]", "[-a]", "[.]"),
    ]
)
PLACES = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
REPEATS = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{,2}", "{0,3}", "{2}?"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{})".format, st.sampled_from(["(", "(?:"]), inner)
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
def test_finds_what_re_finds(text: str, subject: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            expected = re.compile(text).search(subject) is not None
        except (re.error, FutureWarning):
            assume(False)
    try:
        pattern = Pattern(text)
    except PatternError as error:
        assert "repeats" in str(error) or "nothing here" in str(error)  # noqa: PT017
        assume(False)
    assert pattern.search(subject) == expected


@settings(deadline=None)
@given(
    st.text(max_size=30) | st.text(st.sampled_from(r"ab()[]{}|*+?^$\.,-0139iPdxu<=!:"), max_size=30)
)
def test_any_text_is_a_pattern_or_an_error_with_its_position(text: str) -> None:
    try:
        Pattern(text).search("ab 3")
    except PatternError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017
        assert "\n" not in str(error) or "\n" in text  # noqa: PT017
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        (r"(a)\1", 3, "references"),
        (r"a(?=b)", 1, "looking around"),
        (r"(?<!b)", 0, "looking around"),
        (r"(?P<n>a)", 0, "names"),
        (r"a(?i)", 1, r"in front"),
        (r"(?>a)", 0, "offered"),
        (r"a*+", 1, "possessive"),
        (r"a**", 2, "repeats a repeat"),
        (r"a{2}{3}", 4, "repeats a repeat"),
        (r"*a", 0, "nothing here to repeat"),
        (r"^*", 1, "nothing here to repeat"),
        (r"(a", 0, "not closed"),
        (r"a)", 1, "not opened"),
        (r"b[a", 1, "not closed"),
        (r"[z-a]", 0, "bad character range"),
        (r"[[a]", 0, "nested set"),
        (r"a{3,2}", 1, "downwards"),
        ("\\", 0, "stands for itself"),
        (r"a\p", 1, r"no \\p"),
        (r"\N{DASH}", 0, r"no \\N"),
        (r"(?:a{100}){100}", 0, "too much"),
        (r"(?:){99999999999}", 0, "too much"),
        ("a" * (LONGEST + 1), LONGEST, "at most 200"),
    ],
)
def test_refused(text: str, position: int, problem: str) -> None:
    with pytest.raises(PatternError, match=problem) as error:
        Pattern(text)
    assert error.value.position == position


@pytest.mark.serial
@pytest.mark.parametrize(
    "text",
    [
        "(a+)+b",
        "(a|a)*b",
        "(?:a?){60}" + "a{60}b",
        "(a|a)" * 39 + "b",
        ".*a.*a.*a.*a.*b",
        "(((a*)*)*)*b",
        r"\w{1,100}.{1,99}b",
    ],
)
def test_patterns_that_make_re_hang(text: str) -> None:
    pattern = Pattern(text)
    few, many = "a" * 1_000, "a" * 10_000
    assert not pattern.search(many)
    assert pattern.search(many + "b")
    assert ratio(lambda: pattern.search(many), lambda: pattern.search(few)) < LINEAR


def test_only_the_end_is_searched_and_places_know_what_is_before() -> None:
    subject = "b" + "a" * REACH
    assert Pattern("a{3}$").search(subject)
    assert not Pattern("b").search(subject)
    assert Pattern("b").search(subject[:-1])
    assert Pattern("^b").search(subject[:-1])
    for text in ("^a", r"\Aa", r"\baa"):
        assert not Pattern(text).search(subject), text
    assert Pattern("(?m)^a").search("b\n" + "a" * REACH)


def test_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_MOST_REMEMBERED", 2)
    pattern = Pattern("a.{3}b|cd")
    for subject in ("xxabcdb", "aaaab", "acbdb", "ccdd"):
        assert pattern.search(subject) == (re.search("a.{3}b|cd", subject) is not None)
        assert len(pattern._seen) <= 2


def test_equal_by_text() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("(?:a)")
    assert Pattern("a") != "a"
    assert len({Pattern("a"), Pattern("a")}) == 1
    assert repr(Pattern("a")) == "Pattern('a')"
