"""`entropix-mlx score`: the records of a given text, and what they sum up to."""

import json
import math
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from entropix_mlx.decoding import make_records
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.valleys import places
from entropix_mlx.terminal.palette import VALLEY

BEGIN = 0
SGR = re.compile("\x1b\\[[0-9;]*m")
LONG = "".join(f"{n * n % 89}, a line of {chr(97 + n % 26) * (n % 7)} words; " for n in range(40))
SLIGHT = 0.1
"""Valleys of a random model are shallow."""
SETTINGS = ("temperature", "top_k", "top_p", "min_p", "strategy", "forced", "ms")
MEASURES = ("logprob", "rank", "entropy", "varentropy", "quadrant", "region")
ATTENTION = ("attn_entropy", "attn_varentropy", "agreement", "interaction_strength")
VECTORS = Path(__file__).parents[1] / "data" / "vectors"

Call = Callable[..., Any]


@pytest.fixture
def score(call: Call, tiny_model: Path) -> Call:
    """`score(text, *arguments)` under the tiny model."""

    def score(*arguments: object, model: Path = tiny_model, **options: Any) -> Any:
        return call("score", *arguments, "--model", model, **options)

    return score


@pytest.fixture
def slight_valleys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Valleys of `SLIGHT` bits count."""
    slight = msgspec.structs.replace(PROVISIONAL, valley_delta=SLIGHT)
    monkeypatch.setattr(make_records, "calibration_of", lambda _model: slight)


def tokens(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["type"] == "token"]


def test_a_record_for_every_token(score: Call, tmp_path: Path) -> None:
    trace = tmp_path / "score.jsonl"
    result = score("héllo wörld", "--format", "jsonl", "--trace", trace)
    assert result.status == 0
    assert result.out == trace.read_bytes()
    header, *scored, end = result.records
    assert (header["type"], header["sampler"], header["seed"]) == ("header", {}, None)
    assert [(r["type"], r["index"], r["parent"]) for r in scored] == [
        ("token", n, n - 1) for n in range(13)
    ]
    assert "".join(r["text"] for r in scored) == "héllo wörld"
    assert bytes.fromhex("".join(r["bytes"] for r in scored)).decode() == "héllo wörld"
    assert all(scored[0][name] is None for name in (*MEASURES, *ATTENTION, *SETTINGS))
    for record in scored[1:]:
        assert record["entropy"] > 0
        assert 0 <= record["agreement"] <= 1
        assert record["rank"] >= 0
        assert all(record[name] is not None for name in (*MEASURES, *ATTENTION))
        assert all(record[name] is None for name in SETTINGS)
        assert [c[2] for c in record["candidates"] if c[0] == record["id"]] == [record["logprob"]]
    assert end | {"seconds": 0} == {
        "type": "end",
        "leaf": 12,
        "finish_reason": "stop",
        "tokens": 13,
        "seconds": 0,
        "prefill_seconds": 0.0,
    }


def test_a_beginning_of_sequence_token_is_record_0_unless_unwanted(
    score: Call, make_model: Callable[..., Path]
) -> None:
    model = make_model(bos=True)
    first, second, *_ = tokens(score("abc", "--format", "jsonl", model=model).records)
    assert (first["id"], first["entropy"]) == (BEGIN, None)
    assert second["text"] == "a"
    assert second["entropy"] is not None
    first, *_ = tokens(score("abc", "--format", "jsonl", "--no-bos", model=model).records)
    assert (first["text"], first["entropy"]) == ("a", None)
    twice = tokens(score("<|begin|>abc", "--format", "jsonl", model=model).records)
    assert [r["id"] for r in twice].count(BEGIN) == 1


@pytest.mark.slow
def test_plain_output_is_the_text_and_ends_its_last_line(score: Call, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("two\nlines\n", encoding="utf-8")
    for given in (("two\nlines",), ("--file", file), ("-",), ()):
        assert score(*given, stdin=b"two\nlines\n").text == "two\nlines\n"


def test_a_file_is_scored_byte_for_byte(score: Call, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    data = b"\xef\xbb\xbftwo\r\nlines\r\n"
    file.write_bytes(data)
    result = score("--file", file, "--format", "jsonl")
    assert bytes.fromhex("".join(r["bytes"] for r in tokens(result.records))) == data
    assert "".join(r["text"] for r in tokens(result.records)).encode() == data


def test_the_summary_is_what_numpy_makes_of_the_records(score: Call) -> None:
    result = score("The quick brown fox, naïve.", "--format", "jsonl")
    measured = tokens(result.records)[1:]
    nats = -np.array([r["logprob"] for r in measured])
    length = sum(len(bytes.fromhex(r["bytes"])) for r in measured)
    entropy = np.mean([r["entropy"] for r in measured])
    summary = result.err.splitlines()[-1]
    expected = {
        r"mean entropy ([\d.]+) bits": entropy,
        r"· perplexity ([\d.]+)": np.exp(nats.mean()),
        r"([\d.]+) bits per byte": nats.sum() / np.log(2) / length,
        r"minus mean entropy ([+-][\d.]+) bits": nats.mean() / np.log(2) - entropy,
    }
    for pattern, value in expected.items():
        found = re.search(pattern, summary)
        assert found, summary
        assert float(found[1]) == pytest.approx(value, abs=0.006)
    assert summary.startswith("28 tokens · ")
    assert "stop" in summary


def test_one_token_has_nothing_to_measure(score: Call) -> None:
    result = score("x", "--format", "jsonl")
    assert result.status == 0
    assert [r["entropy"] for r in tokens(result.records)] == [None]
    assert result.err.splitlines()[-1].startswith("1 token · ")
    assert result.err.rstrip().endswith("nothing measured")


@pytest.mark.slow
def test_a_text_over_the_context_is_read_in_windows(
    call: Call, score: Call, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    trace = tmp_path / "score.jsonl"
    model = make_model(context=64)
    result = score("héllo" * 40, "--trace", trace, "--format", "jsonl", model=model)
    assert result.status == 0
    assert len(tokens(result.records)) == 240
    assert "".join(r["text"] for r in tokens(result.records)) == "héllo" * 40
    verified = call("trace", "verify", trace, "--model", model)
    assert verified.status == 0
    assert "all 239 tokens stand" in verified.text


@pytest.mark.usefixtures("slight_valleys")
def test_valleys_are_where_the_detector_finds_them(score: Call, tmp_path: Path) -> None:
    trace = tmp_path / "score.jsonl"
    result = score(LONG, "--format", "jsonl", "--trace", trace)
    assert result.out == trace.read_bytes()
    records = result.records[1:]
    entropies = [record["entropy"] for record in records if record["type"] == "token"]
    found = places(entropies, SLIGHT)
    assert len(found) > 2
    events = [record for record in records if record["type"] == "event"]
    assert [(e["kind"], e["at"], e["index"]) for e in events] == [("valley", *two) for two in found]
    followed = [a["index"] for a, b in pairwise(records) if b["type"] == "event"]
    assert followed == [event["index"] for event in events]
    assert f"{len(found)} valleys" in result.err


@pytest.mark.slow
@pytest.mark.usefixtures("slight_valleys")
def test_colour_is_the_surprisal(score: Call, tmp_path: Path) -> None:
    trace = tmp_path / "score.jsonl"
    assert score(LONG, "--trace", trace).status == 0
    kept = [json.loads(line) for line in trace.read_text().splitlines()]
    classes = {
        min(int(-record["logprob"] / math.log(2) / 3.2), 4)
        for record in kept
        if record["type"] == "token" and record["logprob"] is not None
    }
    shown = score(LONG, "--format", "color").text
    text, _, legend = shown.rpartition("\n\n")
    plain = SGR.sub("", text)
    assert plain.replace(VALLEY, "") == LONG
    valleys = [record["at"] for record in kept if record["type"] == "event"]
    marks = [at for at, sign in enumerate(plain) if sign == VALLEY]
    assert [at - n for n, at in enumerate(marks)] == valleys  # a byte is a token
    assert SGR.sub("", legend).split() == [
        *("surprisal", "in", "bits:", "under", "3.2", "from", "3.2", "from", "6.4"),
        *("from", "9.6", "from", "12.8", VALLEY, "valley"),
    ]
    looks = SGR.findall(legend)[::2]
    assert len(set(looks)) == 5
    assert set(SGR.findall(text)) - {"\x1b[0m"} == {looks[n] for n in classes}
    assert len(classes) > 2


def test_no_colour_where_none_is_wanted(
    score: Call, terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    result = score(LONG, stdout=terminal.file)
    shown = terminal.read().decode()
    text, _, legend = shown.partition("\n\nsurprisal in bits: ")
    assert SGR.sub("", text).replace(VALLEY, "") == LONG
    assert set(SGR.findall(legend)) == {f"\x1b[{n}m" for n in ("2", "3", "4", "1;4", "0")}
    assert "most surprising" in result.err


def test_what_surprised_most_is_listed(score: Call, tmp_path: Path) -> None:
    trace = tmp_path / "score.jsonl"
    given = "one line\nand another"
    result = score(given, "--trace", trace)
    assert result.text == given + "\n", "the text alone"
    tokens_ = tokens([json.loads(line) for line in trace.read_text().splitlines()])
    measured = [r for r in tokens_ if r["rank"]]
    first = min(measured, key=lambda r: (r["logprob"], r["index"]))
    start = next(n for n, line in enumerate(result.err.splitlines()) if "most surprising" in line)
    title, line, *_ = result.err.splitlines()[start:]
    assert title.split() == ["most", "surprising", "bits", "expected", "where"]
    assert line.startswith(repr(first["text"]))
    assert f"{-first['logprob'] / math.log(2):.1f}" in line
    assert repr(first["candidates"][0][1]) in line
    place = 1 + (first["index"] > given.index("\n"))
    assert f"line {place}" in line
    assert "most surprising" not in score(given, "--format", "jsonl").err


@pytest.mark.model
def test_the_capital_of_spain(call: Call) -> None:
    text = "The capital of Spain is banana"
    result = call("score", text, "--model", "smollm2-135m", "--device", "cpu")
    (title,) = [n for n, s in enumerate(result.err.splitlines()) if s.startswith("most surprising")]
    first = result.err.splitlines()[title + 1]
    assert first.startswith("' banana'")
    assert "' Madrid'" in first
    assert first.endswith("line 1: The capital of Spain is")


@pytest.mark.model
@pytest.mark.parametrize("name", ["shared_plain", "shared_chat"])
def test_the_vectors(call: Call, name: str) -> None:
    vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    result = call(
        *("score", vectors["text"], "--model", "smollm2-135m", "--device", "cpu"),
        *("--no-bos", "--format", "jsonl"),
    )
    assert result.status == 0
    scored = tokens(result.records)
    assert [r["id"] for r in scored] == vectors["ids"]
    tolerances = {
        "entropy": 5e-4,
        "varentropy": 2e-3,
        "attn_entropy": 1e-4,
        "attn_varentropy": 1e-4,
        "agreement": 1e-4,
        "interaction_strength": 1e-4,
    }
    for step, record in zip(vectors["steps"], scored[1:], strict=False):
        for metric, tolerance in tolerances.items():
            assert record[metric] == pytest.approx(step[metric], abs=tolerance), (step, metric)
        assert record["logprob"] == pytest.approx(step["next_logprob"], abs=2e-4)
        assert record["rank"] == step["next_rank"]
        best = [(id, logprob) for id, _, logprob, _ in record["candidates"][:5]]
        assert [id for id, _ in best] == [id for id, _ in step["top5"]]
        for (_, found), (_, expected) in zip(best, step["top5"], strict=True):
            assert found == pytest.approx(expected, abs=2e-4)
            assert math.exp(found) <= 1


@pytest.mark.slow
def test_what_has_no_token_is_noted_and_counted(
    tiny_model: Path, call: Callable[..., Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "dumb"))
    spec = json.loads((folder / "tokenizer.json").read_text())
    spec["model"]["vocab"].pop("Ą")  # byte 04
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    trace = tmp_path / "t.jsonl"
    for command in (("score", "a\x04b"), ("generate", "a\x04b", "--max-tokens", "1")):
        result = call(*command, "--model", folder, "--trace", trace)
        assert result.status == 0
        assert "note: 1 character of the text has no token and is left out (U+0004 at 2)" in (
            result.err.splitlines()
        )
        assert "1 character left out" in result.err
        kinds = [json.loads(line).get("kind") for line in trace.read_text().splitlines()]
        assert kinds.count("lost") == 1
        trace.unlink()
        assert "lost" not in call(*command[:1], "ab", "--model", folder).err
