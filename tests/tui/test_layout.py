# ruff: noqa: RUF001
"""Layout: nothing lost, nothing wider than the screen, appending equal to laying out whole."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from entropix_mlx.terminal.glyphs import glyphs, graphemes, one_line
from entropix_tui.transcript.layout import Layout, Piece

FAMILY = "👨‍👩‍👧‍👦"
NASTY = st.sampled_from(
    [
        *("\n", "\t", " ", "   ", "\r", "\x1b[31m", "\x00", "\u202e", "\u2066", "\u200b", "\u00a0"),
        *("\u0301", "e", "\u200d", "\ufe0f", "❤", "👩", "👍", "\U0001f3fd", "🇩", "🇪", FAMILY),
        *("中", "文", "。", "（", "（」", "한", "\u1112", "\u1161", "\u11ab", "क", "\u094d", "ष"),
        *("[/", "[red]", "arr[i]", "x" * 70, "‹", "\u3000", "\u2028", "\x85", "\u2003", "שלום"),
    ]
)
TOKENS = st.lists(
    st.lists(st.one_of(NASTY, st.text(max_size=6), st.text("abc .,", max_size=8)), max_size=3).map(
        "".join
    ),
    max_size=14,
)
MARKS = st.sampled_from(["", "", "", "▾"])
SHOWN = st.sampled_from([None, None, None, None, "", "‹E4 B8›", "<|im_end|>"])
PIECES = st.builds(Piece, st.one_of(TOKENS.map("".join), NASTY), MARKS, SHOWN)


def laid(pieces: list[Piece], width: int) -> Layout:
    layout = Layout(width)
    for piece in pieces:
        layout.add(piece)
    return layout


def picture(layout: Layout) -> list[list[tuple[object, ...]]]:
    return [[tuple(run) for run in line.runs] for line in layout.lines]


@pytest.mark.slow
@given(st.lists(PIECES, max_size=14), st.integers(2, 40))
@settings(max_examples=100, deadline=None)
def test_everything_is_kept_and_fits(pieces: list[Piece], width: int) -> None:
    layout = laid(pieces, width)
    assert "".join(line.source for line in layout.lines) == "".join(p.text for p in pieces)
    for line in layout.lines:
        shown = [run.shown for run in line.runs]
        assert sum(map(cell_len, shown)) == line.cells <= width
        assert cell_len("".join(shown)) == line.cells, "widths add up across segments"
        assert [cell_len(run.shown) for run in line.runs] == [run.cells for run in line.runs]
        for char in "".join(shown):
            category = unicodedata.category(char)
            assert category not in ("Cc", "Cs", "Zl", "Zp")
            assert category != "Cf" or char in "\u200c\u200d"


@pytest.mark.slow
@given(st.lists(PIECES, min_size=1, max_size=12), st.integers(2, 30))
@settings(max_examples=100, deadline=None)
def test_appending_equals_laying_out_at_once(pieces: list[Piece], width: int) -> None:
    assert picture(laid(pieces, width)) == picture(Layout(width, pieces=list(pieces)))


@pytest.mark.slow
@given(st.lists(PIECES, min_size=1, max_size=12), st.integers(2, 30), st.data())
@settings(max_examples=100, deadline=None)
def test_marking_a_piece_equals_laying_out_anew(
    pieces: list[Piece], width: int, data: st.DataObject
) -> None:
    layout = laid(pieces, width)
    index = data.draw(st.integers(0, len(pieces) - 1))
    layout.change(index, mark="▾")
    pieces[index] = pieces[index]._replace(mark="▾")
    assert picture(layout) == picture(laid(pieces, width))


@pytest.mark.slow
@given(st.lists(PIECES, min_size=1, max_size=12), st.integers(2, 30))
@settings(max_examples=100, deadline=None)
def test_every_piece_is_found_on_the_line_where_it_begins(pieces: list[Piece], width: int) -> None:
    layout = laid(pieces, width)
    for index in range(len(pieces)):
        where = [i for i, line in enumerate(layout.lines) for r in line.runs if r.piece == index]
        if where and index not in layout._joined:  # those begin inside the glyph before
            assert layout.line_of(index) == where[0]


class Slow(Layout):
    """Without the short way for plain words."""

    def _lay_plainly(self, _index: int, _text: str) -> bool:
        return False


@pytest.mark.slow
@given(st.lists(st.one_of(PIECES, st.text("abc.", max_size=5).map(lambda t: Piece(" " + t)))))
@settings(max_examples=200, deadline=None)
def test_the_short_way_for_plain_words_leads_to_the_same_lines(pieces: list[Piece]) -> None:
    for width in (2, 5, 13):
        assert picture(laid(pieces, width)) == picture(Slow(width, pieces=list(pieces)))


def lines(text: str, width: int) -> list[str]:
    layout = laid([Piece(part) for part in text.split("|")], width)
    return ["".join(run.shown for run in line.runs) for line in layout.lines]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("The| robot| learns", 9, ["The robot", "learns"]),
        ("The| rob|ot| lear|ns| it", 8, ["The ", "robot ", "learns ", "it"]),
        ("one\n|\n|two", 10, ["one↵", "↵", "two"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("ab abc|defghij", 4, ["ab ", "abcd", "efgh", "ij"]),
        ("中文中文。", 6, ["中文中", "文。"]),
        ("中文中。", 6, ["中文", "中。"]),
        ("👨‍👩|‍👧|‍👦 x", 4, ["👨‍👩‍👧‍👦 x"]),
        ("e|\u0301|f", 4, ["e\u0301f"]),
        ("\u0301x", 4, ["◌\u0301x"]),
        ("a\tb", 8, ["a   b"]),
        ("a\x1b[2Jb\u202ec", 30, ["a‹1B›[2Jb‹U+202E›c"]),
        ("a\u200db", 30, ["a‹U+200D›b"]),
        ("a| b| cde| f", 4, ["a b ", "cde ", "f"]),
    ],
)
def test_examples(text: str, width: int, expected: list[str]) -> None:
    assert lines(text, width) == expected


def test_a_joined_family_is_one_glyph_of_two_cells() -> None:
    assert [(g.source, g.cells) for g in glyphs(FAMILY)] == [(FAMILY, 2)]
    assert graphemes("🇩🇪🇫🇷") == ["🇩🇪", "🇫🇷"]


def test_towers_of_accents_stop() -> None:
    assert max(len(g.source) for g in glyphs("e" + "\u0301" * 500)) <= 16


def test_bytes_stand_where_a_character_is_not_finished() -> None:
    layout = laid([Piece("a"), Piece("", shown="‹E4 B8›")], 20)
    assert lines("a", 20) == ["a"]
    assert "".join(run.shown for run in layout.lines[0].runs) == "a‹E4 B8›"
    layout.change(1, shown="")
    layout.add(Piece("中"))
    assert "".join(run.shown for run in layout.lines[0].runs) == "a中"


def test_a_mark_stands_before_the_line_break_that_it_marks() -> None:
    layout = laid([Piece("a"), Piece(" \n", "▾"), Piece("b")], 20)
    assert ["".join(run.shown for run in line.runs) for line in layout.lines] == ["a ▾↵", "b"]


def test_appending_touches_the_last_line_only() -> None:
    layout = laid([Piece(" word") for _ in range(1000)], 40)
    before = list(layout.lines)
    layout.add(Piece(" more"))
    assert all(old is new for old, new in zip(before[:-1], layout.lines, strict=False))


def test_labels_are_one_line() -> None:
    assert one_line("a\nb\t\x07[/") == "a↵b‹09›‹07›[/"
