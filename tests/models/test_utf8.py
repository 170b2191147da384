"""Incremental UTF-8."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from entropix_models.tokenizer.utf8 import Utf8Stream

TEXTS = st.text() | st.text(alphabet="aé漢🙂\u200d\ufffd")


def test_a_character_appears_with_its_last_byte() -> None:
    stream = Utf8Stream()
    assert stream.feed(b"a\xf0\x9f") == "a"
    assert stream.pending == b"\xf0\x9f"
    assert stream.feed(b"\x99") == ""
    assert stream.feed(b"\x82!") == "🙂!"
    assert stream.pending == b""


def test_a_character_that_is_broken_off_is_replaced() -> None:
    stream = Utf8Stream()
    assert stream.feed(b"\xe4\xb8") == ""
    assert stream.feed(b"x") == "\ufffdx"
    assert stream.feed(b"\xff") == "\ufffd"


@given(TEXTS.map(str.encode) | st.binary(), st.lists(st.integers(0, 40)))
def test_pieces_together_are_the_whole(data: bytes, cuts: list[int]) -> None:
    stream = Utf8Stream()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    text = "".join(stream.feed(data[start:end]) for start, end in pairwise(bounds))
    assert len(stream.pending) <= 3
    assert text + stream.pending.decode("utf-8", "replace") == data.decode("utf-8", "replace")


def test_a_fork_goes_its_own_way() -> None:
    stream = Utf8Stream()
    assert stream.feed("é".encode()[:1]) == ""
    other = stream.fork()
    assert other.feed(b"x") == "\ufffdx"
    assert stream.feed("é".encode()[1:]) == "é"
