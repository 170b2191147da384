"""Many answers at once: each is what a session of its own gives by its seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from turns import DATE, session, tokens, whole

import entropix_mlx as ex
from entropix_mlx.records.record import End, PromptRecord, TokenRecord, TurnRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answer_folder import AnswerFolder
from entropix_mlx.session.answers import Answers, Asked, answer_seed
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import ContextLengthError, UnsupportedError, UsageError
from entropix_models.language_model import LanguageModel

PROMPTS = ("Hello there", "One", "A longer prompt than the others are")


def made_by(model: LanguageModel, rows: int, preset: str = "temperature", **of: Any) -> Answers:
    settings = Settings.make(preset, of.pop("overrides", {}))
    return Answers(model, [settings], seed=11, date=DATE, rows=rows, **of)


def requests(count: int, **of: Any) -> list[TurnRequest]:
    return [TurnRequest(text, max_tokens=count, **of) for text in PROMPTS]


def every(samples: int) -> list[Asked]:
    return [Asked(p, s) for p in range(len(PROMPTS)) for s in range(samples)]


def told(
    answers: Answers, asked: Sequence[Asked], count: int, **of: Any
) -> dict[Asked, list[TurnRecord]]:
    found: dict[Asked, list[TurnRecord]] = {one: [] for one in asked}
    for one, record in answers.run(requests(count, **of), asked):
        found[one].append(record)
    return found


def alone(model: LanguageModel, one: Asked, count: int, preset: str, **of: Any) -> list[TurnRecord]:
    made = session(model, preset, seed=answer_seed(11, one), **of)
    return list(made.send(PROMPTS[one.prompt], max_tokens=count))


@pytest.mark.parametrize(("samples", "rows"), [(1, 2), (3, 3), (2, 8), (3, 1)])
def test_each_is_what_it_would_be_alone(llama: LanguageModel, samples: int, rows: int) -> None:
    asked = every(samples)
    found = told(made_by(llama, rows), asked, 12)
    for one in asked:
        expected = alone(llama, one, 12, "temperature")
        assert [r.id for r in tokens(found[one])] == [r.id for r in tokens(expected)]
        assert [type(r) for r in found[one]] == [type(r) for r in expected]
        for record, other in zip(found[one], expected, strict=True):
            if isinstance(record, TokenRecord) and isinstance(other, TokenRecord):
                assert (record.index, record.parent, record.text) == (
                    other.index,
                    other.parent,
                    other.text,
                )
                assert record.entropy == pytest.approx(other.entropy, abs=1e-4)
                assert record.attn_entropy == pytest.approx(other.attn_entropy, abs=1e-4)
    ids = {tuple(r.id for r in tokens(records)) for records in found.values()}
    assert len(ids) == len(asked), "no two seeds are the same"


def test_answers_of_different_lengths(llama: LanguageModel) -> None:
    """Some stop at a text, so that others come in their places."""
    found = told(made_by(llama, 2), every(3), 40, stop=("e", "1"))
    ends = [records[-1] for records in found.values()]
    assert all(isinstance(end, End) for end in ends)
    assert len({end.tokens for end in ends if isinstance(end, End)}) > 3
    for records in found.values():
        text = "".join(record.text for record in tokens(records))
        assert "e" not in text
        assert "1" not in text


def test_traces_are_those_of_single_answers(llama: LanguageModel, tmp_path: Path) -> None:
    answers, folder = made_by(llama, 4), AnswerFolder(tmp_path / "traces")
    found: dict[Asked, list[TurnRecord]] = {one: [] for one in every(2)}
    for one, record in answers.run(requests(6), every(2), folder.open):
        found[one].append(record)
    for one, records in found.items():
        trace = whole(folder.file(one))
        assert trace.records == records
        assert trace.header.seed == answer_seed(11, one)
        assert folder.finished(one, answer_seed(11, one), PROMPTS[one.prompt]) == records
        with pytest.raises(UsageError, match="answers another prompt"):
            folder.finished(one, answer_seed(12, one), PROMPTS[one.prompt])
        with pytest.raises(UsageError, match="answers another prompt"):
            folder.finished(one, answer_seed(11, one), "Something else")
    path = folder.file(Asked(0, 0))
    path.write_bytes(path.read_bytes()[:-30])
    assert folder.finished(Asked(0, 0), answer_seed(11, Asked(0, 0)), PROMPTS[0]) is None
    path.write_bytes(b"")
    assert folder.finished(Asked(0, 0), answer_seed(11, Asked(0, 0)), PROMPTS[0]) is None


@pytest.mark.parametrize("after", [1, 5, 26])
def test_a_stop_ends_all(llama: LanguageModel, tmp_path: Path, after: int) -> None:
    answers, folder = made_by(llama, 2), AnswerFolder(tmp_path)
    ends = []
    for n, (one, record) in enumerate(answers.run(requests(9), every(2), folder.open)):
        if n == after:
            answers.stop()
        if isinstance(record, End):
            ends.append((one, record.finish_reason))
    assert [reason for _, reason in ends][-2:] == ["interrupted"] * 2
    assert {folder.file(one) for one, _ in ends} == {*tmp_path.iterdir()}
    for one, reason in ends:
        last = whole(folder.file(one)).records[-1]
        assert isinstance(last, End)
        assert last.finish_reason == reason


def test_whoever_wants_no_more_has_whole_traces(llama: LanguageModel, tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path)
    running = made_by(llama, 2).run(requests(9), every(2), folder.open)
    for _ in range(7):
        next(running)
    running.close()
    for path in tmp_path.iterdir():
        ends = [record for record in whole(path).records if isinstance(record, End)]
        assert [end.finish_reason for end in ends] == ["interrupted"]


def test_models_that_cannot_have_rows(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnsupportedError("only caches of plain keys and values")

    expected = told(made_by(llama, 4), every(1), 5)
    for name in ("rows_after", "rows_beside"):
        monkeypatch.setattr(llama, name, refuse)
    found = told(made_by(llama, 4), every(1), 5)
    for one, records in found.items():
        assert [r.id for r in tokens(records)] == [r.id for r in tokens(expected[one])]


def test_errors_come_before_anything_is_made(llama: LanguageModel) -> None:
    answers = made_by(llama, 2)
    for text, error, words in (
        ("", UsageError, "prompt 2: the prompt is empty"),
        ("x" * 5000, ContextLengthError, "prompt 2 has"),
    ):
        asked = [TurnRequest("fine", max_tokens=3), TurnRequest(text, max_tokens=3)]
        with pytest.raises(error, match=words):
            next(answers.run(asked, [Asked(0, 0), Asked(1, 0)]))


def test_a_prompt_of_one_id(llama: LanguageModel) -> None:
    answers = made_by(llama, 3)
    asked = [Asked(0, s) for s in range(3)]
    found = list(answers.run([TurnRequest("a", max_tokens=4, raw=True)], asked))
    assert sum(isinstance(record, TokenRecord) for _, record in found) == 12
    (prompt,) = (r for one, r in found if isinstance(r, PromptRecord) and one.sample == 0)
    assert len(prompt.ids) <= 2


def test_from_python(llama: LanguageModel) -> None:
    done: list[tuple[int, int | None]] = []
    runs = ex.generate_batch(
        llama,
        PROMPTS[:2],
        n=3,
        sampler="temperature",
        seed=11,
        max_tokens=5,
        date=DATE,
        progress=lambda _stage, made, total, **_: done.append((made, total)),
    )
    assert [len(of) for of in runs] == [3, 3]
    assert done[-1] == (6, 6)
    for prompt, of in enumerate(runs):
        for sample, run in enumerate(of):
            one = Asked(prompt, sample)
            expected = tokens(alone(llama, one, 5, "temperature"))
            assert [token.id for token in run.tokens] == [token.id for token in expected]
            assert run.header.seed == answer_seed(11, one)
            assert run.text == "".join(token.text for token in expected)
