"""A run's report: its numbers are those of the records, its words those of the numbers."""

import json
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from made_runs import SAMPLERS, item, lines, result, write_run
from scipy import stats

from entropix_mlx.evaluation import documents, figure, parquet, report_text, sweep
from entropix_mlx.evaluation.item import PROBLEMS, Item, Result
from entropix_mlx.evaluation.report import Report, Row
from entropix_mlx.evaluation.text_measures import distinct, repetition
from entropix_models.errors import DamagedFileError, EntropixError, UsageError

GREEDY, MIN_P, CHAIN = SAMPLERS


def made_up(samples: int = 3, items: int = 40) -> tuple[list[Item], list[Result]]:
    """min-p is far worse than greedy, the chain as good."""
    chance = random.Random(5)
    asked = [item(n, ("capitals", "sums")[n % 2]) for n in range(items)]
    answers = []
    for sampler, good in ((GREEDY, 0.7), (MIN_P, 0.2), (CHAIN, 0.7)):
        for each in asked:
            for sample in range(1, samples + 1):
                right, said = chance.random() < good, chance.random() < 0.9
                fields: dict[str, Any] = {
                    "right": right and said,
                    "given": "x" if said else None,
                    "text": " ".join(chance.choices(("one", "two", "red", ""), k=9)),
                    "tokens": chance.randrange(1, 20),
                    "ms": chance.uniform(20, 60),
                    "entropy": chance.uniform(0, 4),
                    "first_fork": chance.choice((None, 1, 4)),
                    "finish_reason": chance.choice(("stop", "length")),
                }
                answers.append(result(sampler, each, sample, **fields))
    return asked, answers


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", *made_up(), samples=3, chance=0.25)


def row(report: Report, sampler: str) -> Row:
    return next(each for each in report.rows if each.sampler == sampler)


