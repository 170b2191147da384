"""`entropix-mlx score`: the records of a given text, and what they sum up to."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BEGIN = 0
SETTINGS = ("temperature", "top_k", "top_p", "min_p", "strategy", "forced", "ms")
MEASURES = ("logprob", "rank", "entropy", "varentropy", "quadrant", "region")
ATTENTION = ("attn_entropy", "attn_varentropy", "agreement", "interaction_strength")
VECTORS = Path(__file__).parents[1] / "data" / "vectors"

Call = Callable[..., Any]


@pytest.fixture
def score(call: Call, tiny_model: Path) -> Call:
    """`score(text, *arguments)` under the tiny model."""

    def score(*arguments: object, model: Path = tiny_model, stdin: bytes = b"") -> Any:
        return call("score", *arguments, "--model", model, stdin=stdin)

    return score


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
