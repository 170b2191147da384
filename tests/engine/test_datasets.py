"""Data sets of the Hub: from its Parquet files, or from a file with the same fields."""

import io
import json
import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.evaluation.item import Item
from entropix_mlx.evaluation.multiple_choice import MultipleChoice
from entropix_mlx.evaluation.task import declared, named
from entropix_models.errors import DamagedFileError, DownloadError, EntropixError, UsageError
from entropix_models.sources import datasets

SAMPLE: dict[str, dict[str, Any]] = {
    "gsm8k": {"question": "How many?", "answer": "2 + 3 = <<2+3=5>>5\n#### 1,005"},
    "mmlu": {
        "question": "What is H2O?",
        "subject": "chemistry",
        "choices": ["salt", "water", "gold", "air"],
        "answer": 1,
    },
    "hellaswag": {"ctx": "A man sits", "endings": ["up.", "down.", "out.", "in."], "label": "1"},
    "truthfulqa": {
        "question": "Is the earth flat?",
        "mc1_targets": {"choices": ["No", "Yes", "Half"], "labels": [1, 0, 0]},
    },
    "hotpotqa": {
        "question": "Where was it built?",
        "answer": "The Eiffel Tower",
        "type": "bridge",
        "context": {"title": ["A", "B"], "sentences": [["One. ", "Two."], ["", "Three."]]},
    },
}
CHOICES = [name for name, kind in declared().items() if issubclass(kind, MultipleChoice)]


def from_file(name: str, path: Path, *rows: dict[str, Any]) -> list[Item]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = named(f"{name}:{path}").items(len(rows), 1)
    assert found.left_out == 0, found.problems
    return found.items


@pytest.mark.parametrize("name", SAMPLE)
class TestEach:
    def test_a_row_becomes_an_item_whose_right_answer_is_right(self, name: str, file: Path) -> None:
        (item,) = from_file(name, file, SAMPLE[name])
        task = named(name)
        assert item.id == "line-1"
        assert str(SAMPLE[name].get("question") or SAMPLE[name]["ctx"]) in item.prompt
        assert task.judge(item, f" {item.accepted[0]}").right
        assert task.judge(item, "") == (None, False)
        assert task.judge(item, " something else").right is False

    def test_whatever_a_field_is_the_row_is_an_item_or_a_problem(
        self, name: str, file: Path
    ) -> None:
        """Each field, and each field within, replaced by what it must not be."""
        bad: list[dict[str, Any]] = []
        for field, value in SAMPLE[name].items():
            inner = value.keys() if isinstance(value, dict) else ()
            for instead in (None, "", 9, -1, True, [], [1], [None], {}, {"x": 1}, "x", [[]], 0.5):
                bad.append(SAMPLE[name] | {field: instead})
                bad += [SAMPLE[name] | {field: value | {key: instead}} for key in inner]
        rows = [*bad, SAMPLE[name]]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = named(f"{name}:{file}").items(len(rows), 1)
        assert len(found.items) + found.left_out == len(rows)
        assert found.left_out >= len(bad) / 2
        assert all("\n" not in problem for problem in found.problems)


class TestJudges:
    def test_gsm8k_takes_the_final_number(self, file: Path) -> None:
        (item,) = from_file("gsm8k", file, SAMPLE["gsm8k"])
        task = named("gsm8k")
        assert item.accepted == ("1005",)
        assert task.judge(item, "First 3. Then 4. The answer is $1,005.00.") == ("1005", True)
        assert task.judge(item, "The answer is 1005 or 1006.") == (None, False)

    @pytest.mark.parametrize(
        ("text", "verdict"),
        [
            ("Eiffel tower", ("eiffel tower", True)),
            (" It is the Eiffel-Tower, of course.\nNot", ("it is eiffel tower of course", True)),
            ("Tower Eiffel", ("tower eiffel", False)),
            ("Eiffel Towers", ("eiffel towers", False)),
            ("The", (None, False)),
        ],
    )
    def test_hotpotqa_compares_words(
        self, file: Path, text: str, verdict: tuple[str | None, bool]
    ) -> None:
        (item,) = from_file("hotpotqa", file, SAMPLE["hotpotqa"])
        assert item.prompt.startswith("A: One. Two.\n\nB: Three.\n\nWhere was it built?")
        assert item.kind == "bridge"
        assert named("hotpotqa").judge(item, text) == verdict

    def test_hotpotqa_reads_yes_and_no_as_such(self, file: Path) -> None:
        (item,) = from_file("hotpotqa", file, SAMPLE["hotpotqa"] | {"answer": "no"})
        assert named("hotpotqa").judge(item, "There is no tower").right is False
        assert named("hotpotqa").judge(item, "No, it was not") == ("no", True)

    @pytest.mark.parametrize("name", CHOICES)
    def test_options_are_shuffled_by_the_seed(self, name: str, file: Path) -> None:
        rows = [SAMPLE[name]] * 40
        items = from_file(name, file, *rows)
        assert items == from_file(name, file, *rows)
        assert items != named(f"{name}:{file}").items(40, 2).items
        assert len({item.accepted for item in items}) == len(items[0].rejected) + 1

    @pytest.mark.parametrize("name", CHOICES)
    def test_shuffled_answers_are_as_good_as_guessing(self, name: str, file: Path) -> None:
        """Within five standard deviations of a share, of 400."""
        task = named(name)
        items = from_file(name, file, *[SAMPLE[name]] * 400)
        letters = [item.accepted[0] for item in items]
        random.Random(1).shuffle(letters)
        right = [
            task.judge(item, f" ({letter})").right
            for item, letter in zip(items, letters, strict=True)
        ]
        chance = task.chance(items)
        assert chance == pytest.approx(1 / (len(items[0].rejected) + 1))
        assert sum(map(bool, right)) / 400 == pytest.approx(
            chance, abs=5 * math.sqrt(chance * (1 - chance) / 400)
        )