class TestNumbers:
    def test_a_row_by_hand(self, whole: Path) -> None:
        """From the lines of the files, in plain Python."""
        told = row(Report.of(whole), MIN_P)
        answers = [json.loads(line) for line in (whole / "results.jsonl").read_text().splitlines()]
        mine = [each for each in answers if each["sampler"] == MIN_P]
        by_item: dict[str, list[bool]] = {}
        for each in mine:
            by_item.setdefault(each["item"], []).append(each["right"])
        right = mean(sum(of) / len(of) for of in by_item.values())
        assert (told.answers, told.judged) == (120, 120) == (len(mine), len(mine))
        assert told.right is not None
        assert told.right.mean == pytest.approx(right)
        assert told.right.low < right < told.right.high
        assert (told.right.items, told.right.level) == (40, 0.95)
        sums = mean(sum(of) / len(of) for name, of in by_item.items() if name.startswith("sums"))
        assert told.by_kind["sums"].mean == pytest.approx(sums)
        assert told.no_answer == sum(e["given"] is None and e["text"].strip() != "" for e in mine)
        assert told.empty == sum(not e["text"].strip() for e in mine)
        assert told.tokens == pytest.approx(mean(e["tokens"] for e in mine))
        assert told.entropy == pytest.approx(mean(e["entropy"] for e in mine))
        assert told.repetition is not None
        assert told.repetition.mean == pytest.approx(mean(e["repetition"] for e in mine))
        forks = [e["first_fork"] for e in mine if e["first_fork"] is not None]
        assert told.first_fork == pytest.approx(mean(forks))
        assert told.forked == pytest.approx(len(forks) / 120)
        spent = sum(e["ms"] * e["tokens"] for e in mine)
        assert told.ms == pytest.approx(spent / sum(e["tokens"] for e in mine))
        assert told.finish_reasons == {
            why: sum(e["finish_reason"] == why for e in mine) for why in ("stop", "length")
        }
        pairs = [words.split() for words in (e["text"] for e in mine)]
        twos = [list(pairwise(words)) for words in pairs]
        assert told.distinct[1] == pytest.approx(mean(len(set(t)) / len(t) for t in twos if t))

    def test_differences_by_hand(self, whole: Path) -> None:
        report = Report.of(whole)
        means = {each.sampler: each.right.mean for each in report.rows if each.right}
        assert [each.sampler for each in report.differences] == [MIN_P, CHAIN]
        assert len(report.pairs) == 3
        for each in (*report.differences, *report.pairs):
            apart = means[each.sampler] - means[each.against]
            assert each.interval.mean == pytest.approx(apart)
            assert each.interval.items == 40
        levels = [each.interval.level for each in (*report.differences, *report.pairs)]
        assert levels == pytest.approx([1 - 0.05 / 2] * 2 + [1 - 0.05 / 3] * 3)

    def test_the_order_of_answers_is_nothing(self, whole: Path) -> None:
        before = Report.of(whole)
        answers = (whole / "results.jsonl").read_bytes().splitlines(keepends=True)
        (whole / "results.jsonl").write_bytes(b"".join(reversed(answers)))
        after = Report.of(whole)
        assert [(e.right, e.by_kind) for e in after.rows] == [
            (e.right, e.by_kind) for e in before.rows
        ]

    @pytest.mark.slow
    def test_shuffled_answers_are_guesses(self, tmp_path: Path) -> None:
        """Four choices; each answer is held against another item's."""
        chance = random.Random(11)
        asked = [item(n, accepted=(chance.choice("ABCD"),)) for n in range(200)]
        names: dict[str, dict[str, Any]] = {f"sampler {n}": {} for n in range(20)}
        answers = []
        for name in names:
            given = [each.accepted[0] for each in asked]
            chance.shuffle(given)
            answers += [
                result(name, each, given=said, right=said == each.accepted[0])
                for each, said in zip(asked, given, strict=True)
            ]
        report = Report.of(write_run(tmp_path, asked, answers, names, chance=0.25))
        found = [each.right for each in report.rows if each.right is not None]
        missed = sum(not each.low <= 0.25 <= each.high for each in found)
        assert stats.binomtest(missed, len(names), 0.05, alternative="greater").pvalue > 1e-3
        same = "; ".join(list(names)[1:])
        assert f"No difference from sampler 0 seen: {same}." in report_text.sentences(report)

    def test_text_measures(self) -> None:
        assert repetition("one two three") == repetition("one") == repetition("") == 0
        assert repetition("One two, three. One two three four!") == pytest.approx(1 / 5)
        assert distinct("a b a b a", 1) == pytest.approx(2 / 5)
        assert distinct("a b A b a", 2) == pytest.approx(2 / 4)
        assert distinct("a b a b a", 3) == pytest.approx(2 / 3)
        assert distinct("a", 2) is None


