"""`entropix-mlx eval` and `tune`, on a random model and a file of questions."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.trace.trace import read_trace

Call = Callable[..., Any]

QUESTIONS = [
    {"id": f"q{n}", "prompt": f"Question {n}", "answer": [chr(97 + n), "0"]} for n in range(6)
]
FIXED = ("--device", "cpu", "--max-tokens", 5)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def results(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_a_run(call: Call, tiny_model: Path, questions: Path, out: Path) -> None:
    made = call("eval", "--task", questions, "--model", tiny_model, "--out", out, *FIXED,
                "--sampler", "greedy", "--sampler", "min-p min_p=0.2", "--samples", 2)  # fmt: skip
    assert made.status == 0, made.err
    found = results(out)
    assert len(found) == 6 * (1 + 2)
    told = json.loads((out / "report.json").read_text())
    assert (told["answers"], told["wanted"]) == (18, 18)
    for row in told["rows"]:
        of = [one for one in found if one["sampler"] == row["sampler"]]
        assert row["answers"] == len(of)
        right = sum(one["right"] for one in of) / len(of)
        assert row["right"]["mean"] == pytest.approx(right)
        assert any(
            f" {100 * right:.1f} (" in line
            for line in made.text.splitlines()
            if line.startswith(row["sampler"])
        )
    for one in found:
        trace = read_trace(out / one["trace"])
        assert one["text"] == "".join(getattr(r, "text", "") for r in trace.records[1:])
    assert (out / "report.md").exists()
    assert (out / "report.html").exists()
    assert "0 of 18 answers" in made.err

    # The folder alone says how to go on, here with nothing to do, or with one sampler more.
    again = call("eval", "--out", out)
    assert again.status == 0, again.err
    assert again.text == made.text
    assert "18 of 18 answers are there already" in again.err
    more = call("eval", "--out", out, "--sampler", "temperature")
    assert more.status == 0, more.err
    assert len(results(out)) == 6 * (1 + 2 + 2)
    assert call("eval", "--out", out, "--report").text == more.text


def test_a_folder_never_causes_an_import(
    call: Call, tiny_model: Path, questions: Path, out: Path, tmp_path: Path
) -> None:
    """Whoever goes on with a run says again that a file of samplers is to be run."""
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from pathlib import Path\n"
        "from entropix_mlx.sampling.links.min_p import MinP\n"
        f"Path({str(tmp_path / 'imported')!r}).touch()\n"
        "class Mine(MinP):\n"
        "    pass\n"
    )
    sampler = ("--sampler", f"{mine}:Mine min_p=0.2")
    made = call("eval", "--task", questions, "--model", tiny_model, "--out", out, *FIXED, *sampler)
    assert made.status == 0, made.err
    (tmp_path / "imported").unlink()
    again = call("eval", "--out", out)
    assert (again.status, again.text) == (2, "")
    assert "a sampler of your own: name it again with --sampler" in again.err
    assert not (tmp_path / "imported").exists()
    assert call("eval", "--out", out, *sampler).status == 0
    assert len(results(out)) == 6


@pytest.mark.slow
def test_an_interrupt_and_a_kill(
    spawn: Callable[..., Any], call: Call, tiny_model: Path, questions: Path, out: Path
) -> None:
    command = ("eval", "--task", questions, "--model", tiny_model, "--sampler", "temperature",
               "--samples", 40, "--rows", 4, "--out", out, *FIXED)  # fmt: skip
    for number in (signal.SIGINT, signal.SIGKILL):
        child = spawn(*command)
        for line in child.stderr:
            if " answers · " in line.decode() and not line.startswith(b"0 of"):
                child.send_signal(number)
                break
        _, err = child.communicate()
        assert child.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
        if number == signal.SIGINT:
            assert err.decode().splitlines()[-1] == (
                f"interrupted; entropix-mlx eval --out {out} goes on"
            )
    there = (out / "results.jsonl").read_bytes().count(b"\n")
    assert 0 < there < 6 * 40
    made = call("eval", "--out", out)
    assert made.status == 0, made.err
    assert f"{there} of 240 answers are there already" in made.err
    found = results(out)
    assert len({(one["item"], one["sample"]) for one in found}) == len(found) == 6 * 40


def test_what_cannot_be_used_is_counted(
    call: Call, tiny_model: Path, questions: Path, out: Path
) -> None:
    questions.write_bytes(questions.read_bytes() + b"no json\n" + b'{"answer": "a"}\n')
    made = call("eval", "--task", questions, "--model", tiny_model, "--sampler", "greedy",
                "--out", out, *FIXED)  # fmt: skip
    assert made.status == 0, made.err
    assert "line 7" in made.err
    assert "line 8" in made.err
    assert json.loads((out / "run.json").read_text())["left_out"] == 2
    assert len(results(out)) == 6


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "no task: name one with --task"),
        (("--task", "eazy"), 2, "did you mean 'easy'"),
        (("--task", "nowhere.jsonl"), 2, "nowhere.jsonl"),
        (("--out", "nothing"), 2, "has no run to go on with"),
        (("--out", "nothing", "--report"), 2, "nothing"),
        (("--task", "easy", "--sampler", "nobody"), 2, "unknown sampler"),
        (("--task", "easy", "-n", 0), 2, "0 is not in the range"),
        (("--task", "easy", "--model", "no-such-model"), 1, "no-such-model"),
    ],
)
def test_what_is_wrong_is_told_first(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, status: int,
    words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    made = call("eval", *arguments)
    assert (made.status, made.text) == (status, "")
    assert words in made.err
    assert [*tmp_path.rglob("*")] == []


def test_another_run_is_refused(call: Call, tiny_model: Path, questions: Path, out: Path) -> None:
    given = ("--task", questions, "--model", tiny_model, "--sampler", "greedy", *FIXED,
             "--out", out)  # fmt: skip
    assert call("eval", *given).status == 0
    made = call("eval", *given, "--seed", 3)
    assert made.status == 2
    assert made.err.splitlines()[-1].endswith("seed is 1, not 3: name another folder")


def test_the_list(call: Call) -> None:
    made = call("eval", "--list")
    assert made.status == 0
    for name in ("easy", "larger", "gym:", "writing", "code", "gsm8k", "mmlu", "hotpotqa"):
        assert any(line.startswith(name) for line in made.text.splitlines()), name


def test_tuning(call: Call, tiny_model: Path, questions: Path, out: Path) -> None:
    made = call("tune", "--task", questions, "--model", tiny_model, "--sampler", "temperature",
                "--sampler", "min-p,temperature temperature=2", "--trials", 3, "--out", out,
                *FIXED)  # fmt: skip
    assert made.status == 0, made.err
    searched, held_out = (
        [json.loads(line) for line in (out / part / "results.jsonl").read_text().splitlines()]
        for part in ("search", "held-out")
    )
    assert {one["item"] for one in searched} == {"q0", "q2", "q4"}
    assert {one["item"] for one in held_out} == {"q1", "q3", "q5"}
    tried = list(dict.fromkeys(one["sampler"] for one in searched))
    assert len(tried) == 6, "as many for each"
    assert all("temperature=2" in name for name in tried if name.startswith("min-p"))
    for base in ("temperature", "min-p,temperature temperature=2"):
        of = [name for name in tried if name == base or name.startswith(f"{base} ")]
        assert len(of) == 3
        right = {n: sum(bool(one["right"]) for one in searched if one["sampler"] == n) for n in of}
        best = max(of, key=lambda name: right[name])
        assert best in {one["sampler"] for one in held_out}
        (line,) = [line for line in made.text.splitlines() if line.startswith(f"{base}: ")]
        assert best.removeprefix(base).strip() in line
    again = call("tune", "--out", out)
    assert again.status == 0, again.err
    assert again.text == made.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "easy"), "no sampler: name what is to be tuned"),
        (("--task", "writing", "--sampler", "temperature"), "has no right answers"),
        (("--task", "easy", "--sampler", "greedy"), "declares nothing to tune"),
        (("--task", "easy", "--sampler", "temperature", "--over", "min_p"), "give KEY=LOW:HIGH"),
        (("--task", "easy", "--sampler", "temperature", "--over", "min_p=0:7"), "within 0 to 1"),
        (("--task", "easy", "--sampler", "temperature", "--over", "tau=0:7"), "no number 'tau'"),
    ],
)
def test_what_cannot_be_tuned(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = call("tune", *arguments)
    assert (made.status, made.text) == (2, "")
    assert words in made.err
    assert [*tmp_path.rglob("*")] == []
