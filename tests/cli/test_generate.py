"""`entropix-mlx generate`: what goes in, what comes out, what is recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BEGIN, TURN, END = 0, 1, 2
"""Ids of the tiny model's special tokens."""

Call = Callable[..., Any]


@pytest.fixture
def generate(call: Call, tiny_model: Path) -> Call:
    """`generate(*arguments)`: 16 tokens of the tiny model after "hello", seed 7."""

    def generate(*arguments: object, prompt: str = "hello", model: Path = tiny_model) -> Any:
        fixed = ("--model", model, "--seed", 7, "--max-tokens", 16, "--set", "temperature=0.9")
        return call("generate", prompt, *fixed, *arguments)

    return generate


def read(trace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trace.read_bytes().splitlines()]


def texts(records: list[dict[str, Any]]) -> str:
    return "".join(record["text"] for record in records if record["type"] == "token")


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in records if record["type"] == "token"]


def prompt_ids(records: list[dict[str, Any]]) -> list[int]:
    return [id for record in records if record["type"] == "prompt" for id in record["ids"]]


def bytes_of(ids: list[int]) -> bytes:
    """What ids of the tiny model say; a special token is a zero byte."""
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    by_char = {chr(byte): byte for byte in printable}
    by_char |= {chr(256 + n): byte for n, byte in enumerate(others)}
    return bytes(0 if id < 3 else by_char[alphabet[id - 3]] for id in ids)


def test_plain_output_is_the_text_of_the_trace_and_a_newline(
    generate: Call, tmp_path: Path
) -> None:
    trace = tmp_path / "run.jsonl"
    result = generate("--trace", trace)
    assert result.status == 0
    records = read(trace)
    assert result.text == texts(records) + "\n"
    assert not texts(records).endswith("\n")
    assert [record["type"] for record in records][:2] == ["header", "prompt"]
    assert records[-1]["type"] == "end"
    assert records[-1] | {"seconds": 0, "prefill_seconds": 0} == {
        "type": "end",
        "leaf": 16,
        "finish_reason": "length",
        "tokens": 16,
        "seconds": 0,
        "prefill_seconds": 0,
    }