@pytest.fixture
def parquet() -> Any:
    pytest.importorskip("pyarrow")
    from pyarrow import Table
    from pyarrow import parquet as of

    def make(rows: list[dict[str, Any]]) -> bytes:
        out = io.BytesIO()
        of.write_table(Table.from_pylist(rows), out)
        return out.getvalue()

    return make


class TestHub:
    @pytest.mark.parametrize("name", SAMPLE)
    def test_a_parquet_row_is_what_a_line_is(
        self, name: str, parquet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def fetch(repository: str, revision: str, pattern: str, _: Any) -> Path:
            asked.append((repository, revision))
            for number, count in enumerate((3, 2)):
                path = tmp_path / pattern.replace("*", f"000{number}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(parquet([SAMPLE[name]] * count))
            return tmp_path

        asked: list[tuple[str, str]] = []
        monkeypatch.setattr(datasets, "fetch", fetch)
        found = named(name).items(9, 1)
        assert asked == [(declared()[name].source.repository, "refs/convert/parquet")]  # type: ignore[attr-defined]
        assert [item.id for item in found.items] == [f"row-{k}" for k in range(1, 6)]
        (line,) = from_file(name, tmp_path / "line.jsonl", SAMPLE[name])
        assert Counter(found.items[0].prompt.split()) == Counter(line.prompt.split())
        assert len(named(name).items(2, 1).items) == 2

    @pytest.mark.slow
    def test_rows_come_from_the_hubs_own_parquet_files(
        self, hub_server: Any, parquet: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub_server.repositories["datasets/openai/gsm8k"] = {
            "main/test/0000.parquet": parquet([SAMPLE["gsm8k"]] * 300),
            "main/test/0001.parquet": parquet([SAMPLE["gsm8k"]] * 2),
            "main/train/0000.parquet": b"of another split",
            "README.md": b"words",
        }
        told: list[tuple[str, int, int | None]] = []
        found = named("gsm8k").items(900, 1, lambda *step, **_: told.append(step[:3]))
        assert [item.id for item in found.items] == [f"row-{k}" for k in range(1, 303)]
        assert sorted(hub_server.downloads()) == ["0000.parquet", "0001.parquet"]
        read = [step for step in told if step[0] == "reading openai/gsm8k"]
        assert [step[1:] for step in read] == [(0, 302), (256, 302), (300, 302)]
        # What is there is as good where nobody can be asked.
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        assert named("gsm8k").items(900, 1) == found
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert named("gsm8k").items(900, 1) == found

    @pytest.mark.slow
    @pytest.mark.usefixtures("parquet", "private_cache")
    def test_without_the_network_a_file_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(DownloadError, match="could not be reached") as caught:
            named("gsm8k").items(3, 1)
        assert "gsm8k:FILE.jsonl" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_without_pyarrow_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(UsageError, match=r"pip install 'entropix-mlx\[eval\]'") as caught:
            named("mmlu").items(3, 1)
        assert "mmlu:FILE.jsonl" in str(caught.value)

    @pytest.mark.slow
    @pytest.mark.usefixtures("parquet")
    @pytest.mark.parametrize(
        ("files", "error"),
        [
            ({"main/test/0000.parquet": b"PAR1 nonsense PAR1"}, DamagedFileError),
            ({"main/train/0000.parquet": b""}, DownloadError),
            (None, DownloadError),
        ],
    )
    def test_what_is_not_a_data_set_is_a_line(
        self, hub_server: Any, files: dict[str, bytes] | None, error: type[EntropixError]
    ) -> None:
        if files is not None:
            hub_server.repositories["datasets/openai/gsm8k"] = files
        with pytest.raises(error, match=r"gsm8k:FILE\.jsonl") as caught:
            named("gsm8k").items(3, 1)
        assert "\n" not in str(caught.value)

    @pytest.mark.slow
    def test_a_model_of_the_name_is_another_repository(
        self, hub_server: Any, parquet: Any, private_cache: Path
    ) -> None:
        name = "main/test/0000.parquet"
        hub_server.repositories["openai/gsm8k"] = {name: b"a model's"}
        hub_server.repositories["datasets/openai/gsm8k"] = {name: parquet([SAMPLE["gsm8k"]])}
        assert len(named("gsm8k").items(3, 1).items) == 1
        assert [path.name for path in (private_cache / "hf" / "hub").glob("*--*")] == [
            "datasets--openai--gsm8k"
        ]
