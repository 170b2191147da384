"""`entropix-mlx trace`: show, verify, diff."""

import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.records.quadrants import word
from entropix_mlx.records.record import End
from entropix_mlx.terminal.visible import escaped
from entropix_mlx.trace.attention_file import read_attention
from entropix_mlx.trace.trace import attention_beside, read_trace

Call = Callable[..., Any]
STEERING = set(map(chr, range(32))) - {"\n", "\t"} | {"\x7f", "\x9b", "\u202e"}


@pytest.fixture
def made(call: Call, tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """`made(seed)`: a trace of the tiny model, of 20 tokens."""

    def make(seed: int = 7, name: str = "", prompt: str = "Hello") -> Path:
        path = tmp_path / (name or f"seed{seed}.jsonl")
        result = call(
            "generate", prompt, "--model", tiny_model, "--seed", seed, "--max-tokens", 20,
            "--sampler", "temperature", "--set", "temperature=2", "--trace", path,
        )  # fmt: skip
        assert result.status == 0
        return path

    return make


def edited(path: Path, change: Callable[[dict[str, Any]], None], kind: str = "token") -> Path:
    """A copy of a trace with one record of a kind, in its middle, changed."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    numbers = [n for n, record in enumerate(records) if record["type"] == kind]
    change(records[numbers[len(numbers) // 2]])
    copy = path.with_name("edited.jsonl")
    copy.write_text("".join(json.dumps(record) + "\n" for record in records))
    return copy


def test_show(call: Call, made: Callable[..., Path]) -> None:
    path = made()
    text = "".join(getattr(r, "text", "") for r in read_trace(path).records[1:])
    result = call("trace", "show", path)
    assert result.status == 0
    assert result.out.decode() == text + "\n"
    assert "user: Hello" in result.err
    assert "20 tokens" in result.err
    again = call("trace", "show", path, "--format", "jsonl")
    assert again.out == path.read_bytes()


def test_the_rate_is_told_as_the_run_told_it(call: Call, made: Callable[..., Path]) -> None:
    path = made()
    (end,) = (r for r in read_trace(path).records if isinstance(r, End))
    rate = f"{end.tokens / (end.seconds - end.prefill_seconds):.1f}"
    assert f" {rate} tokens/s" in call("trace", "show", path).err
    call("trace", "export", path, "-o", path.with_suffix(".md"))
    told = path.with_suffix(".md").read_text().replace("\\", "")
    assert f"| tokens per second | {rate} |" in told


def _told(line: str) -> float:
    """The share in percent that a line ends with: a tenth of one, or the first digit of less."""
    told = re.search(r" (?:over |under )?([\d.]+) %$", line)
    assert told is not None, line
    return float(told[1])


def test_show_step_by_step(call: Call, made: Callable[..., Path]) -> None:
    path = made()
    result = call("trace", "show", path, "--format", "steps")
    assert result.status == 0
    records = [json.loads(line) for line in path.read_text().splitlines()]
    tokens = [record for record in records if record["type"] == "token"]
    steps = re.split(r"^step (\d+)\n", result.text, flags=re.MULTILINE)[1:]
    assert steps[::2] == [str(n + 1) for n in range(20)]
    so_far = ""
    for lines, token in zip(map(str.splitlines, steps[1::2]), tokens, strict=True):
        *listed, selected, tail = lines
        assert len(listed) == 5
        for line, (id, text, logprob, _) in zip(listed, token["candidates"], strict=False):
            assert escaped(repr(text)) in line
            assert _told(line) == pytest.approx(100 * math.exp(logprob), abs=0.05)
            assert line.startswith("  > ") == (id == token["id"])
        place = int(re.search(r", ([\d,]+)(?:st|nd|rd|th), ", selected)[1].replace(",", ""))  # type: ignore[index]
        assert place == token["rank"] + 1
        drawn, _ = selected.split(", by sample, T 2.00")
        assert _told(drawn) == pytest.approx(100 * math.exp(token["logprob"]), abs=0.05)
        so_far += token["text"]
        assert tail == f"  so far: {escaped(so_far.replace(chr(10), '⏎'))}"
    assert not STEERING & set(result.text)


def test_show_a_branch(call: Call, made: Callable[..., Path]) -> None:
    path = made()
    result = call("trace", "show", path, "--branch", 5)
    assert result.status == 0
    assert len(result.out) > 0
    assert "5 tokens" in result.err
    wrong = call("trace", "show", path, "--branch", 500)
    assert wrong.status == 2
    assert "its branches end at 20" in wrong.err


@pytest.mark.slow
def test_verify(call: Call, made: Callable[..., Path], tiny_model: Path) -> None:
    path = made()
    result = call("trace", "verify", path, "--model", tiny_model)
    assert result.status == 0, result.err
    assert "all 20 tokens stand" in result.text
    assert "entropy" in result.text

    def wrong(record: dict[str, Any]) -> None:
        record["entropy"] += 0.5

    result = call("trace", "verify", edited(path, wrong), "--model", tiny_model)
    assert result.status == 1
    (line,) = [line for line in result.text.splitlines() if line.startswith("entropy")]
    assert line.split()[-1] == "1"
    assert result.err.splitlines()[-1].startswith("error: ")


def test_verify_finds_the_recorded_model(
    call: Call, made: Callable[..., Path], tiny_model: Path
) -> None:
    path = made()

    def named(record: dict[str, Any]) -> None:
        record["model"] = str(tiny_model)

    result = call("trace", "verify", edited(path, named, "header"))
    assert result.status == 0, result.err
    assert "note: model: " in result.err

    def unknown(record: dict[str, Any]) -> None:
        record["model"] = "no-such-model\x1b[31m"

    result = call("trace", "verify", edited(path, unknown, "header"))
    assert result.status == 1
    assert "no-such-model" in result.err
    assert "\x1b" not in result.err


@pytest.mark.slow
def test_rerun(call: Call, made: Callable[..., Path], tiny_model: Path) -> None:
    path = made()
    result = call("trace", "verify", path, "--model", tiny_model, "--rerun")
    assert result.status == 0, result.err
    assert "the same 20 tokens" in result.text

    def other(record: dict[str, Any]) -> None:
        record["seed"] = 8
        record["versions"]["mlx"] = "0.1"

    result = call(
        "trace", "verify", edited(path, other, "header"), "--model", tiny_model, "--rerun"
    )
    assert result.status == 1
    before, comparison = result.err.split("error: ")
    assert "tokens came again; at record" in comparison
    (line,) = [line for line in before.splitlines() if "mlx: 0.1 then" in line]
    assert line.endswith("may draw other tokens from the same seed")


def test_diff(call: Call, made: Callable[..., Path]) -> None:
    one, other = made(7), made(8)
    result = call("trace", "diff", one, other)
    assert result.status == 0
    assert "they part after" in result.text
    assert "seed       7            8" in result.text
    assert "candidate 1" in result.text
    (ranks,) = [line.split()[1:] for line in result.text.splitlines() if line.startswith("rank ")]
    at = int(re.search(r"the same (\d+) tokens", result.text)[1])  # type: ignore[index]
    records = (map(json.loads, path.read_text().splitlines()) for path in (one, other))
    tokens = ([record for record in run if record["type"] == "token"] for run in records)
    runs = list(tokens)
    assert ranks == [str(run[at]["rank"] + 1) for run in runs], "as screens count"
    (words,) = re.findall(r"^quadrant +(.+)$", result.text, re.MULTILINE)
    splits = (read_trace(path).header.quadrant_split for path in (one, other))
    told = [word(run[at]["quadrant"], split) for run, split in zip(runs, splits, strict=True)]
    assert re.split("  +", words) == told
    same = call("trace", "diff", one, one)
    assert same.text.splitlines()[0] == "the same 20 tokens"
    assert "candidate" not in same.text


@pytest.mark.parametrize("command", ["show", "verify", "diff"])
def test_what_is_no_trace(call: Call, tmp_path: Path, command: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\x00\xffnothing")
    files = (path, path) if command == "diff" else (path,)
    result = call("trace", command, *files)
    assert result.status == 1
    assert "is no trace" in result.err
    gone = [tmp_path / "gone"] * len(files)
    result = call("trace", command, *gone)
    assert result.status == 1
    assert "no such file" in result.err
    assert len(result.err.splitlines()) == 1


def test_damage_is_noted_and_the_rest_shown(call: Call, made: Callable[..., Path]) -> None:
    path = made()
    path.write_bytes(path.read_bytes()[:-40] + b"\n{torn")
    result = call("trace", "show", path)
    assert result.status == 0
    assert "torn" in result.err
    assert "20 tokens" in result.err


HOSTILE = ["\x1b[31m", "\x9b31m", "\u202e", "<script>", "\x00", "[red]", "\r", "\x07" * 50]


def mutated(lines: list[bytes], chance: random.Random) -> bytes:
    """A trace with something wrong in it."""
    lines = list(lines)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        line = lines[at]
        match chance.randrange(7):
            case 0:
                where = chance.randrange(len(line))
                lines[at] = (
                    line[:where]
                    + bytes([line[where] ^ 1 << chance.randrange(8)])
                    + line[where + 1 :]
                )
            case 1:
                lines[at] = line[: chance.randrange(len(line))]
            case 2:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3 | 4:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if not isinstance(record, dict):
                    continue
                name = chance.choice(list(record))
                record[name] = chance.choice(
                    [*HOSTILE, None, -1, 2**63, 10**400, 1e308, float("nan"), [], {}, [[]], True]
                )
                lines[at] = json.dumps(record).encode() + b"\n"
            case 5:
                del lines[at]
                lines = lines or [b"\n"]
            case _:
                lines.insert(at, line)
    return b"".join(lines)


@pytest.mark.slow
def test_damaged_traces_never_crash_nor_steer_a_terminal_or_a_page(
    call: Call, made: Callable[..., Path], tmp_path: Path
) -> None:
    whole = made()
    lines = whole.read_bytes().splitlines(keepends=True)[:8]
    chance = random.Random(20261122)
    path = tmp_path / "mutated.jsonl"
    ends = {0: 0, 1: 0, 2: 0}
    for number in range(3_000):
        path.write_bytes(mutated(lines, chance))
        commands: list[tuple[object, ...]] = [
            ("trace", "show", path, "--format", "color"),
            ("trace", "diff", path, whole),
            ("trace", "export", path, "--out", "-"),
        ]
        words = commands[number % 3]
        result = call(*words)
        ends[result.status] += 1
        assert not STEERING & set(result.err)
        assert "a bug" not in result.err, result.err
        styled = result.text.replace("\x1b[", "") if "color" in words else result.text
        assert not STEERING & set(styled)
        if words[1] == "export" and result.status == 0:
            assert result.text.count("<script>") == 1, "the page's own; data are none"
    assert min(ends[0], ends[1]) > 300, "both of what can be read and what cannot"


def test_attention_beside_a_trace(call: Call, tiny_model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "a.jsonl"
    options = ("--model", tiny_model, "--trace", trace, "--trace-attention")
    for words in (("generate", "Hello", "--max-tokens", 12), ("score", "Hello there!")):
        result = call(*words, *options)
        assert result.status == 0, result.err
        kept = read_attention(attention_beside(trace))
        assert kept.entropy.shape == (12 - (words[0] == "score"), 2, 2)
    result = call("generate", "Hello", "--model", tiny_model, "--trace-attention")
    assert result.status == 2
    assert "--trace FILE" in result.err
    result = call("generate", "Hello", *options, "--set", "capture=false")
    assert result.status == 2
    assert "capture=false" in result.err
