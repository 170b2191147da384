"""Tokens from records: byte for byte, marked, found again, laid out when they are seen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from scripted import token

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_models.tokenizer.utf8 import Utf8Stream
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript import sections
from entropix_tui.transcript.blocks import Answer, Block, Prompt
from entropix_tui.transcript.layout import Layout, Line
from entropix_tui.transcript.sections import Frame
from entropix_tui.transcript.transcript import Place, Transcript


def lines(block: Block) -> list[Line]:
    """Every line of a block, laid out now."""
    return [line for part in block.sections for line in part.layout.lines[: part.height]]


def shown(block: Block) -> list[str]:
    return ["".join(run.shown for run in line.runs) for line in lines(block)]


def source(block: Block) -> str:
    return "".join(line.source for line in lines(block))


def answer_of(*records: tuple[str, bytes], width: int = 60) -> Answer:
    answer = Answer(Frame(width, breaks=True))
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
    assert source(answer) == answer.text


def test_a_lone_invalid_byte_is_a_byte() -> None:
    assert shown(answer_of(("\ufffd", b"\xff"))) == ["‹FF›"]


def test_a_replacement_character_of_the_model_is_one() -> None:
    assert shown(answer_of(("\ufffd", "\ufffd".encode()))) == ["\ufffd"]


def test_a_replacement_character_of_the_model_is_seen_after_bytes_that_make_none() -> None:
    answer = answer_of(("", b"\xe4"), ("\ufffd\ufffd", "\ufffd".encode()))
    assert shown(answer) == ["\ufffd\ufffd"]
    assert source(answer) == answer.text


def test_special_tokens_are_literal_and_not_part_of_the_text() -> None:
    answer = answer_of(("Hi", b"Hi"), ("", b"<|im_end|>"))
    assert shown(answer) == ["Hi<|im_end|>"]
    assert answer.text == "Hi"


def test_a_token_without_bytes_shows_its_id() -> None:
    assert shown(answer_of(("", b""))) == ["‹100›"]


def test_marks() -> None:
    answer = Answer(Frame(60, breaks=True))
    answer.add(token(0, " one"))
    answer.add(token(1, " ...", forced="clarify"))
    answer.add(token(2, " two"))
    assert answer.mark_valley(0)
    assert answer.mark_valley(1)
    assert not answer.mark_valley(9)
    assert shown(answer) == [" ▾one ▾¿... two"]
    assert source(answer) == " one ... two"


TEXTS = st.lists(
    st.sampled_from(["\n", "\n\n", " a", "bc", " word", "\t", "中", "👍", "\u0301", "[/", "x" * 40])
)


def stream(raw: bytes, data: st.DataObject) -> list[TokenRecord]:
    """Bytes cut anywhere, as a model's tokens."""
    utf8, records = Utf8Stream(), []
    at = 0
    while at < len(raw):
        part = raw[at : at + data.draw(st.integers(1, 5))]
        records.append(token(len(records), utf8.feed(part), part))
        at += len(part)
    return records


@given(st.binary(max_size=40), st.data())
@settings(max_examples=200, deadline=None)
def test_any_bytes_cut_anywhere_come_out_as_the_stream_has_them(
    raw: bytes, data: st.DataObject
) -> None:
    answer = Answer(Frame(12, breaks=True))
    records = stream(raw, data)
    for record in records:
        answer.add(record)
        if data.draw(st.booleans()):
            lines(answer)  # laid out or not makes no difference
    assert answer.text == "".join(record.text for record in records) == source(answer)
    assert all(line.cells <= 12 for line in lines(answer))


@pytest.mark.slow
@given(TEXTS, st.binary(max_size=8), st.integers(2, 30), st.integers(1, 4), st.data())
@settings(max_examples=200, deadline=None)
def test_sections_laid_out_when_seen_are_the_whole_laid_out_at_once(
    texts: list[str], raw: bytes, width: int, size: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "PIECES", size)
        answer = Answer(Frame(width, breaks=True))
        for record in stream("".join(texts).encode() + raw, data):
            answer.add(record)
            if data.draw(st.integers(0, 3)) == 0:
                answer.mark_valley(data.draw(st.integers(0, record.index)))
            if data.draw(st.integers(0, 3)) == 0:
                answer.sections[data.draw(st.integers(0, len(answer.sections) - 1))].layout  # noqa: B018
    eager = Layout(width, pieces=[answer.piece(n) for n in range(len(answer.records))]).lines
    if len(eager) > 1 and not eager[-1].runs:
        eager.pop()
    picture = [
        [(section.start + run.piece, *run[1:]) for run in line.runs]
        for section in answer.sections
        for line in section.layout.lines[: section.height]
    ]
    assert picture == [[tuple(run) for run in line.runs] for line in eager]
    answer.stack()
    assert answer.height == len(eager)


