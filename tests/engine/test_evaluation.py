"""A run of a task: paired, kept, gone on with, and every figure that of its records."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from turns import DATE, session, tokens, whole

from entropix_mlx.evaluation.evaluation import BLOCK, TOO_LONG, Evaluation, Terms
from entropix_mlx.evaluation.item import Item, Items, Result, Verdict
from entropix_mlx.evaluation.recorder import Recorder, slug
from entropix_mlx.evaluation.report import Report
from entropix_mlx.evaluation.sampler_text import samplers_of
from entropix_mlx.evaluation.task import Task, named
from entropix_mlx.evaluation.text_measures import repetition
from entropix_mlx.records.record import End
from entropix_models.errors import EntropixError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet

SAMPLERS = ("greedy", "temperature", "min-p min_p=0.2", "calibrated")


class Vowels(Task):
    """Right is what has an `e` in it."""

    summary: ClassVar[str] = "of a test"
    max_tokens: ClassVar[int] = 6

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        del progress
        found = [
            Item(f"item-{k}", f"Say {k + seed}", kind=f"kind {k % 2}", opening="So: " * (k % 3 > 0))
            for k in range(n)
        ]
        return Items(found, ("line 7 is no JSON",), 1)

    def judge(self, item: Item, text: str) -> Verdict:
        del item
        return Verdict("e", True) if "e" in text else Verdict(None, False)


def evaluation(
    model: LanguageModel, path: Path, samplers: Sequence[str] = SAMPLERS, n: int = 3, **of: Any
) -> Evaluation:
    task = Vowels()
    terms = Terms(**{"seed": 5, "date": DATE, **of})
    return Evaluation(model, task, task.items(n, 5), samplers_of(samplers), Recorder(path), terms)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]


def test_every_answer_is_paired_and_that_of_a_session(llama: LanguageModel, tmp_path: Path) -> None:
    made = evaluation(llama, tmp_path, samples=2, rows=3)
    found = list(made.run())
    assert len(found) == made.total == 3 * (1 + 2 + 2 + 2), "greedy does not draw"
    assert [msgspec.to_builtins(one) for one in found] == lines(tmp_path)
    seeds = {(one.item, one.sample): one.seed for one in found}
    assert len({*seeds.values()}) == len(seeds) == 6
    assert all(seeds[one.item, one.sample] == one.seed for one in found)
    items = {item.id: item for item in made.items}
    for one in found:
        item, (name, settings) = (
            items[one.item],
            next(pair for pair in samplers_of(SAMPLERS).items() if pair[0] == one.sampler),
        )
        alone = session(llama, seed=one.seed)
        alone.use(settings)
        expected = list(alone.send(item.prompt, max_tokens=6, prefill=item.opening))
        assert one.text == "".join(t.text for t in tokens(expected)), name
        assert one.right is ("e" in one.text)


def test_figures_are_those_of_the_trace(llama: LanguageModel, tmp_path: Path) -> None:
    for one in evaluation(llama, tmp_path).run():
        trace = whole(tmp_path / one.trace)
        records, last = tokens(trace.records), trace.records[-1]
        assert isinstance(last, End)
        assert (one.finish_reason, one.tokens) == (last.finish_reason, len(records))
        assert one.text == "".join(record.text for record in records)
        assert trace.header.seed == one.seed
        assert trace.header.sampler["preset"] == one.sampler.split()[0]
        for name in ("entropy", "varentropy", "logprob"):
            by_hand = sum(getattr(r, name) for r in records) / len(records)
            assert getattr(one, name) == pytest.approx(by_hand)
        assert one.ms == pytest.approx(sum(r.ms or 0.0 for r in records) / len(records) / 8)
        uncertain = [n for n, r in enumerate(records) if r.quadrant in ("HELV", "HEHV")]
        assert one.first_fork == (uncertain[0] if uncertain else None)
        assert one.repetition == repetition(one.text)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_run_that_was_broken_off_goes_on(
    llama: LanguageModel, tmp_path: Path, after: int
) -> None:
    expected = {(r.sampler, r.item, r.text) for r in evaluation(llama, tmp_path / "whole").run()}
    running = evaluation(llama, tmp_path / "cut").run()
    there = [next(running) for _ in range(after)]
    running.close()
    with (tmp_path / "cut" / "results.jsonl").open("a") as file:
        file.write('{"sampler": "gree')  # killed while it was written
    again = evaluation(llama, tmp_path / "cut")
    assert len(again.missing()) == again.total - after
    more = list(again.run())
    assert {(r.sampler, r.item, r.text) for r in (*there, *more)} == expected
    assert len(lines(tmp_path / "cut")) == len(expected)
    assert list(evaluation(llama, tmp_path / "cut").run()) == []


def test_a_stop_keeps_what_has_ended(llama: LanguageModel, tmp_path: Path) -> None:
    made = evaluation(llama, tmp_path, rows=2)
    found = []
    for one in made.run():
        found.append(one)
        made.stop()
    assert 0 < len(found) < made.total
    assert len(lines(tmp_path)) == len(found)
    assert len(evaluation(llama, tmp_path, rows=2).missing()) == made.total - len(found)


def test_items_go_block_by_block(llama: LanguageModel, tmp_path: Path) -> None:
    """Whenever it ends, all samplers have answered the same items but for the last ones."""
    made = evaluation(llama, tmp_path, ("greedy", "temperature"), BLOCK + 2)
    asked = [(one.prompt // BLOCK, one.sampler) for one in made.missing()]
    assert asked == sorted(asked)
    assert len({*asked}) == 4


def test_more_can_be_asked_of_it(llama: LanguageModel, tmp_path: Path) -> None:
    list(evaluation(llama, tmp_path, ("temperature",)).run())
    more = evaluation(llama, tmp_path, ("temperature", "greedy"), samples=2)
    assert len(more.missing()) == 3 + 3
    list(more.run())
    run = json.loads((tmp_path / "run.json").read_text())
    assert [*run["samplers"]] == ["temperature", "greedy"]
    assert (run["samples"], run["items"], run["left_out"]) == (2, 3, 1)
    assert run["problems"] == ["line 7 is no JSON"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"of": {"seed": 6}}, "seed is 5, not 6"),
        ({"n": 4}, "items is 3, not 4"),
        ({"samplers": ("greedy",)}, "samplers's temperature"),
        ({"of": {"max_tokens": 9}}, "max_tokens is 6, not 9"),
    ],
)
def test_another_run_is_refused(
    llama: LanguageModel, tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    evaluation(llama, tmp_path, ("greedy", "temperature"))
    of = changed.pop("of", {})
    with pytest.raises(UsageError, match="name another folder") as raised:
        evaluation(llama, tmp_path, **{"samplers": ("greedy", "temperature"), **changed}, **of)
    assert words in str(raised.value)


def test_what_has_no_room_is_counted(llama: LanguageModel, tmp_path: Path) -> None:
    made = evaluation(llama, tmp_path)
    long = Item("long", "x" * 5000)
    made = Evaluation(
        llama,
        Vowels(),
        Items([*made.items, long]),
        samplers_of(SAMPLERS),
        Recorder(tmp_path / "other"),
        Terms(),
    )
    found = [one for one in made.run() if one.item == "long"]
    assert [one.sampler for one in found] == [*SAMPLERS]
    for one in found:
        assert (one.finish_reason, one.right, one.given) == (TOO_LONG, False, None)
        assert (one.tokens, one.entropy, one.trace) == (0, None, "")


def test_two_items_of_one_name(llama: LanguageModel, tmp_path: Path) -> None:
    twice = Items([Item("a", "b"), Item("a", "c")])
    with pytest.raises(UsageError, match="two items are called 'a'"):
        Evaluation(llama, Vowels(), twice, {}, Recorder(tmp_path), Terms())


def test_lines_that_cannot_be_read_are_answered_again(llama: LanguageModel, tmp_path: Path) -> None:
    list(evaluation(llama, tmp_path, ("greedy",)).run())
    path = tmp_path / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"item-1"', b"7"))
    assert [one.item for one in evaluation(llama, tmp_path, ("greedy",)).run()] == ["item-1"]
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="is no folder"):
        Recorder(file)


def test_a_disk_that_refuses(llama: LanguageModel, tmp_path: Path) -> None:
    made = evaluation(llama, tmp_path, ("greedy",))
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(EntropixError, match=r"results\.jsonl"):
        list(made.run())


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["greedy", " greedy "], "named twice"),
        (["min-p min_p"], "'min_p' is no KEY=VALUE"),
        (["min-p 'x"], "give a name, then KEY=VALUE"),
        (["nobody"], "unknown sampler"),
        (["min-p min_p=7"], "min_p"),
        ([""], "give a name"),
    ],
)
def test_samplers_as_text(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        samplers_of(texts)
    assert words in str(raised.value)


def test_samplers_have_their_settings() -> None:
    found = samplers_of(["top-k=40,min-p=0.1", "temperature  temperature=0.3 top_p=0.8"])
    assert [*found] == ["top-k=40,min-p=0.1", "temperature temperature=0.3 top_p=0.8"]
    chain, plain = found.values()
    assert (chain.top_k, chain.min_p) == (40, 0.1)  # type: ignore[attr-defined]
    assert (plain.temperature, plain.top_p) == (0.3, 0.8)  # type: ignore[attr-defined]


def test_no_two_samplers_share_a_folder() -> None:
    names = ["min-p min_p=1", "min-p/min_p=1", "min-p:min_p=1", ".", "..",
             "top-k=40,min-p=0.1", "a" * 300, "a" * 301, "./mine.py:Name"]  # fmt: skip
    slugs = [slug(name) for name in names]
    assert len({*slugs}) == len(names)
    assert all("/" not in one and len(one) < 100 and one.strip(".") for one in slugs)
    assert slug("top-k=40,min-p=0.1") == "top-k=40,min-p=0.1"


def test_results_are_one_line_each() -> None:
    """Whatever an answer says."""
    one = Result("a", "b", "", 1, 2, "x\n\u2028\0", None, None, "stop", 1, None, None, None,
                 None, None, 0.0, "")  # fmt: skip
    assert msgspec.json.encode(one).count(b"\n") == 0


def test_twenty_items_of_the_real_model(smollm2: LanguageModel, tmp_path: Path) -> None:
    """A row of the table is what its records come to, read and judged anew."""
    task = named("easy")
    samplers = samplers_of(("greedy", "temperature"))
    made = Evaluation(
        smollm2, task, task.items(20, 1), samplers, Recorder(tmp_path), Terms(date=DATE)
    )
    assert sum(1 for _ in made.run()) == 40
    report = Report.of(tmp_path)
    kept = [
        msgspec.json.decode(line, type=Item)
        for line in (tmp_path / "items.jsonl").read_bytes().splitlines()
    ]
    for row in report.rows:
        right, entropies, lengths = [], [], []
        for number, item in enumerate(kept, 1):
            trace = whole(tmp_path / "traces" / row.sampler / f"{number:04}-1.jsonl")
            records = tokens(trace.records)
            text = "".join(record.text for record in records)
            right.append(bool(task.judge(item, text).right))
            entropies.append(sum(r.entropy or 0.0 for r in records) / len(records))
            lengths.append(len(records))
        assert row.right is not None
        assert row.right.mean == pytest.approx(sum(right) / 20)
        assert row.right.low <= row.right.mean <= row.right.high
        assert row.entropy == pytest.approx(sum(entropies) / 20)
        assert row.tokens == pytest.approx(sum(lengths) / 20)
    greedy = report.rows[0].right
    assert greedy is not None
    assert greedy.mean > 0.25, "it knows some capitals"