class TestWhatIsWrong:
    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        asked, answers = made_up()
        folder = write_run(tmp_path, asked, answers[:170], samples=3)
        with (folder / "results.jsonl").open("ab") as file:
            file.write(lines(answers[170:171])[:-9])
        report = Report.of(folder)
        assert (report.answers, report.wanted, report.problem_count) == (170, 360, 0)
        assert next(report_text.sentences(report)).startswith("Not finished: 170 of 360 answers")
        (only,) = report.differences
        assert (only.sampler, only.interval.items) == (MIN_P, 17)
        assert row(report, CHAIN).right is None
        report_text.plain(report)
        report_text.markdown(report)
        figure.svg(report)

    def test_lines_that_are_no_results_are_counted(self, whole: Path) -> None:
        before = Report.of(whole)
        with (whole / "results.jsonl").open("ab") as file:
            file.write(b'{"sampler": "greedy"}\nnonsense\n')
            file.write(lines([result("other", item(0)), result(GREEDY, item(999))]))
            file.write(lines([result(GREEDY, item(0), 1, right=False)]) * 30)
        report = Report.of(whole)
        assert report.rows == before.rows
        assert report.problem_count == 34
        assert len(report.problems) == PROBLEMS
        assert report.problems[0].startswith("results.jsonl, line 361: no result (")
        assert report.problems[1].startswith("results.jsonl, line 362: no result (")
        assert report.problems[2] == (
            "other, item capitals-0, sample 1: an answer that was not asked for"
        )
        assert report.problems[4] == (
            "greedy, item capitals-0, sample 1: answered twice; the first answer counts"
        )
        assert "and 14 more" in report_text.plain(report)

    def test_the_sources_problems_are_told(self, tmp_path: Path) -> None:
        asked, answers = made_up()
        folder = write_run(tmp_path, asked, answers, problems=["line 3: bad"], left_out=25)
        report = Report.of(folder)
        assert (report.problems, report.problem_count) == (("line 3: bad",), 25)
        assert "Problem: and 24 more" in report_text.plain(report)

    def test_too_long_items_are_wrong_and_not_measured(self, tmp_path: Path) -> None:
        asked = [item(n) for n in range(4)]
        answers = [result(GREEDY, each, text="a b c a b c") for each in asked[:2]]
        nothing = {"text": "", "given": None, "right": False, "tokens": 0, "ms": None}
        answers.append(result(GREEDY, asked[2], finish_reason="context", entropy=None, **nothing))
        answers.append(result(GREEDY, asked[3], **nothing))
        folder = write_run(tmp_path, asked, answers, {GREEDY: {}})
        (told,) = Report.of(folder).rows
        assert told.right is not None
        assert told.right.mean == 0.5
        assert (told.too_long, told.empty, told.no_answer) == (1, 1, 0)
        assert told.repetition is not None
        assert told.repetition.items == 3
        assert told.tokens == pytest.approx(10 / 3)

    def test_answers_without_a_verdict_are_counted(self, tmp_path: Path) -> None:
        asked = [item(n) for n in range(2)]
        answers = [result(GREEDY, asked[0]), result(GREEDY, asked[1], right=None)]
        report = Report.of(write_run(tmp_path, asked, answers, {GREEDY: {}}))
        assert report.rows[0].right is not None
        assert report.rows[0].right.items == 1
        assert "greedy: 1 of 2 answers not judged." in report_text.plain(report)

    def test_folders_of_something_else(self, tmp_path: Path) -> None:
        for folder, words in ((tmp_path, "has no run.json"), (tmp_path / "x", "is no folder")):
            with pytest.raises(UsageError, match=f"{words}; name the folder"):
                Report.of(folder)
        (tmp_path / "run.json").write_text('{"task": 1}')
        with pytest.raises(DamagedFileError, match=r"run\.json is damaged"):
            Report.of(tmp_path)
        write_run(tmp_path, [], [])
        (tmp_path / "items.jsonl").unlink()
        with pytest.raises(EntropixError, match=r"cannot read .*items\.jsonl: no such file"):
            Report.of(tmp_path)

    def test_nothing_was_answered(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path, [item(0)], [])
        (folder / "results.jsonl").unlink()
        made = documents.write(folder)
        assert (made.report.answers, made.report.wanted) == (0, 3)
        assert "Not finished: 0 of 3" in (folder / "report.md").read_text()


