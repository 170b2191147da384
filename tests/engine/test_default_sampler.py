"""The benchmark of the default sampler: its judges are fair, its batch is what a session says."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from turns import DATE, session, tokens, turn

from entropix_mlx.decoding.make_records import calibration_of
from entropix_mlx.decoding.row import Row
from entropix_mlx.sampling.settings import Settings
from entropix_models.language_model import LanguageModel

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import batch
import default_sampler
import questions

HELV = {"lelv_entropy": "0", "helv_entropy": "0", "helv_varentropy": "1000"}


class TestJudges:
    def test_there_are_enough_and_none_twice(self) -> None:
        texts = [question.text for question in questions.questions()]
        assert len(texts) == len(set(texts)) >= 120
        assert len(questions.OPEN) == len(set(questions.OPEN)) == 20
        assert [q.text for q in questions.questions()] == texts

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("7", [7]),
            ("7.", [7]),
            ("It is seven.", [7]),
            ("1,234 and -2.50", [1234, -2.5]),
            ("v2 and 3rd", []),
            ("9.11 > 9.9", [9.11, 9.9]),
        ],
    )
    def test_numbers_are_read_by_value(self, text: str, found: list[float]) -> None:
        assert questions.numbers(text) == found

    @pytest.mark.parametrize(
        ("judge", "answer", "right"),
        [
            (questions.names("Rome"), "the city of ROME.", True),
            (questions.names("Rome"), "Romeo", False),
            (questions.names("Beijing", "Peking"), "Peking", True),
            (questions.settles_on("blue", "red"), "It is blue, not red", True),
            (questions.settles_on("blue", "red"), "The red one, or blue", False),
            (questions.settles_on("blue", "red"), "green", False),
            (questions.settles_on_number(12), "twelve", True),
            (questions.settles_on_number(12), "12.0", True),
            (questions.settles_on_number(12), "120", False),
            (questions.settles_on_number(12), "11, no, 12", False),
        ],
    )
    def test_an_answer(self, judge: questions.Judge, answer: str, right: bool) -> None:
        assert judge(answer) is right


@pytest.mark.slow
@pytest.mark.parametrize("clarify", ["insert", "ask"])
def test_side_by_side_as_alone(llama: LanguageModel, clarify: str) -> None:
    """Rows that end at different tokens, of different samplers and seeds."""
    ways = {"calibrated": {**HELV, "clarify": clarify}, "temperature": {}, "greedy": {}}
    prompt = llama.tokenizer.chat([{"role": "user", "content": "One"}], date=DATE)
    rows, alone = [], []
    for preset, overrides in ways.items():
        settings = Settings.make(preset, overrides)
        row = Row(llama, settings, calibration_of(llama), 5)
        for seed in (5, 6):
            rows.append(row if seed == 5 else row.like(seed))
            made = session(llama, preset, overrides=overrides, seed=seed)
            alone.append([r.id for r in tokens(turn(made, "One", 50))])
    ends = partial(default_sampler.ends, llama.tokenizer, 50, False)
    said = dict(batch.decode(llama, prompt, rows, ends))
    assert [[c.id for c in said[row]] for row in rows] == alone
    assert len({len(ids) for ids in alone}) > 1


class TestTable:
    def answer(self, run: str, text: str, said: str, seed: int = 1, **of: Any) -> dict[str, Any]:
        return {"run": run, "text": text, "seed": seed, "short": True, "answer": said} | of

    def test_an_interval_is_by_question_and_always_the_same(self) -> None:
        one = default_sampler.interval(np.array([0, 1] * 50, float))
        assert one == default_sampler.interval(np.array([0, 1] * 50, float))
        mean, low, high = one
        assert mean == 0.5
        # Two standard errors of a hundred questions are a tenth; quantiles of 10,000 draws wander.
        assert low == pytest.approx(0.4, abs=0.02)
        assert high == pytest.approx(0.6, abs=0.02)

    def test_what_was_not_answered_counts_for_nothing(self) -> None:
        asked = questions.questions()[:3]
        answers = [
            self.answer("x", asked[0].text, "Paris.", 1),
            self.answer("x", asked[0].text, "Rome.\nParis", 2),
            self.answer("x", asked[2].text, "\nRome"),
        ]
        np.testing.assert_equal(default_sampler.shares(asked, answers), [0.5, np.nan, 1.0])

    def test_repetition(self) -> None:
        assert default_sampler.repeated("one two three") == 0
        assert default_sampler.repeated("one") == 0
        assert default_sampler.repeated("One two, three. One two three four!") == pytest.approx(
            1 / 5
        )

    @pytest.mark.parametrize(
        ("before", "favourite", "after", "broken"),
        [
            ("hel", "lo", "lo", True),
            ("hello", " you", " you", False),
            ("hello", " you", "you", True),
            ("hello ", "you", " you", False),
            ("hello.", "\n", "\n", False),
        ],
    )
    def test_a_word_that_was_broken(
        self, before: str, favourite: str, after: str, broken: bool
    ) -> None:
        told = [(before, None, ""), (" .", "clarify", favourite), ("..", "clarify", "x")]
        told.append((after, None, ""))
        tokens = [{"text": t, "forced": f, "favourite": v} for t, f, v in told]
        assert default_sampler.insertions(tokens) == [broken]

    def test_a_line_that_was_cut_off_does_not_count(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.jsonl"
        assert default_sampler.read(file) == []
        file.write_text(json.dumps({"run": "x"}) + '\n{"run": "y", "te')
        assert default_sampler.read(file) == [{"run": "x"}]


def test_what_is_there_is_not_made_again(
    llama: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_sampler, "questions", lambda: questions.questions()[:2])
    monkeypatch.setattr(default_sampler, "OPEN", questions.OPEN[:1])
    monkeypatch.setattr(default_sampler, "LONG", 4)
    file = tmp_path / "answers.jsonl"
    runs = {"hot": Settings.make("temperature"), "cold": Settings.make("greedy")}
    default_sampler.made(llama, runs, file)
    lines = file.read_text().splitlines()
    assert len(lines) == 3 * (3 + 1)
    file.write_text("\n".join(lines[:5]) + "\n" + lines[5][:9])
    default_sampler.made(llama, runs, file)
    assert sorted(file.read_text().splitlines()) == sorted(lines)
    assert "| hot |" in default_sampler.table(default_sampler.read(file))
