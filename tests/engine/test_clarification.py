"""What is put into an answer to clarify: where, how often, and that the path says all of it."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turns import end, session, tokens, turn, whole

from entropix_mlx.checks.rerun import rerun
from entropix_mlx.checks.verify import verify
from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.sampling.clarification import LONGEST_QUESTION, Way, way
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel
from entropix_models.tokenizer.tokenizer import Tokenizer

HELV = {"lelv_entropy": "0", "helv_entropy": "0", "helv_varentropy": "1000"}
"""Everything calls for clarifying."""
WAYS = ("insert", "ask", "guide")
OPENING = "Could you tell me"

drawn_texts = st.lists(
    st.tuples(st.sampled_from(" .?!ab\n"), st.booleans(), st.sampled_from([None, None, None, "c"])),
    min_size=1,
    max_size=60,
)
"""What is drawn, whether it calls for clarifying, what the user takes instead."""


def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary.of(tokenizer, " ...")


def made(name: str, tokenizer: Tokenizer) -> Way:
    found = way(name, vocabulary(tokenizer))
    assert found is not None
    return found


class Taken:
    """A token of a text that a way was shown, and what it then remembered."""

    def __init__(self, id: int, forced: str | None, drawn: str, memory: Sequence[int]) -> None:
        self.id, self.forced, self.drawn, self.memory = id, forced, drawn, list(memory)
        self.past = Past(id, forced, (0.0,) * 6)


def shown(
    how: Way, tokenizer: Tokenizer, drawn: Iterable[tuple[str, bool, str | None]]
) -> list[Taken]:
    """A text after a prompt that ends with a line."""
    prompt = Past(tokenizer.encode("\n")[0])
    memory: Any = tuple(mx.array(value, mx.int32) for value in how.remembered([prompt]))
    taken = []
    for text, calls, user in drawn:
        id = tokenizer.encode(text)[0]
        given = -1 if user is None else tokenizer.encode(user)[0]
        seen: Any = SimpleNamespace(given=mx.array(given, mx.int32))
        step = how.step(seen, mx.array(id, mx.int32), mx.array(calls), memory)
        memory = step.memory
        put = int(step.inserted.item())
        forced = "user" if given >= 0 else "clarify" if put >= 0 else None
        assert not (given >= 0 and put >= 0), "what the user takes comes first"
        id = given if given >= 0 else put if put >= 0 else id
        taken.append(Taken(id, forced, text, [part.item() for part in memory]))
        again = how.remembered([prompt, *(each.past for each in taken)])
        assert list(again) == taken[-1].memory
        if id in tokenizer.stop_ids:
            break
    return taken


@pytest.mark.slow
@pytest.mark.parametrize("name", ["insert", "ask"])
@settings(max_examples=40, deadline=None)
@given(drawn=drawn_texts)
def test_the_memory_follows_from_the_path(
    llama: LanguageModel, name: str, drawn: list[tuple[str, bool, str | None]]
) -> None:
    shown(made(name, llama.tokenizer), llama.tokenizer, drawn)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(drawn=drawn_texts)
def test_a_text_stands_between_words_once_a_sentence(
    llama: LanguageModel, drawn: list[tuple[str, bool, str | None]]
) -> None:
    taken = shown(made("insert", llama.tokenizer), llama.tokenizer, drawn)
    text, marked, begun = "\n", "\n", 0
    for each in taken:
        begins = each.forced == "clarify" and begun % 4 == 0
        begun = begun + 1 if each.forced == "clarify" else 0
        if begins:
            assert text[-1].isspace() or each.drawn.isspace(), "a word was left unfinished"
            marked += "¿"
        said = llama.tokenizer.token_text(each.id)
        text += said
        marked += said if each.forced != "clarify" else ""
    for sentence in re.split(r"(?<=[.!?\n])(?=\s)|(?<=\n)", marked):
        assert sentence.count("¿") <= 1


@pytest.mark.slow
def test_a_word_follows_a_text(llama: LanguageModel) -> None:
    """Else " ..." and "th" would be one word, as a model that goes on in mid-word has it."""
    made = session(llama, overrides={**HELV, "clarify": "insert"})
    said = tokens(turn(made, "One", 150))
    text, followed = llama.tokenizer.encode(" ..."), 0
    for n in range(len(text), len(said)):
        before, record = said[n - len(text) : n], said[n]
        if [r.id for r in before if r.forced] == text and record.forced is None:
            followed += 1
            id_ends = record.id in llama.tokenizer.stop_ids
            assert id_ends or llama.tokenizer.token_text(record.id)[:1].isspace(), n
            listed = {id: p for id, _, _, p in record.candidates}
            assert listed[record.id] > 0
            assert all(
                p == 0 or id in llama.tokenizer.stop_ids or spelt[:1].isspace()
                for id, spelt, _, p in record.candidates
            )
    assert followed >= 3


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(drawn=drawn_texts)
def test_a_question_is_asked_to_its_end_once(
    llama: LanguageModel, drawn: list[tuple[str, bool, str | None]]
) -> None:
    taken = shown(made("ask", llama.tokenizer), llama.tokenizer, drawn)
    text = "".join(llama.tokenizer.token_text(each.id) for each in taken)
    begins = next((n for n, each in enumerate(taken) if each.forced == "clarify"), None)
    if begins is None:
        assert not any(each.id in llama.tokenizer.stop_ids for each in taken)
        return
    before = "\n" + text[:begins]
    assert re.search(r"[.!?]\s?$|\n$", before), "where no sentence begins"
    question = text[begins:]
    if taken[-1].id in llama.tokenizer.stop_ids:
        assert re.fullmatch(rf" ?{OPENING}[^?]{{0,{LONGEST_QUESTION}}}\?<\|im_end\|>", question)
    elif not any(each.forced == "user" for each in taken[begins:]):
        assert "?" not in question[:-1]
        assert question.lstrip()[: len(OPENING)] == OPENING[: len(question.lstrip())]


def test_a_question_that_finds_no_end_is_ended(llama: LanguageModel) -> None:
    tokenizer = llama.tokenizer
    drawn = [("a", True, None)] * (len(OPENING) + 2 * LONGEST_QUESTION)
    taken = shown(made("ask", tokenizer), tokenizer, drawn)
    text = "".join(tokenizer.token_text(each.id) for each in taken)
    assert text == OPENING + "a" * LONGEST_QUESTION + "?<|im_end|>"


def asked(llama: LanguageModel, **overrides: str) -> Any:
    return session(llama, overrides={**HELV, "clarify": "ask", **overrides})


@pytest.mark.parametrize("clarify", WAYS)
def test_what_can_be_put_in_is_not_said_to_lack(llama: LanguageModel, clarify: str) -> None:
    assert asked(llama, clarify=clarify).lacks is None


def test_the_turn_ends_with_a_question_that_is_told(llama: LanguageModel) -> None:
    records = turn(asked(llama), "One", 60)
    said = tokens(records)
    text = "".join(record.text for record in said)
    assert text.startswith(OPENING)
    assert text.endswith("?")
    assert said[-1].id == llama.tokenizer.turn_end
    assert said[-1].text == ""
    assert end(records).finish_reason == "stop"
    (event,) = (r for r in records if isinstance(r, Event) and r.kind == "question")
    assert (event.index, event.at) == (said[-1].index, said[0].index)
    assert all(record.strategy == "clarify" for record in said if record.forced)


@pytest.mark.parametrize("before", ["guide", "insert"])
def test_a_question_is_told_where_it_begins_whatever_was_put_in_before(
    llama: LanguageModel, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is another one from a token on."""
    # Of bytes, so the space of " ..." would be that of " Could".
    monkeypatch.setattr(llama, "info", dataclasses.replace(llama.info, clarify="..."))
    made = session(llama, overrides={**HELV, "clarify": before})
    first = tokens(turn(made, "One", 3))
    assert [record.forced for record in first] == ["clarify"] * 3
    made.use(Settings.make("calibrated", {**HELV, "clarify": "ask"}))
    line = llama.tokenizer.encode("\n")
    records = list(made.run(TurnRequest(max_tokens=80, after=first[-1].index, force=line)))
    (event,) = (r for r in records if isinstance(r, Event) and r.kind == "question")
    said = tokens(records)
    begins = next(record for record in said if record.forced == "clarify")
    assert event.at == begins.index > first[-1].index
    text = "".join(record.text for record in said if record.index >= begins.index)
    assert text.startswith(OPENING)