@pytest.mark.slow
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), st.integers(2, 30), st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_read_stays_while_heights_become_known(
    turns: list[tuple[list[str], list[str]]], width: int, data: st.DataObject
) -> None:
    rows = 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "PIECES", 3)
        transcript = Transcript(width)
        for said, answered in turns:
            transcript.say("".join(said))
            answer = transcript.begin_answer()
            for text in answered:
                answer.add(token(len(answer.records), text))
        y = transcript.reach_end(rows)
        assert y == max(0, transcript.height - rows)
        for _ in range(4):
            before = [row and row.line for row in transcript.rows(y, rows)]
            step = data.draw(st.integers(-rows + 1, rows - 1))
            aim = max(0, min(y + step, transcript.height - rows))
            step = aim - y
            y = transcript.reach(aim, rows)
            after = [row and row.line for row in transcript.rows(y, rows)]
            assert all(row is None or row.section.is_laid_out for row in transcript.rows(y, rows))
            kept = before[step:] if step > 0 else before[: rows + step]
            assert [line for line in kept if line] == [
                line for line in (after[: rows - step] if step > 0 else after[-step:]) if line
            ]
        transcript.reach(0, transcript.height * 40 + 40)
        total = sum(block.lead + len(lines(block)) for block in transcript.blocks)
        assert transcript.height == total
        assert [row.line for row in transcript.rows(0, total) if row and row.line] == [
            line for block in transcript.blocks for line in lines(block)
        ]


def test_a_text_without_line_breaks_is_divided_at_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "PIECES", 4)
    monkeypatch.setattr(sections, "LONG", 10)
    answer = answer_of(*((f"{' ' * (n % 3 == 0)}x", b"?") for n in range(100)))
    assert [section.start for section in answer.sections] == list(range(0, 100, 12))[:9]
    assert source(answer) == answer.text
    joined = answer_of(*((text, text.encode()) for text in ["👨", "\u200d"] * 40))
    assert {section.start for section in joined.sections} == {0, 20, 40, 60}
    assert all(not section.text.startswith("\u200d") for section in joined.sections)


def test_resizing_lays_out_what_is_seen_only() -> None:
    transcript = Transcript(40)
    answer = transcript.begin_answer()
    for n in range(3000):
        answer.add(token(n, "\n" if n % 20 == 19 else f" word{n}"))
    transcript.reach_end(10)
    assert transcript.resize(30)
    assert not transcript.resize(30)
    transcript.reach_end(10)
    laid = [section.is_laid_out for section in answer.sections]
    assert 1 <= sum(laid) <= 3
    assert laid[-1]


def conversation() -> Transcript:
    transcript = Transcript(20)
    for turn in range(3):
        transcript.say(f"question {turn} with some length")
        answer = transcript.begin_answer()
        for index in range(30):
            answer.add(token(100 * turn + index, f" word{index}"))
        transcript.settle()
    transcript.reach(0, 1000)
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
    assert transcript.place_at(3, 0) is None, "what the user wrote has no records yet"


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


TEMPLATE = ("<|im_start|>", "user", "\n")


def prompt_of(
    text: str, *tokens: str | bytes, role: str = "user", index: int = 7, said: bool = True
) -> PromptRecord:
    """A prompt in a template, cut into tokens."""
    utf8 = Utf8Stream()
    raw = [part if isinstance(part, bytes) else part.encode() for part in (*TEMPLATE, *tokens)]
    raw += [b"<|im_end|>", b"\n"]
    records = [token(n, utf8.feed(part), part) for n, part in enumerate(raw)]
    ids = [record.id for record in records]
    return PromptRecord(
        index=index, parent=-1, role=role, ids=ids, text=text, records=records if said else None
    )


def refs(transcript: Transcript, block: int) -> list[TokenRef]:
    found = [transcript.ref_at(Place(block, n)) for n in range(transcript.tokens_of(block))]
    return [ref for ref in found if ref is not None]


def test_a_prompt_becomes_tokens_when_it_was_read() -> None:
    transcript = Transcript(30)
    transcript.say("Hi [there")
    assert shown(transcript.blocks[0]) == ["Hi [there"]
    assert transcript.record_at(Place(0, 0)) is None
    transcript.score(prompt_of("Hi [there", "Hi", " [", "there"))
    assert len(transcript.blocks) == 1
    assert shown(transcript.blocks[0]) == ["Hi [there"], "the template is not shown"
    assert refs(transcript, 0) == [TokenRef(7, 3), TokenRef(7, 4), TokenRef(7, 5)]
    record = transcript.record_at(Place(0, 1))
    assert record is not None
    assert record.text == " ["
    assert transcript.place_of(TokenRef(7, 4)) == Place(0, 1)
    assert transcript.place_of(TokenRef(7, 2)) is None, "of the template"
    assert transcript.place_of(TokenRef(7, 6)) is None


