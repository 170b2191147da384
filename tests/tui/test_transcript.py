"""Answers from records: byte for byte, marked, found again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import token

from entropix_tui.transcript import Answer, Place, Transcript


def shown(answer: Answer) -> list[str]:
    return ["".join(run.shown for run in line.runs) for line in answer.layout.lines]


def answer_of(*records: tuple[str, bytes], width: int = 60) -> Answer:
    answer = Answer(width, breaks=True)
    for index, (text, raw) in enumerate(records):
        answer.add(token(index, text, raw))
    return answer


def test_bytes_stand_until_the_character_is_complete() -> None:
    answer = answer_of(("", b"\xe4"))
    assert shown(answer) == ["‹E4›"]
    answer.add(token(1, "", b"\xb8"))
    assert shown(answer) == ["‹E4›‹B8›"]
    answer.add(token(2, "中", b"\xad"))
    assert shown(answer) == ["中"]
    assert answer.text == "中"


def test_bytes_of_one_token_stand_together() -> None:
    assert shown(answer_of((" a", b" a"), ("", b"\xe4\xb8"))) == [" a‹E4 B8›"]


def test_bytes_that_never_make_a_character_stay() -> None:
    answer = answer_of(("a", b"a"), ("", b"\xe4"), ("\ufffdb", b"b"))
    assert shown(answer) == ["a‹E4›b"]
    assert answer.text == "a\ufffdb"
    assert "".join(line.source for line in answer.layout.lines) == answer.text


def test_a_lone_invalid_byte_is_a_byte() -> None:
    assert shown(answer_of(("\ufffd", b"\xff"))) == ["‹FF›"]


def test_a_replacement_character_of_the_model_is_one() -> None:
    assert shown(answer_of(("\ufffd", "\ufffd".encode()))) == ["\ufffd"]


def test_special_tokens_are_literal_and_not_part_of_the_text() -> None:
    answer = answer_of(("Hi", b"Hi"), ("", b"<|im_end|>"))
    assert shown(answer) == ["Hi<|im_end|>"]
    assert answer.text == "Hi"


def test_a_token_without_bytes_shows_its_id() -> None:
    assert shown(answer_of(("", b""))) == ["‹100›"]


def test_marks() -> None:
    answer = Answer(60, breaks=True)
    answer.add(token(0, " one"))
    answer.add(token(1, " ...", forced="clarify"))
    answer.add(token(2, " two"))
    assert answer.mark_valley(0)
    assert answer.mark_valley(1)
    assert not answer.mark_valley(9)
    assert shown(answer) == [" ▾one ▾¿... two"]
    assert "".join(line.source for line in answer.layout.lines) == " one ... two"


@given(st.binary(max_size=40), st.data())
@settings(max_examples=200, deadline=None)
def test_any_bytes_cut_anywhere_come_out_as_the_stream_has_them(
    raw: bytes, data: st.DataObject
) -> None:
    from entropix_models.utf8 import Utf8Stream

    stream, answer, whole = Utf8Stream(), Answer(12, breaks=True), ""
    index = at = 0
    while at < len(raw):
        size = data.draw(st.integers(1, 5))
        text = stream.feed(raw[at : at + size])
        answer.add(token(index, text, raw[at : at + size]))
        whole += text
        at, index = at + size, index + 1
    assert answer.text == whole
    assert "".join(line.source for line in answer.layout.lines) == whole
    assert all(line.cells <= 12 for line in answer.layout.lines)


def conversation() -> Transcript:
    transcript = Transcript(20)
    for turn in range(3):
        transcript.say(f"question {turn} with some length")
        answer = transcript.begin_answer()
        for index in range(30):
            answer.add(token(100 * turn + index, f" word{index}"))
        transcript.settle()
    return transcript


def test_rows_lead_to_places_and_back() -> None:
    transcript = conversation()
    for y in range(transcript.height):
        place, row = transcript.place_of_row(y), transcript.row(y)
        assert place is not None
        assert row is not None
        if row.line is not None and row.block.kind == "answer":
            assert transcript.row_of_place(place) == y
    assert transcript.row(transcript.height) is None
    assert transcript.row(-1) is None


def test_the_token_under_a_cell_is_found() -> None:
    transcript = conversation()
    row = transcript.row_of_place(Place(1, 4))
    columns = [x for x in range(20) if transcript.place_at(x, row) == Place(1, 4)]
    assert columns
    assert transcript.place_at(3, 0) is None, "what the user wrote has no records"


def test_the_cursor_crosses_turns_and_stops_at_the_ends() -> None:
    transcript = conversation()
    assert transcript.next_token(None, 1) == Place(5, 29)
    assert transcript.next_token(Place(5, 29), 1) is None
    assert transcript.next_token(Place(3, 0), -1) == Place(1, 29)
    assert transcript.next_token(Place(1, 0), -1) is None
    record = transcript.record_at(Place(3, 2))
    assert record is not None
    assert record.index == 102


@pytest.mark.parametrize("width", [2, 3, 20, 200])
def test_resizing_keeps_every_place(width: int) -> None:
    transcript = conversation()
    transcript.resize(width)
    for block in (1, 3, 5):
        for piece in range(30):
            row = transcript.row(transcript.row_of_place(Place(block, piece)))
            assert row is not None
            assert row.line is not None
            assert any(run.piece == piece for run in row.line.runs)