@pytest.mark.slow
def test_the_answer_to_a_question_asks_none(llama: LanguageModel) -> None:
    made = asked(llama)
    turn(made, "One", 60)
    ids = list(made.ids)
    records = turn(made, "Two", 40)
    assert not any(record.forced for record in tokens(records))
    assert made.ids[len(ids)] != llama.tokenizer.turn_end, "the end of the turn was said twice"
    assert made.ids[: len(ids)] == ids


def test_an_answer_that_ended_may_be_followed_by_a_question(llama: LanguageModel) -> None:
    how, newline = made("ask", llama.tokenizer), Past(llama.tokenizer.encode("\n")[0])
    stop, measured = llama.tokenizer.turn_end, (0.0,) * 6
    assert stop is not None
    opening = [Past(id, "clarify", measured) for id in llama.tokenizer.encode(OPENING)]
    asks = [newline, *opening, Past(llama.tokenizer.encode("?")[0], "clarify", measured)]
    asks += [Past(stop, "clarify", measured)]
    assert how.remembered(asks)[1] == 1
    assert how.remembered([*asks, newline, Past(70, None, measured)])[1] == 1
    assert how.remembered([*asks, newline, Past(stop, None, measured)])[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("clarify", WAYS)
def test_one_can_go_on_from_any_token(llama: LanguageModel, clarify: str) -> None:
    """Rewound to any of its tokens, an answer comes out as it did: the path says all."""
    made = session(llama, overrides={**HELV, "clarify": clarify})
    turn(made, "One", 3)
    said = tokens(turn(made, "Two. Three.", 30))
    for n in range(0, len(said) - 1, 4):
        again = tokens(made.run(TurnRequest(max_tokens=len(said) - n - 1, after=said[n].index)))
        assert [r.id for r in again] == [r.id for r in said[n + 1 :]]
        assert [r.forced for r in again] == [r.forced for r in said[n + 1 :]]


@pytest.mark.parametrize("clarify", ["insert", "ask"])
def test_what_was_put_in_can_be_left_out(llama: LanguageModel, clarify: str) -> None:
    """A branch from before it goes on without it."""
    made = session(llama, overrides={**HELV, "clarify": clarify})
    said = tokens(turn(made, "One", 30))
    first = next(n for n, record in enumerate(said) if record.forced == "clarify")
    off = Settings.make("calibrated", {**HELV, "clarify": "off"})
    before = said[first].parent
    again = tokens(made.run(TurnRequest(max_tokens=9, after=before, settings=off)))
    assert again[0].parent == before
    assert not any(record.forced for record in again)


@pytest.mark.slow
@pytest.mark.parametrize("clarify", WAYS)
def test_it_is_verified_and_made_again(llama: LanguageModel, tmp_path: Path, clarify: str) -> None:
    path = tmp_path / "run.jsonl"
    made = session(
        llama,
        trace=TraceWriter(path),
        score_prompts=True,
        overrides={**HELV, "clarify": clarify},
    )
    first = tokens(turn(made, "One", 50))
    turn(made, "Two", 20)
    list(made.run(TurnRequest(max_tokens=9, after=first[2].index, force=(70,))))
    made.close()
    trace = whole(path)
    assert any(r.forced == "clarify" for r in trace.records if isinstance(r, TokenRecord))
    assert verify(llama, trace, Settings.make("calibrated")).stands
    assert rerun(llama, trace, path).parting is None


def test_a_model_without_ends_or_texts_is_asked_for_nothing() -> None:
    assert all(way(name, Vocabulary()) is None for name in WAYS)
    for name in WAYS:
        said = Settings.make("calibrated", {"clarify": name}).lacks(Vocabulary())
        assert said is not None
        assert f"clarify={name}" in said
    assert Settings.make("calibrated").lacks(Vocabulary()) is None
    assert Settings.make("greedy").lacks(Vocabulary()) is None
    assert way("off", Vocabulary((20,))) is None


def test_a_tokenizer_that_drops_every_text_asks_nothing() -> None:
    class Mute:
        turn_end = 1

        def encode(self, _text: str) -> list[int]:
            return []

    assert Vocabulary((), cast("Tokenizer", Mute())).question is None


@pytest.mark.parametrize("name", ["off", "guide"])
def test_tokens_are_read_for_their_marks_only_where_one_asks(name: str) -> None:
    """Which a start would wait for, as all of them are."""
    vocabulary = Vocabulary((3, 4), cast("Tokenizer", SimpleNamespace()))  # has no marks
    assert (way(name, vocabulary) is None) == (name == "off")
    with pytest.raises(AttributeError):
        way("insert", vocabulary)