class TestWords:
    def test_they_follow_from_the_numbers(self, whole: Path) -> None:
        report = Report.of(whole)
        said = list(report_text.sentences(report))
        assert said[:2] == [
            f"Worse than greedy: {MIN_P}.",
            f"No difference from greedy seen: {CHAIN}.",
        ]
        assert said[2].startswith(("Not told apart", "All are better than guessing"))
        for each in report.differences:
            seen = each.interval.low > 0 or each.interval.high < 0
            assert seen is (each.sampler == MIN_P)

    def test_guessing(self, tmp_path: Path) -> None:
        asked = [item(n) for n in range(40)]
        good = {GREEDY: lambda n: n > 9, MIN_P: lambda n: n % 4 == 0, CHAIN: lambda _n: False}
        answers = [
            result(name, each, right=is_right(n))
            for name, is_right in good.items()
            for n, each in enumerate(asked)
        ]
        folder = write_run(tmp_path / "a", asked, answers, chance=0.25)
        assert list(report_text.sentences(Report.of(folder)))[1:] == [
            f"Not told apart from guessing, which has 25.0 % right: {MIN_P}.",
            f"Worse than guessing, which has 25.0 % right: {CHAIN}.",
        ]
        folder = write_run(tmp_path / "b", asked, answers[:40], {GREEDY: {}}, chance=0.25)
        assert list(report_text.sentences(Report.of(folder))) == [
            "All are better than guessing, which has 25.0 % right."
        ]

    def test_the_baseline_is_greedy_wherever_it_stands(self, tmp_path: Path) -> None:
        asked, answers = made_up()
        names = {MIN_P: {}, "greedy min_p=0": {}, GREEDY: {}}
        report = Report.of(write_run(tmp_path, asked, answers, names))
        assert report.baseline == "greedy min_p=0"
        report = Report.of(write_run(tmp_path, asked, answers, {MIN_P: {}, CHAIN: {}}))
        assert report.baseline == MIN_P
        assert report.differences[0].sign == 1
        assert f"Better than {MIN_P}: {CHAIN}." in report_text.sentences(report)

    def test_a_terminal_has_eighty_columns(self, tmp_path: Path) -> None:
        asked, answers = made_up()
        long = "x" * 130
        renamed = [
            result(long, asked[0], 1, finish_reason="y" * 99),
            *(each for each in answers if each.sampler != CHAIN),
        ]
        names = {**{name: SAMPLERS[name] for name in (GREEDY, MIN_P)}, long: {}}
        notes = ["z" * 200, "a note\x1b[31m"]
        folder = write_run(tmp_path, asked, renamed, names, samples=3, notes=notes)
        told = report_text.plain(Report.of(folder))
        assert max(map(len, told.splitlines())) <= report_text.WIDTH
        assert "\x1b" not in told
        assert "a note‹1B›[31m" in told

    def test_every_number_of_a_table_is_on_the_terminal(self, whole: Path) -> None:
        report = Report.of(whole)
        told = report_text.plain(report)
        for table in report_text.tables(report):
            assert all(head in told for head in table.heads)
            for cells in table.rows:
                assert all(cell in told for cell in cells)

    def test_markdown_is_as_wide_everywhere(self, tmp_path: Path) -> None:
        asked, answers = made_up()
        hostile = "a|b`c"
        odd = [result(hostile, each, finish_reason="<b>|x") for each in asked]
        names = {GREEDY: {}, hostile: {"k": "|<i>"}}
        kinds = [item(77, "k|<u>")]
        folder = write_run(tmp_path, [*asked, *kinds], [*answers, *odd], names)
        text = report_text.markdown(Report.of(folder))
        assert "<b>" not in text
        assert "<u>" not in text
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1

    def test_a_task_without_a_judge_is_measured(self, tmp_path: Path) -> None:
        asked = [item(n, "open") for n in range(30)]
        texts = {GREEDY: "one two three " * 9, MIN_P: "one two three four five six"}
        answers = [
            result(name, each, text=f"{text} {each.id}", given=None, right=None)
            for name, text in texts.items()
            for each in asked
        ]
        names = {name: SAMPLERS[name] for name in texts}
        report = Report.of(write_run(tmp_path, asked, answers, names, judges=False))
        assert report.measure == "repetition"
        assert list(report_text.sentences(report)) == [f"Repeats itself less than greedy: {MIN_P}."]
        told = report_text.plain(report)
        assert "repeated %" in told
        assert "right %" not in told
        assert "no answer %" not in told
        assert "Repeated trigrams, %" in figure.svg(report)


def swept() -> Iterator[str]:
    return (f"{base} temperature={t}" for base in ("min-p", "temperature") for t in (0.5, 1.0, 3.0))


