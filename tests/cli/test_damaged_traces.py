"""Whatever a trace says, each command ends in a proper result or a proper sentence: samples of what
reliability/damaged_traces.py does, and what the schema allows.
"""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

sys.path.append(str(Path(__file__).parents[2] / "reliability"))

import damage
import damaged_traces
from any_trace import traces as allowed

from entropix_mlx.trace.trace import read_trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound.jsonl").write_bytes(b"\n".join(damage.SOUND) + b"\n")
    return tmp_path


def test_the_sound_one_is_whole(folder: Path) -> None:
    read = read_trace(folder / "sound.jsonl")
    assert read.problems == []
    assert len(read.records) == len(damage.SOUND) - 1
    assert damaged_traces.judge(folder / "sound.jsonl", folder / "sound.jsonl", 0) == ("read", [])


@pytest.mark.slow
def test_damaged_ones() -> None:
    found = [damaged_traces.judged(7, number) for number in range(80)]
    assert [judged for judged in found if judged.faults] == []
    assert {judged.end for judged in found} >= {"read", "refused"}


@pytest.mark.slow
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(allowed())
def test_allowed_ones(folder: Path, data: bytes) -> None:
    path = folder / "run.jsonl"
    path.write_bytes(data)
    assert damaged_traces.judge(path, folder / "sound.jsonl", len(data)).faults == []


@pytest.mark.parametrize("text", ["a\rb", "\x85", "\u061c", "\u202e", "\x9b2J"])
@pytest.mark.parametrize("terminal", [True, False])
def test_the_trace_on_standard_output(folder: Path, text: str, terminal: bool) -> None:
    """Nothing raw reaches a terminal, and a line is JSON that means the same."""
    lines = [json.loads(line) for line in damage.SOUND]
    token = next(line for line in lines if line["type"] == "token")
    token["text"] = text
    path = folder / "run.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    status, out, err = damaged_traces.called(
        ["trace", "show", str(path), "--format", "jsonl"], terminal=terminal
    )
    assert status == 0
    assert not damaged_traces.STEERING.findall(out + err)
    told = [json.loads(line) for line in out.splitlines()]
    assert text in [line.get("text") for line in told]