def test_tokens_that_overlap_the_text_are_shown_whole() -> None:
    transcript = Transcript(30)
    transcript.score(prompt_of("a", "a", "b\n\n<"))
    transcript.score(prompt_of("  x\n", "<x", "y>", index=9))
    assert shown(transcript.blocks[0]) == ["a"]
    assert shown(transcript.blocks[1]) == ["<x"], "templates trim what is said"
    transcript.score(prompt_of("中b", b"\xe4", b"\xb8", b"\xadb", index=11))
    assert shown(transcript.blocks[2]) == ["中b"]
    assert len(refs(transcript, 2)) == 3


def test_words_of_the_template_are_not_taken_for_what_was_said() -> None:
    transcript = Transcript(30)
    transcript.score(prompt_of("end", "end"))
    assert shown(transcript.blocks[0]) == ["end"]
    assert refs(transcript, 0) == [TokenRef(7, 3)]


@pytest.mark.parametrize("said", [True, False])
def test_a_prompt_whose_tokens_are_unknown_stays_text(said: bool) -> None:
    transcript = Transcript(30)
    transcript.say("[red] what")
    transcript.score(prompt_of("[red] what", "other", said=said))
    assert shown(transcript.blocks[0]) == ["[red] what"]
    assert transcript.next_token(None, 1) is None
    assert transcript.place_of(TokenRef(7, 0)) is None
    block = transcript.blocks[0]
    assert isinstance(block, Prompt)
    assert block.prompt.index == 7


def test_the_system_prompt_stands_before_what_was_said() -> None:
    transcript = Transcript(30)
    transcript.say("Hi")
    transcript.score(prompt_of("Be kind.", "Be", " kind", ".", role="system", index=0))
    transcript.score(prompt_of("Hi", "Hi", index=1))
    assert [block.kind for block in transcript.blocks] == ["system", "user"]
    assert [block.lead for block in transcript.blocks] == [0, 1]
    answer = transcript.begin_answer()
    answer.add(token(2, "Yes"))
    transcript.say("1 token", "note")
    transcript.score(prompt_of("More", "More", index=3))
    assert [block.kind for block in transcript.blocks][2:] == ["answer", "note", "user"]
    transcript.settle()
    assert transcript.place_of(TokenRef(2)) == Place(2, 0)
    assert transcript.place_of(TokenRef(3, 3)) == Place(4, 0)
    assert transcript.place_of(TokenRef(99)) is None
    assert transcript.next_token(Place(4, 0), -1) == Place(2, 0)
    assert transcript.next_token(Place(2, 0), -1) == Place(1, 0)
    assert transcript.height == sum(block.height for block in transcript.blocks) == 7


def test_a_valley_is_marked_wherever_it_is() -> None:
    transcript = conversation()
    assert transcript.mark_valley(105)
    assert transcript.mark_valley(102)
    assert transcript.mark_valley(102)
    assert not transcript.mark_valley(99)
    assert transcript.blocks[3].valleys == [2, 5]
    assert "".join(shown(transcript.blocks[3])).count("▾") == 2


def test_valleys_of_what_was_said_are_marked() -> None:
    """Those in the template around it are not seen."""
    parts = [b"<user>", b"Hello", b" dear", b" model", b"</user>"]
    records = [token(n, part.decode(), part) for n, part in enumerate(parts)]
    told = PromptRecord(
        index=7, parent=-1, role="user", ids=[0] * 5, text="Hello dear model", records=records,
        valleys=[(0, 1), (2, 3), (4, 4)],
    )  # fmt: skip
    block = Prompt(told, Frame(60, breaks=True))
    assert block.valleys == [1]
    assert shown(block) == ["Hello ▾dear model"]
    plain = Prompt(replace(told, valleys=UNSET), Frame(60, breaks=True))
    assert plain.valleys == []


@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=200, deadline=None)
def test_every_prompt_is_shown_whole(parts: list[bytes], first: int, last: int) -> None:
    """Whatever its bytes are, and however they are cut."""
    text = b"".join(parts[first:last]).decode(errors="replace")
    transcript = Transcript(20)
    transcript.score(prompt_of(text, *parts))
    block = transcript.blocks[0]
    assert text.strip() in source(block)
    for place in (Place(0, n) for n in range(transcript.tokens_of(0))):
        ref = transcript.ref_at(place)
        assert ref is not None
        assert transcript.place_of(ref) == place