def test_jsonl_is_the_trace(generate: Call, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    result = generate("--trace", trace, "--format", "jsonl")
    assert result.status == 0
    assert result.out == trace.read_bytes()
    assert len(result.records) == 1 + 1 + 16 + 1


def test_everything_but_the_text_goes_to_standard_error(generate: Call, tiny_model: Path) -> None:
    result = generate()
    loading, note, summary = result.err.splitlines()
    assert loading == "loading weights"
    assert note.startswith("note: tiny has no calibration")
    assert f"entropix-mlx calibrate --model {tiny_model}" in note
    assert summary.startswith("16 tokens · ")
    assert summary.endswith(" · seed 7 · length")
    assert "tokens/s" in summary
    assert "perplexity" in summary


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tokens_in_every_format(
    generate: Call, tmp_path: Path
) -> None:
    runs = []
    for name in ("plain", "color", "jsonl", "plain"):
        trace = tmp_path / "run.jsonl"
        assert generate("--format", name, "--trace", trace).status == 0
        runs.append(ids(read(trace)))
    assert runs[0] == runs[1] == runs[2] == runs[3]
    other = generate("--seed", 8, "--format", "jsonl").records
    assert ids(other) != runs[0]


@pytest.mark.slow
def test_without_a_seed_one_is_drawn_shown_and_recorded(call: Call, tiny_model: Path) -> None:
    arguments = ("generate", "hello", "--model", tiny_model, "--max-tokens", 4, "--format", "jsonl")
    first, second = call(*arguments), call(*arguments)
    seeds = [result.records[0]["seed"] for result in (first, second)]
    assert seeds[0] != seeds[1]
    assert f"seed: {seeds[0]}\n" in first.err
    again = call(*arguments, "--seed", seeds[0])
    assert ids(again.records) == ids(first.records)
    greedy = call(*arguments, "--sampler", "greedy")
    assert "seed: " not in greedy.err


def test_no_tokens_give_header_prompt_and_end(generate: Call) -> None:
    result = generate("--max-tokens", 0, "--format", "jsonl")
    assert result.status == 0
    header, prompt, end = result.records
    assert (header["type"], prompt["type"], end["type"]) == ("header", "prompt", "end")
    assert (end["tokens"], end["finish_reason"], end["leaf"]) == (0, "length", 0)
    assert generate("--max-tokens", 0).out == b""


def test_a_prompt_over_the_context_leaves_the_trace_as_it_was(
    generate: Call, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    small = make_model(context=64)
    for before in (None, b"an old trace\n"):
        trace = tmp_path / "run.jsonl"
        if before:
            trace.write_bytes(before)
        result = generate("--trace", trace, prompt="x" * 80, model=small)
        assert result.status == 1
        assert result.out == b""
        assert "context of tiny is 64" in result.err.splitlines()[-1]
        assert (trace.read_bytes() if trace.exists() else None) == before


def test_the_context_bounds_the_answer(generate: Call, make_model: Callable[..., Path]) -> None:
    result = generate("--max-tokens", 500, "--format", "jsonl", model=make_model(context=64))
    assert result.status == 0
    records = result.records
    assert len(prompt_ids(records)) + len(ids(records)) == 64
    assert records[-1]["finish_reason"] == "length"


@pytest.mark.slow
def test_a_template_that_prints_the_date_gets_it(
    generate: Call, make_model: Callable[..., Path], dated_template: str
) -> None:
    dated = make_model(dated_template)
    result = generate("--date", "2024-02-29", "--format", "jsonl", model=dated)
    assert result.status == 0
    assert result.records[0]["date"] == "2024-02-29"
    assert b"Today is 29 Feb 2024." in bytes_of(prompt_ids(result.records))
    undated = generate("--date", "2024-02-29", "--format", "jsonl")
    assert undated.records[0]["date"] is None


def test_prefill_begins_the_answer_and_is_no_output(generate: Call, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    result = generate("--prefill", "Well, ", "--trace", trace)
    assert result.status == 0
    records = read(trace)
    assert bytes_of(prompt_ids(records)).endswith(b"assistant\nWell, ")
    assert [r["role"] for r in records if r["type"] == "prompt"] == ["user", "assistant"]
    assert result.text == texts(records) + "\n"
    assert not result.text.startswith("Well, ")


@pytest.mark.slow
def test_the_answer_ends_before_a_stop_text(generate: Call) -> None:
    whole = generate("--max-tokens", 40, "--sampler", "temperature").text
    stop = whole[12:15]
    at = whole.index(stop)
    result = generate(
        *("--max-tokens", 40, "--sampler", "temperature"), "--stop", "not in there", "--stop", stop
    )
    assert result.status == 0
    assert result.text == whole[:at] + "\n"
    assert result.err.rstrip().endswith("stop")


def test_typed_special_tokens_are_text_in_a_chat(generate: Call) -> None:
    records = generate("--format", "jsonl", prompt="a<|end|>b").records
    assert prompt_ids(records).count(END) == 1  # the template's own
    assert b"user\na<|end|>b\x00\n" in bytes_of(prompt_ids(records))


@pytest.mark.parametrize("prompt", ["hi<|end|>", "<|begin|>hi<|end|>"])
def test_a_raw_prompt_begins_with_one_beginning(
    generate: Call, make_model: Callable[..., Path], prompt: str
) -> None:
    result = generate("--raw", "--format", "jsonl", prompt=prompt, model=make_model(bos=True))
    assert result.status == 0
    given = prompt_ids(result.records)
    assert (given[0], given[-1]) == (BEGIN, END)
    assert bytes_of(given) == b"\x00hi\x00"


def test_a_raw_prompt_without_a_default_beginning_gets_none(generate: Call) -> None:
    assert bytes_of(prompt_ids(generate("--raw", "--format", "jsonl").records)) == b"hello"


def test_the_system_message_comes_first(generate: Call) -> None:
    records = generate("--system", "Be brief.", "--format", "jsonl").records
    prompts = [(r["role"], r["text"]) for r in records if r["type"] == "prompt"]
    assert prompts == [("system", "Be brief."), ("user", "hello")]
    assert bytes_of(prompt_ids(records)).startswith(b"\x00system\nBe brief.\x00\n\x00user\nhello")


def test_a_model_without_a_template_gets_the_raw_prompt_and_says_so(
    generate: Call, make_model: Callable[..., Path]
) -> None:
    base = make_model(None)
    result = generate("--format", "jsonl", model=base)
    assert result.status == 0
    assert bytes_of(prompt_ids(result.records)) == b"hello"
    assert "note: tiny has no chat template; raw prompt\n" in result.err
    refused = generate("--system", "Be brief.", model=base)
    assert refused.status == 2
    assert refused.err.splitlines()[-1] == "error: tiny has no chat template: no --system"


@pytest.mark.model
def test_the_default_model_answers(call: Call, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    question = "What is the capital of France? Answer with its name only."
    result = call(
        *("generate", question, "--device", "cpu", "--sampler", "greedy"),
        *("--max-tokens", 12, "--trace", trace),
    )
    assert result.status == 0
    assert "Paris" in result.text
    assert result.err.startswith("model: smollm2-135m, the default on a CPU")
    records = read(trace)
    assert records[0]["model"] == "smollm2-135m"
    assert result.text == texts(records) + "\n"


@pytest.mark.parametrize(("clarify", "notes"), [("ask", 1), ("off", 0)])
def test_a_question_that_cannot_be_asked_is_told_once(
    generate: Call, clarify: str, notes: int
) -> None:
    """The tiny model has no token that ends a turn."""
    made = generate("--set", f"clarify={clarify}", "--set", "helv_entropy=0")
    assert made.status == 0
    assert made.err.count("clarify=ask asks nothing") == notes
