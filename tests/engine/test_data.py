"""Rows of JSON Lines files: each as likely as the next, the bad ones counted and told."""

import json
import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.evaluation import data
from entropix_mlx.evaluation.item import PROBLEMS, Item, Items
from entropix_mlx.evaluation.task import named
from entropix_models.errors import EntropixError, UsageError
from entropix_models.progress import quiet


def made(row: data.Row, where: str) -> Item:
    return Item(where, data.text(row, "prompt"))


def sampled(path: Path, n: int, seed: int = 1) -> Items:
    return data.sample(data.lines(str(path), quiet), made, n, seed, path.name)


def written(path: Path, *rows: Any) -> Path:
    lines = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


class TestSample:
    def test_a_file_that_is_no_longer_keeps_its_order(self, file: Path) -> None:
        written(file, *({"prompt": f"p{k}"} for k in range(5)))
        for n in (5, 6, 100):
            assert [item.prompt for item in sampled(file, n).items] == [f"p{k}" for k in range(5)]
        assert [item.id for item in sampled(file, 5).items] == [f"line {k}" for k in range(1, 6)]

    def test_a_sample_is_the_seeds(self, file: Path) -> None:
        written(file, *({"prompt": f"p{k}"} for k in range(200)))
        first = sampled(file, 10)
        assert first == sampled(file, 10) != sampled(file, 10, seed=2)
        lines = [int(item.id.split()[1]) for item in first.items]
        assert lines == sorted(set(lines))
        assert len(lines) == 10

    def test_each_row_is_as_likely_as_the_next(self) -> None:
        """3 of 12 rows, 4,000 times: each 1,000 times, within five standard deviations."""
        rows = [(f"line {k}", {"prompt": str(k)}) for k in range(12)]
        counts = Counter(
            item.prompt
            for seed in range(4000)
            for item in data.sample(iter(rows), made, 3, seed, "rows").items
        )
        assert len(counts) == 12
        assert max(abs(count - 1000) for count in counts.values()) < 5 * (4000 * 3 / 16) ** 0.5

    def test_bad_rows_are_counted_and_the_first_told(self, file: Path) -> None:
        rows: list[Any] = [
            b"\xef\xbb\xbf" + json.dumps({"prompt": "with a mark of UTF-8"}).encode(),
            b"{oh no",
            [1, 2],
            b"",
            {"question": "?"},
            {"prompt": 7},
            {"prompt": "  "},
            b'{"prompt": "\xff"}',
            b'{"prompt": "\\ud800"}',
            b"[" * 100_000,
            b'{"prompt": "' + b"x" * data.LONGEST_LINE + b'"}',
            {"prompt": "the last"},
        ]
        found = sampled(written(file, *rows), 10)
        assert [item.prompt for item in found.items] == ["with a mark of UTF-8", "the last"]
        assert found.left_out == 9
        assert found.problems == (
            "line 2 is no JSON",
            "line 3 is no JSON object",
            'line 5 has no "prompt"',
            'line 6 has a "prompt" that is no text',
            'line 7 has an empty "prompt"',
            "line 8 is not UTF-8",
            'line 9 has a "prompt" that is no text',
            "line 10 is no JSON",
            "line 11 is longer than 16 MiB",
        )

    def test_many_bad_rows_are_all_counted(self, file: Path) -> None:
        written(file, *[{"prompt": "p"}] * 3, *[b"x"] * 50)
        found = sampled(file, 1)
        assert (found.left_out, len(found.problems), len(found.items)) == (50, PROBLEMS, 1)

    def test_the_last_line_needs_no_end(self, file: Path) -> None:
        file.write_bytes(b'{"prompt": "a"}\r\n{"prompt": "b"}')
        assert [item.prompt for item in sampled(file, 5).items] == ["a", "b"]

    def test_ids_of_ones_own_are_told_apart(self, file: Path) -> None:
        written(file, *({"id": id, "prompt": "p"} for id in ("a", "a", "a (2)", "b", "a")))
        items = named(str(file)).items(9, 1).items
        assert len({item.id for item in items}) == 5
        assert [item.id for item in items][::3] == ["a", "b"]

    @pytest.mark.slow
    def test_a_long_file_is_never_in_memory(self, file: Path) -> None:
        line = json.dumps({"prompt": "x" * 10_000}).encode()
        with file.open("wb") as out:
            out.writelines(line + b"\n" for _ in range(4000))
        told: list[tuple[int, int | None]] = []
        tracemalloc.start()
        try:
            rows = data.lines(str(file), lambda _, done, total: told.append((done, total)))
            found = data.sample(rows, made, 20, 1, "rows")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(found.items) == 20
        assert most < file.stat().st_size / 10
        assert len(told) > 30
        assert told == sorted(told)
        assert {total for _, total in told} == {file.stat().st_size}


