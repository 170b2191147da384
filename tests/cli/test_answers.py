"""`entropix-mlx generate` with several prompts or answers."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
FIXED = ("--seed", 7, "--max-tokens", 6, "--sampler", "temperature")


@pytest.fixture
def generate(call: Call, tiny_model: Path) -> Call:
    def generate(*arguments: object) -> Any:
        return call("generate", "--model", tiny_model, *FIXED, *arguments)

    return generate


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("hello\n\nwhat is it?\r\nthe third\n")
    return path


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def texts(made: Any) -> list[tuple[str, int]]:
    """What was said, and by which seed: figures of a row move with those beside it."""
    return [(one["text"], one["seed"]) for one in objects(made.text)]


def test_in_order(generate: Call, prompts: Path) -> None:
    made = generate("--prompts", prompts, "-n", 2, "--format", "jsonl")
    assert made.status == 0
    found = objects(made.text)
    assert [(one["prompt"], one["sample"]) for one in found] == [
        (prompt, sample) for prompt in ("hello", "what is it?", "the third") for sample in (1, 2)
    ]
    assert len({one["seed"] for one in found}) == 6
    assert all(one["tokens"] <= 6 for one in found)
    single = generate("hello", "-n", 2, "--format", "jsonl")
    for one, other in zip(objects(single.text), found, strict=False):
        assert (one["text"], one["seed"]) == (other["text"], other["seed"])
        assert one["entropy"] == pytest.approx(other["entropy"], abs=1e-4)


def test_each_answer_is_that_of_its_seed(call: Call, generate: Call, tiny_model: Path) -> None:
    for one in objects(generate("hello", "-n", 3, "--format", "jsonl").text):
        fixed = ("--max-tokens", 6, "--sampler", "temperature", "--format", "plain")
        alone = call("generate", "hello", "--model", tiny_model, "--seed", one["seed"], *fixed)
        assert alone.text.removesuffix("\n") == one["text"].removesuffix("\n")


def test_plain_text_is_the_answers(generate: Call) -> None:
    texts = [one["text"] for one in objects(generate("hi", "-n", 2, "--format", "jsonl").text)]
    plain = generate("hi", "-n", 2, "--format", "plain").text
    assert plain == "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)


def test_json_lines(generate: Call, tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('{"prompt": "hello\\nthere", "id": "first"}\n"and this"\n')
    found = objects(generate("--prompts", path, "--format", "jsonl").text)
    assert [(one["id"], one["prompt"]) for one in found] == [
        ("first", "hello\nthere"),
        ("2", "and this"),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no prompts"),
        (b"\n \n", "has no prompts"),
        (b'{"prompt": "a"}\nplain', "line 2 is no JSON"),
        (b'{"question": "a"}', 'line 1 has no prompt: give {"prompt": "..."}'),
        (b'{"prompt": 7}', "line 1 has no prompt"),
        (b"caf\xe9", "is not UTF-8"),
    ],
)
def test_files_that_are_none(generate: Call, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "asked"
    path.write_bytes(content)
    made = generate("--prompts", path)
    assert made.status == 2
    assert words in made.err
    assert made.text == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hello", "--prompts", "p"), "not both"),
        (("hello", "-n", 2, "--break", "entropy > 3"), "--break looks at one answer"),
        (
            ("hello", "-n", 2, "--trace", "t", "--trace-attention"),
            "--trace-attention goes with one",
        ),
        (("hello", "-n", 0), "0 is not in the range"),
        (("hello", "-n", 2, "--rows", 0), "0 is not in the range"),
        (("--prompts", "not there"), "cannot read not there"),
    ],
)
def test_what_does_not_go_together(
    generate: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = generate(*arguments)
    assert made.status in (1, 2)
    assert words in made.err
    assert [*tmp_path.iterdir()] == []


def test_the_table(generate: Call, prompts: Path) -> None:
    errors = generate("--prompts", prompts, "-n", 2).err
    lines = errors.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("prompt "))
    assert lines[head].split()[:5] == ["prompt", "answers", "tokens", "entropy", "ended"]
    assert "the same" in lines[head]
    assert [line.split("  ")[0] for line in lines[head + 1 : head + 5]] == [
        "hello",
        "what is it?",
        "the third",
        "all",
    ]
    assert " of 2" in lines[head + 1]
    alone = generate("--prompts", prompts).err
    assert "the same" not in alone


class TestFolder:
    def made(self, generate: Call, prompts: Path, folder: Path, *more: object) -> Any:
        return generate(
            "--prompts", prompts, "-n", 2, "--trace", folder, "--format", "jsonl", *more
        )

    def test_a_run_that_was_broken_off_goes_on(
        self, generate: Call, prompts: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "answers"
        first = self.made(generate, prompts, folder)
        names = sorted(path.name for path in folder.iterdir())
        assert names == [*(f"000{p}-{s}.jsonl" for p in (1, 2, 3) for s in (1, 2)), "run.json"]
        before = {name: (folder / name).read_bytes() for name in names}
        (folder / "0002-1.jsonl").unlink()
        torn = folder / "0003-2.jsonl"
        torn.write_bytes(torn.read_bytes()[:-50])
        again = self.made(generate, prompts, folder)
        assert "4 of 6 answers are there already" in again.err
        assert texts(again) == texts(first)
        for name, content in before.items():
            if name not in ("0002-1.jsonl", "0003-2.jsonl"):
                assert (folder / name).read_bytes() == content

    def test_the_seed_is_that_of_the_folder(
        self, call: Call, tiny_model: Path, prompts: Path, tmp_path: Path
    ) -> None:
        fixed = ("--model", tiny_model, "--max-tokens", 6, "--sampler", "temperature")
        more = ("--prompts", prompts, "--trace", tmp_path / "t", "--format", "jsonl")
        first = call("generate", *more, *fixed)
        (tmp_path / "t" / "0001-1.jsonl").unlink()
        assert texts(call("generate", *more, *fixed)) == texts(first)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            (("--seed", 8), "whose seed is 7, not 8"),
            (("--max-tokens", 7), "whose max_tokens is 6, not 7"),
            (("--set", "temperature=0.5"), "whose sampler's temperature is 0.7, not 0.5"),
            (("--sampler", "p-less"), "whose sampler's preset is 'temperature', not 'p-less'"),
        ],
    )
    def test_another_run(
        self, generate: Call, prompts: Path, tmp_path: Path, changed: Any, words: str, call: Call
    ) -> None:
        del call
        folder = tmp_path / "answers"
        self.made(generate, prompts, folder)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        made = self.made(generate, prompts, folder, *changed)
        assert made.status == 2
        assert words in made.err
        assert "name another folder" in made.err
        assert {path: path.read_bytes() for path in folder.iterdir()} == before

    def test_other_prompts(self, generate: Call, prompts: Path, tmp_path: Path) -> None:
        folder = tmp_path / "answers"
        self.made(generate, prompts, folder)
        prompts.write_text("another\n")
        made = self.made(generate, prompts, folder)
        assert made.status == 2
        assert "answers another prompt" in made.err

    def test_a_file_in_its_place(self, generate: Call, prompts: Path, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("mine")
        made = self.made(generate, prompts, tmp_path / "t")
        assert made.status == 2
        assert "is no folder" in made.err
        assert (tmp_path / "t").read_text() == "mine"


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_made(
    spawn: Callable[..., Any], tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    """Then the same command goes on."""
    folder = tmp_path / "answers"
    command = ("generate", "--prompts", prompts, "-n", "40", "--model", tiny_model, "--seed", "7")
    command += ("--max-tokens", "200", "--trace", folder, "--format", "jsonl", "--sampler")
    process = spawn(*map(str, command), "temperature")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out = process.stdout.read()  # with what was read ahead of the first line
    process.wait(timeout=60)
    assert process.returncode == 130
    for line in out.splitlines():
        json.loads(line)
    assert all(b'"type":"end"' in path.read_bytes() for path in folder.glob("0*.jsonl"))
