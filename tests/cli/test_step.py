"""`entropix-tui step --script` and `entropix-mlx generate --break`."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.records.record import End, TokenRecord
from entropix_mlx.trace.trace import read_trace

Call = Callable[..., Any]


def script(path: Path, *lines: str) -> Path:
    file = path / "commands.txt"
    file.write_text("\n".join(lines))
    return file


def test_a_script(call: Call, tiny_model: Path, tmp_path: Path) -> None:
    file = script(tmp_path, "step 2", "# look", "waterfall", "", "back", "breakpoints")
    trace = tmp_path / "run.jsonl"
    arguments = ("step", "hello", "--model", tiny_model, "--seed", 7, "--trace", trace)
    result = call(*arguments, "--script", file, tui=True)
    assert result.status == 0
    assert "=>     1" in result.text
    assert "top-p" in result.text
    assert "no breakpoints" in result.text
    kept = read_trace(trace)
    assert kept.problems == []
    assert sum(isinstance(r, TokenRecord) for r in kept.records) == 2
    again = call(*arguments[:-2], "--script", file, tui=True)
    assert again.out == result.out


def test_from_standard_input(call: Call, tiny_model: Path) -> None:
    arguments = ("step", "hello", "--model", tiny_model, "--script", "-")
    result = call(*arguments, stdin=b"step\nnonsense\nstep\n", tui=True)
    assert result.status == 1
    assert "'nonsense' could not be done" in result.err.splitlines()[-1]
    assert result.text.count("(step) step") == 1


def test_injecting(call: Call, tiny_model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    arguments = ("--inject", "ab", "--at", "step == 3", "--max-tokens", 8, "--trace", trace)
    file = script(tmp_path, "where")
    fixed = ("--model", tiny_model, "--seed", 7, "--script", file)
    call("step", "hello", *fixed, *arguments, tui=True)
    tokens = [r for r in read_trace(trace).records if isinstance(r, TokenRecord)]
    assert [r.forced for r in tokens[3:5]] == ["user", "user"]
    # A text may begin with what was no character before it.
    assert b"".join(bytes.fromhex(r.bytes) for r in tokens[3:5]) == b"ab"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--break", "entropy >"), "column 10"),
        (("--inject", "x"), "--at CONDITION"),
        (("--at", "step == 1"), "--inject TEXT"),
        (("--set", "nothing=1"), "no setting"),
    ],
)
def test_wrong_usage(call: Call, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = script(tmp_path, "step")
    result = call("step", "hello", *arguments, "--script", file, tui=True)
    assert result.status == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_without_a_terminal(call: Call) -> None:
    result = call("step", "hello", tui=True)
    assert result.status == 2
    assert "--script" in result.err


@pytest.mark.slow
def test_generate_stops_and_says_how_to_go_on(call: Call, tiny_model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    arguments = ("generate", "hello", "--model", tiny_model, "--seed", 7, "--max-tokens", 20)
    whole = call(*arguments, "--format", "jsonl")
    tokens = [r for r in whole.records if r["type"] == "token"]
    result = call(*arguments, "--break", "step == 4", "--trace", trace)
    assert result.status == 0
    kept = read_trace(trace)
    assert kept.problems == []
    ids = [r.id for r in kept.records if isinstance(r, TokenRecord)]
    assert ids == [t["id"] for t in tokens[:4]]
    assert "** breakpoint 1: step 4 == 4" in result.err
    (end,) = [r for r in kept.records if isinstance(r, End)]
    assert (end.finish_reason, end.tokens) == ("break", 4), "a planned stop, not an interruption"
    assert re.search(r"^4 tokens · .* · break$", result.err, re.MULTILINE)
    assert "interrupted" not in result.err
    assert result.text == "".join(t["text"] for t in tokens[:4]) + "\n"
    last = result.err.splitlines()[-1]
    command = shlex.split(last.partition(": ")[2])
    assert command[:3] == ["entropix-tui", "step", "hello"]
    assert command[command.index("--break") + 1] == "step == 4"
    assert command[command.index("--seed") + 1] == "7"


@pytest.mark.slow
def test_generate_goes_on_where_nothing_is_met(call: Call, tiny_model: Path) -> None:
    arguments = ("generate", "hello", "--model", tiny_model, "--seed", 7, "--max-tokens", 20)
    plain = call(*arguments)
    broken = call(*arguments, "--break", "entropy > 900")
    assert broken.out == plain.out
    assert "breakpoint" not in broken.err
    wrong = call(*arguments, "--break", "__import__('os')")
    assert wrong.status == 2
    assert "column 1" in wrong.err