class TestErrors:
    @pytest.mark.parametrize("name", ["gone.jsonl", "."])
    def test_what_is_no_file_is_a_line(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match="JSON Lines file"):
            sampled(tmp_path / name, 3)

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"{\n"])
    def test_what_has_no_row_is_a_line(self, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with pytest.raises(EntropixError, match=r"run.jsonl (is empty|has no row)") as caught:
            sampled(file, 3)
        assert "\n" not in str(caught.value)


class TestOnesOwnFile:
    def judged(self, file: Path, row: dict[str, Any], text: str) -> tuple[str | None, bool | None]:
        task = named(str(written(file, row)))
        (item,) = task.items(1, 1).items
        return tuple(task.judge(item, text))  # type: ignore[return-value]

    @pytest.mark.parametrize(
        ("answer", "text", "verdict"),
        [
            ("42", "It is 40 + 2 = 42.0", ("42", True)),
            (42, "41", ("41", False)),
            ([1, "2"], "two", ("2", True)),
            (0.5, "1/2", ("0.5", True)),
            ("Yes", "yes, it is", ("yes", True)),
            ("no", "There is no doubt", (None, False)),
            ("Paris", "It is PARIS.", ("Paris", True)),
            (["Beijing", "Peking"], "Peking", ("Peking", True)),
            ("Paris", "Parisian", (None, False)),
            ("Paris", "", (None, False)),
        ],
    )
    def test_an_answer_is_judged_by_what_it_is(
        self, file: Path, answer: Any, text: str, verdict: tuple[str | None, bool]
    ) -> None:
        assert self.judged(file, {"prompt": "?", "answer": answer}, text) == verdict

    def test_without_an_answer_it_is_only_measured(self, file: Path) -> None:
        assert self.judged(file, {"prompt": "?"}, "anything") == (None, None)

    def test_choices_are_lettered_and_the_letter_is_judged(self, file: Path) -> None:
        row = {"prompt": "Which?", "answer": "red", "choices": ["blue", "red", "green"]}
        task = named(f"jsonl:{written(file, row)}")
        (item,) = task.items(1, 1).items
        (right,) = item.accepted
        assert f"\n{right}) red\n" in item.prompt
        assert sorted((right, *item.rejected)) == ["A", "B", "C"]
        assert task.judge(item, f" ({right})") == (right, True)
        assert task.judge(item, f" {item.rejected[0]}.").right is False
        assert task.chance([item]) == pytest.approx(1 / 3)

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            ({"prompt": "?", "answer": None, "choices": ["a", "b"]}, "not one of its"),
            ({"prompt": "?", "answer": "c", "choices": ["a", "b"]}, "not one of its"),
            ({"prompt": "?", "answer": "a", "choices": ["a", "a"]}, "not one of its"),
            ({"prompt": "?", "answer": "a", "choices": ["a"]}, "has 1 options"),
            ({"prompt": "?", "answer": "a", "choices": "ab"}, "no list of texts"),
            ({"prompt": "?", "answer": []}, "no list of texts"),
            ({"prompt": "?", "answer": True}, "no text"),
            ({"prompt": "?", "answer": {"a": 1}}, "no text"),
            ({"prompt": "?", "answer": ""}, "empty"),
            ({"prompt": "?", "id": 3}, "no text"),
            ({"answer": "a"}, 'no "prompt"'),
        ],
    )
    def test_a_row_that_makes_no_sense_is_told(
        self, file: Path, row: dict[str, Any], problem: str
    ) -> None:
        found = named(str(written(file, row, {"prompt": "good"}))).items(9, 1)
        assert [item.prompt for item in found.items] == ["good"]
        assert found.left_out == 1
        assert problem in found.problems[0]

    def test_what_is_given_is_kept(self, file: Path) -> None:
        row = {"prompt": "p", "answer": "a", "kind": "k", "opening": "So:", "id": "i"}
        (item,) = named(str(written(file, row))).items(1, 1).items
        assert item == Item("i", "p", "k", "So:", ("a",))
        with_choices = row | {"choices": ["a", "b"]}
        (item,) = named(str(written(file, with_choices))).items(1, 1).items
        assert item.opening == "So:"

    def test_any_bytes_are_rows_or_problems(self, file: Path) -> None:
        chance = random.Random(1)
        good = json.dumps({"prompt": "p", "answer": ["a", 1], "choices": None}).encode()
        for _ in range(300):
            torn = bytearray(good * chance.randint(1, 3))
            for _ in range(chance.randint(0, 4)):
                torn[chance.randrange(len(torn))] = chance.randrange(256)
            file.write_bytes(good + b"\n" + torn)
            found = named(str(file)).items(99, 1)
            lines = sum(1 for line in file.read_bytes().split(b"\n") if line.strip())
            assert len(found.items) + found.left_out == lines
