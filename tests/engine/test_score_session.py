"""Texts that are scored one after another on one model: told, kept, looked into."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from turns import tokens

from entropix_mlx.decoding.make_records import calibration_of
from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import End, Event, TokenRecord
from entropix_mlx.records.tree import ROOT, Tree
from entropix_mlx.session.journal import Storage
from entropix_mlx.session.score_session import ScoreSession
from entropix_mlx.trace.attention_file import AttentionWriter, read_attention
from entropix_mlx.trace.trace import TraceWriter, attention_beside, read_trace
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel


def scored(model: LanguageModel, text: str) -> list[TokenRecord]:
    tokenizer = model.tokenizer
    ids = tokenizer.encode(text, special=True, bos=tokenizer.adds_bos)
    return list(score(model, ids, calibration_of(model)))


def test_each_text_is_a_branch_from_the_root(llama: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    with TraceWriter(path) as writer:
        made = ScoreSession(llama, Storage(writer))
        one, other = list(made.score("Hello there")), list(made.score("Bye"))
        made.close()
    assert tokens(one) == scored(llama, "Hello there")
    first = len(tokens(one))
    for record, alone in zip(tokens(other), scored(llama, "Bye"), strict=True):
        parent = alone.parent + first if alone.parent >= 0 else ROOT
        assert record == msgspec.structs.replace(alone, index=alone.index + first, parent=parent)
    ends = [record for record in (*one, *other) if isinstance(record, End)]
    assert [(end.leaf, end.finish_reason, end.tokens) for end in ends] == [
        (first - 1, "stop", first),
        (first + len(tokens(other)) - 1, "stop", len(tokens(other))),
    ]
    kept = read_trace(path)
    assert kept.header.sampler == {}
    assert list(kept.records) == [*one, *other]
    assert [branch.leaf for branch in Tree.of(kept.records).branches()] == [e.leaf for e in ends]


def test_the_attention_goes_beside_the_second_text_too(
    llama: LanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / "texts.jsonl"
    with TraceWriter(path) as writer:
        attention = AttentionWriter(attention_beside(path))
        made = ScoreSession(llama, Storage(writer, attention))
        told = [*made.score("Hello"), *made.score("Bye")]
        made.close()
    measured = [r.index for r in tokens(told) if r.attn_entropy is not None]
    assert list(read_attention(attention_beside(path)).indices) == measured


def test_what_a_token_met_is_looked_into(llama: LanguageModel) -> None:
    made = ScoreSession(llama)
    one, other = tokens(list(made.score("Hello there"))), tokens(list(made.score("Bye now")))
    for record in (other[1], one[-1], one[1], other[-1]):
        seen = made.inspect(record.index)
        p = np.exp(seen.logprobs.astype(np.float64))
        assert -(p * seen.logprobs).sum() / np.log(2) == pytest.approx(record.entropy, abs=1e-4)
        assert seen.head[0][0] == record.candidates[0][0]
        first = one[0].index if record in one else other[0].index
        assert seen.places == [(n, 0) for n in range(first, record.index)]
    for index in (one[0].index, other[0].index):
        with pytest.raises(UsageError, match="met no distribution"):
            made.inspect(index)
    with pytest.raises(UsageError, match="no record 99"):
        made.inspect(99)


def test_beyond_the_context_a_token_is_looked_into_in_its_window(llama: LanguageModel) -> None:
    context = llama.info.context_length
    made = ScoreSession(llama)
    text = "".join(chr(97 + n * 7 % 26) for n in range(context + 40))
    found = tokens(list(made.score(text)))
    assert len(found) > context
    record = found[-1]
    seen = made.inspect(record.index)
    assert len(seen.places) < context
    p = np.exp(seen.logprobs.astype(np.float64))
    assert -(p * seen.logprobs).sum() / np.log(2) == pytest.approx(record.entropy, abs=1e-3)


def test_it_can_be_stopped_and_goes_on_with_the_next(llama: LanguageModel) -> None:
    made = ScoreSession(llama)
    running = made.score("Hello there, all of you")
    found = [next(running), next(running)]
    made.stop()
    found += running
    end = found[-1]
    assert isinstance(end, End)
    assert end.finish_reason == "interrupted"
    assert end.tokens == len(tokens(found)) < len(scored(llama, "Hello there, all of you"))
    assert isinstance((last := list(made.score("Bye"))[-1]), End)
    assert last.finish_reason == "stop"


def test_valleys_are_told_where_they_are(llama: LanguageModel) -> None:
    made = ScoreSession(llama)
    first = len(tokens(list(made.score("Bye"))))
    text = "The cat sat on the mat. " * 8
    told = list(made.score(text))
    for event in (record for record in told if isinstance(record, Event)):
        assert event.kind == "valley"
        assert event.at is not None
        assert first <= event.at < event.index < first + len(tokens(told))


def test_nothing_is_kept_of_a_text_without_tokens(llama: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    with TraceWriter(path) as writer:
        made = ScoreSession(llama, Storage(writer), bos=False)
        with pytest.raises(UsageError, match="nothing to score"):
            list(made.score(""))
        made.close()
    assert not path.exists()
