"""Stop texts: cut where they begin, however tokens share them."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from entropix_mlx.decoding.stop_texts import StopTexts
from entropix_mlx.records.record import TokenRecord


def record(index: int, text: str) -> TokenRecord:
    return TokenRecord(
        index=index,
        parent=index - 1,
        id=100 + index,
        text=text,
        bytes=text.encode().hex(),
        logprob=-1.0,
        rank=0,
        entropy=1.0,
        varentropy=1.0,
        attn_entropy=None,
        attn_varentropy=None,
        agreement=None,
        interaction_strength=None,
        quadrant="LELV",
        region="LELV",
        strategy=None,
    )


def feed(pieces: Sequence[str], stops: Sequence[str]) -> tuple[list[TokenRecord], bool]:
    """Everything that comes out, and whether a stop text did it."""
    stopping = StopTexts(stops)
    found: list[TokenRecord] = []
    for index, piece in enumerate(pieces):
        ready, hit = stopping.feed(record(index, piece))
        found += ready
        if hit:
            return found, True
    return found + stopping.flush(), False


def texts(records: Sequence[TokenRecord]) -> list[str]:
    return [record.text for record in records]


def test_a_stop_text_spans_tokens() -> None:
    found, hit = feed(["one ", "tw", "o\nQ", "UE", "ST", "ION: x"], ["\nQUEST"])
    assert hit
    assert texts(found) == ["one ", "tw", "o", "", ""]
    assert [r.id for r in found] == [100, 101, 102, 103, 104]
    assert found[2].bytes == b"o\nQ".hex()


def test_records_wait_only_while_they_must() -> None:
    stopping = StopTexts(["abc"])
    assert texts(stopping.feed(record(0, "xa"))[0]) == []
    assert texts(stopping.feed(record(1, "b"))[0]) == []
    assert texts(stopping.feed(record(2, "d"))[0]) == ["xa", "b", "d"]
    assert texts(stopping.feed(record(3, "e"))[0]) == ["e"]
    assert stopping.flush() == []


def test_what_waited_is_whole_if_nothing_came_of_it() -> None:
    found, hit = feed(["ab", "ab"], ["abc"])
    assert not hit
    assert texts(found) == ["ab", "ab"]


def test_the_first_in_the_text_counts() -> None:
    assert texts(feed(["hello wor", "ld"], ["world", "lo"])[0]) == ["hel"]
    assert texts(feed(["a.b.c"], ["c", "."])[0]) == ["a"]


def test_empty_stop_texts_stop_nothing() -> None:
    assert feed(["a", "", "b"], [""]) == (feed(["a", "", "b"], [])[0], False)


def test_records_without_text_keep_their_place() -> None:
    found, hit = feed(["a", "", "b", "", "c"], ["bc"])
    assert hit
    assert texts(found) == ["a", "", "", "", ""]


pieces = st.lists(st.text("ab\n", max_size=4), max_size=12)


@given(pieces, st.lists(st.text("ab\n", min_size=1, max_size=5), max_size=3))
def test_it_is_a_cut_of_the_whole_text(pieces: list[str], stops: list[str]) -> None:
    """As soon as the text so far holds a stop text, everything from its start is gone."""
    found, hit = feed(pieces, stops)
    so_far, expected = "", None
    for count, piece in enumerate(pieces, 1):
        so_far += piece
        starts = [so_far.find(stop) for stop in stops if stop in so_far]
        if starts:
            expected = so_far[: min(starts)]
            assert [r.index for r in found] == list(range(count))
            break
    assert hit == (expected is not None)
    assert "".join(texts(found)) == (so_far if expected is None else expected)
    if not hit:
        assert texts(found) == pieces
