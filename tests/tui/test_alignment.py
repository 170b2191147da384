"""Alignment of two branches, against definitions that are too slow to use."""

import itertools
from collections.abc import Sequence
from functools import cache

import pytest
from growth import LINEAR, ratio
from hypothesis import given
from hypothesis import strategies as st
from scripted import prompt, token

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_tui.conversation.alignment import (
    WINDOW,
    BranchToken,
    Pair,
    Stretch,
    add,
    align,
    divergence,
    matches,
    shift,
    stretches,
)
from entropix_tui.tokens.token_ref import TokenRef

few = st.lists(st.integers(0, 3), max_size=24)


def tokens_of(*path: PromptRecord | TokenRecord) -> list[BranchToken]:
    tokens: list[BranchToken] = []
    for node in path:
        add(tokens, node)
    return tokens


def answer(ids: Sequence[int], first: int = 0, part: int = 1) -> list[BranchToken]:
    return [BranchToken(TokenRef(first + n), id, None, part) for n, id in enumerate(ids)]


@given(few, few)
def test_both_branches_can_be_read_off_the_rows(x: list[int], y: list[int]) -> None:
    a, b = answer(x), answer(y, 100)
    rows = align(a, b)
    assert [row.a for row in rows if row.a is not None] == [token.ref for token in a]
    assert [row.b for row in rows if row.b is not None] == [token.ref for token in b]
    ids = {token.ref: token.id for token in a + b}
    for one, other, kind in rows:
        match one, other:
            case None, None:
                raise AssertionError("an empty row")
            case None, _:
                assert kind == "added"
            case _, None:
                assert kind == "removed"
            case _:
                assert kind == ("same" if ids[one] == ids[other] else "changed")


@given(few, few)
def test_divergence_is_the_first_difference(x: list[int], y: list[int]) -> None:
    a, b = answer(x), answer(y, 100)
    found = divergence(a, b)
    if x == y:
        assert found is None
        return
    at = 0
    while x[at : at + 1] == y[at : at + 1]:
        at += 1
    assert found == (
        a[at].ref if at < len(a) else None,
        b[at].ref if at < len(b) else None,
    )