class TestSweep:
    def samplers(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {GREEDY: {"preset": "greedy", "capture": True}}
        for name in swept():
            preset, _, value = name.partition(" temperature=")
            found[name] = {"preset": preset, "capture": True, "temperature": float(value)}
        return found

    def test_curves(self) -> None:
        curves = sweep.curves(self.samplers())
        assert [(curve.name, curve.setting) for curve in curves] == [
            ("min-p", "temperature"),
            ("temperature", "temperature"),
        ]
        assert [value for value, _ in curves[0].points] == [0.5, 1.0, 3.0]
        assert curves[0].points[2][1] == "min-p temperature=3.0"
        assert sweep.curves(SAMPLERS) == []
        assert sweep.curves({}) == []

    def test_the_figure_has_them(self, tmp_path: Path) -> None:
        asked = [item(n) for n in range(20)]
        names = self.samplers()
        answers = [
            result(name, each, right=(n * 7 + place) % 5 > 1)
            for place, name in enumerate(names)
            for n, each in enumerate(asked)
        ]
        report = Report.of(write_run(tmp_path, asked, answers, names, chance=0.5))
        titles = [panel.title for panel in figure.panels(report)]
        assert titles == ["Right, %", "Right, difference in points", "Right, %, along temperature"]
        described = figure.panels(report)[2].described
        assert all(f"min-p at {t:g}: " in described for t in (0.5, 1.0, 3.0))


class TestFigure:
    def test_it_is_well_formed_and_in_bounds(self, whole: Path) -> None:
        report = Report.of(whole)
        root = ElementTree.fromstring(figure.svg(report))
        for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 <= float(circle.attrib["cx"]) <= figure.WIDE
        dots = [c.attrib["class"] for c in root.iter("{http://www.w3.org/2000/svg}circle")]
        assert dots == ["dot ", "dot ", "dot ", "dot down", "dot none"]
        assert "prefers-color-scheme:dark" in figure.svg(report)

    @pytest.mark.parametrize(
        ("values", "ticks"),
        [
            ([0.2, 0.71], [0.2, 0.4, 0.6, 0.8]),
            ([0.0, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            ([-0.031, 0.02], [-0.04, -0.02, 0.0, 0.02]),
            ([0.5, 3.0], [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]),
        ],
    )
    def test_round_numbers(self, values: list[float], ticks: list[float]) -> None:
        assert figure._ticks(values) == pytest.approx(ticks)

    def test_a_scale_of_one_value(self) -> None:
        ticks = figure._ticks([0.4])
        assert ticks[0] < 0.4 < ticks[-1]


class TestDocuments:
    def test_all_of_them(self, whole: Path) -> None:
        stages = set()
        made = documents.write(whole, lambda stage, *_: stages.add(stage))
        names = {"report.json", "report.md", "report.html", "figure.svg", "results.parquet"}
        assert {file.name for file in made.files} == {*names, "figure.png"}
        assert made.lacking == []
        assert stages == {"reading answers"}
        again = json.loads((whole / "report.json").read_bytes())
        assert again["rows"][1]["right"]["mean"] == pytest.approx(
            row(made.report, MIN_P).right.mean  # type: ignore[union-attr]
        )
        assert len(again["pairs"]) == 3
        png = (whole / "figure.png").read_bytes()
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        across = int.from_bytes(png[16:20], "big")
        assert across == 2 * figure.WIDE * len(figure.panels(made.report))

    def test_what_was_not_installed_is_told(
        self, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(documents, "find_spec", lambda _name: None)
        made = documents.write(whole)
        assert made.lacking == [
            "results.parquet and figure.png not written: pip install 'entropix-mlx[eval]' for what "
            "that needs"
        ]
        assert not (whole / "results.parquet").exists()
        assert len(made.files) == 4

    def test_a_machine_without_a_font_is_told(
        self, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(figure, "_drawn", lambda _drawing: b"the same")
        made = documents.write(whole)
        assert made.lacking == [
            "figure.png not written: this machine has no font; install DejaVu's"
        ]
        assert not (whole / "figure.png").exists()

    def test_parquet_has_every_answer(self, whole: Path) -> None:
        asked, answers = made_up()
        parquet.write(whole, whole / "results.parquet")
        read = pq.read_table(whole / "results.parquet")
        assert read.schema.equals(parquet.schema())
        prompts = {each.id: each for each in asked}
        assert read.to_pylist() == [
            {name: getattr(each, name) for name in Result.__struct_fields__}
            | {
                "prompt": prompts[each.item].prompt,
                "accepted": list(prompts[each.item].accepted),
            }
            for each in answers
        ]