@given(few, few)
def test_matches_are_as_many_as_there_can_be(x: list[int], y: list[int]) -> None:
    @cache
    def most(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if x[i - 1] == y[j - 1]:
            return most(i - 1, j - 1) + 1
        return max(most(i - 1, j), most(i, j - 1))

    found = matches(x, y)
    assert len(found) == most(len(x), len(y))
    assert all(x[i] == y[j] for i, j in found)
    assert all(p[0] < q[0] and p[1] < q[1] for p, q in itertools.pairwise(found))


@given(few, few)
def test_what_both_begin_with_stands_together(x: list[int], y: list[int]) -> None:
    rows = align(answer(x), answer(y, 100))
    differs = next((n for n, row in enumerate(rows) if row.kind != "same"), len(rows))
    shared = 0
    while shared < min(len(x), len(y)) and x[shared] == y[shared]:
        shared += 1
    assert differs >= shared
    assert all(
        row.a == TokenRef(n) and row.b == TokenRef(100 + n) for n, row in enumerate(rows[:shared])
    )


def kinds(x: str, y: str) -> str:
    """Words aligned, a letter for each row."""
    ids: dict[str, int] = {}
    a, b = ([ids.setdefault(w, len(ids)) for w in text.split()] for text in (x, y))
    signs = {"same": "=", "changed": "*", "added": "+", "removed": "-"}
    return "".join(signs[row.kind] for row in align(answer(a), answer(b, 100)))


@pytest.mark.parametrize(
    ("a", "b", "rows"),
    [
        ("", "", ""),
        ("the cat sat", "the cat sat", "==="),
        ("the cat sat", "the dog sat", "=*="),
        ("the cat sat", "the big cat sat", "=+=="),
        ("the big cat sat", "the cat sat", "=-=="),
        ("the cat sat", "the cat", "==-"),
        ("x the cat sat", "the dog and the cat sat", "*++==="),
        # A comma amid other words is no agreement ...
        ("a b , c d e", "f g h , i j", "******"),
        # ... but a kept word between two changed ones is.
        ("red cat blue dog", "green cat black dog", "*=*="),
    ],
)
def test_alignments(a: str, b: str, rows: str) -> None:
    assert kinds(a, b) == rows


def test_prompts_stand_beside_prompts_and_answers_beside_answers() -> None:
    """Whatever their ids: a prompt's words are not looked for in the answer."""
    a = answer([1, 2, 3], part=0) + answer([9, 8, 7], 3)
    b = answer([9, 8, 7, 6], 100, part=0) + answer([1, 2, 3], 104) + answer([5], 107, part=2)
    rows = align(a, b)
    assert [row.kind for row in rows] == [*["changed"] * 3, "added", *["changed"] * 3, "added"]
    assert rows[4] == Pair(TokenRef(3), TokenRef(104), "changed")


def test_what_a_branch_says() -> None:
    asked = prompt(0, "Why is it?")
    unscored = PromptRecord(index=3, parent=2, role="user", ids=[5, 6], text="So?")
    path = [asked, token(1, "Be"), token(2, "cause"), unscored, token(4, "!")]
    tokens = tokens_of(*path)
    assert [t.id for t in tokens] == [*asked.ids, 101, 102, 5, 6, 104]
    count = len(asked.ids)
    assert tokens[1] == BranchToken(TokenRef(0, 1), asked.ids[1], (asked.records or [])[1], 0)
    assert tokens[count] == BranchToken(TokenRef(1), 101, path[1], 1)
    assert tokens[count + 2 : count + 4] == [
        BranchToken(TokenRef(3), 5, None, 2),
        BranchToken(TokenRef(3, 1), 6, None, 2),
    ]
    assert tokens[-1].part == 3


def test_figures_that_shifted() -> None:
    a = token(1, "a", entropy=1.0, varentropy=2.0, logprob=-0.6931471805599453)
    b = token(2, "a", entropy=0.5, varentropy=None, logprob=-2 * 0.6931471805599453)
    assert shift(a, b) == pytest.approx((-0.5, None, 1.0))
    assert shift(a, None) == shift(None, b) == (None, None, None)


@given(few, few)
def test_stretches_divide_the_rows(x: list[int], y: list[int]) -> None:
    rows = align(answer(x), answer(y, 100))
    parts = stretches(rows)
    assert [n for part in parts for n in range(part.start, part.stop)] == list(range(len(rows)))
    assert all(
        (row.kind == "same") == part.same for part in parts for row in rows[part.start : part.stop]
    )
    assert all(p.same != q.same for p, q in itertools.pairwise(parts))


def test_stretches() -> None:
    rows = align(answer([1, 2, 3, 4]), answer([1, 9, 8, 3, 4], 10))
    assert stretches(rows) == [Stretch(0, 1, True), Stretch(1, 3, False), Stretch(3, 5, True)]


def test_a_window_ends_where_it_does() -> None:
    """Texts that are longer than a window are still whole."""
    count = WINDOW + 50
    a, b = answer([0] + [7] * count), answer([1] + [7] * (count - 20), 10**6)
    rows = align(a, b)
    assert [row.a for row in rows if row.a] == [t.ref for t in a]
    assert [row.b for row in rows if row.b] == [t.ref for t in b]
    assert sum(row.kind == "same" for row in rows) >= count - 50


@pytest.mark.serial
@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [2, 50, 50_000])
def test_ten_times_the_tokens_take_ten_times_as_long(vocabulary: int) -> None:
    def text(step: int, count: int) -> list[BranchToken]:
        return answer([n * n * step // 3 % 10007 % vocabulary for n in range(count)])

    few = [text(step, 1000) for step in (7, 11)]
    many = [text(step, 10_000) for step in (7, 11)]
    assert ratio(lambda: align(*many), lambda: align(*few)) < LINEAR


def test_records_of_tokens_are_kept() -> None:
    record = token(3, "x")
    assert isinstance(tokens_of(record)[0].record, TokenRecord)
