"""`entropix-mlx doctor`: what it says, and what it takes to say it."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from entropix_mlx.checks import speed

Call = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split(" | ")]


@pytest.mark.slow
def test_a_row_for_the_table_of_machines(call: Call, tiny_model: Path) -> None:
    result = call("doctor", "--row", "--model", tiny_model)
    assert result.status == 0, result.err
    page = (ROOT / "docs/metal.md").read_text(encoding="utf-8")
    header = next(line for line in page.splitlines() if line.startswith("| device"))
    (row,) = result.text.splitlines()
    found = dict(zip(cells(header), cells(row), strict=True))
    assert found["model"].startswith("tiny (")
    assert found["numbers"] == "right"
    assert all(float(found[name]) > 0 for name in found if "tokens/s" in name)
    assert re.search(r"fused attention over 8,192 keys, float32 off by", result.err)
    assert "measuring speed" in result.err, "it says what it is doing"


@pytest.mark.slow
def test_a_wrong_kernel_is_found(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that leaves out every key from the 1,024th on."""
    fused = mx.fast.scaled_dot_product_attention

    def some(q: mx.array, k: mx.array, v: mx.array, **options: Any) -> mx.array:
        if options["mask"] is None:
            k, v = k[..., :1023, :], v[..., :1023, :]
        return fused(q, k, v, **options)

    monkeypatch.setattr(mx.fast, "scaled_dot_product_attention", some)
    result = call("doctor", "--no-speed")
    assert result.status == 1
    wrong = [line for line in result.text.splitlines() if "WRONG" in line]
    assert [line.split(" keys")[0].split()[-1] for line in wrong] == ["1,024", "4,096", "8,192"]
    row = call("doctor", "--no-speed", "--row")
    assert row.status == 1
    assert "WRONG: fused attention over 1,024 keys, float32, fused" in row.text


def test_speed_is_measured_within_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    rounds = 0

    def run(_model: object, _context: int, tokens: int, seconds: float = 1e9) -> float:
        nonlocal now, rounds
        rounds += 1
        now += 1 + min(tokens / 4, seconds)  # a prompt, then four tokens a second
        return 4.0

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(speed, "instrumented", run)
    monkeypatch.setattr(speed, "bare", run)

    def measured(seconds: float) -> float:
        nonlocal now, rounds
        now, rounds = 0.0, 0
        pair = speed.compare(object(), 64, tokens=16, rounds=3, seconds=seconds)  # type: ignore[arg-type]
        assert pair.ratio == 1
        return now

    assert measured(1e9) == 3 + 3 * 10
    assert rounds == 8
    assert measured(12) <= 12
    assert rounds >= 4
    assert measured(0) == 5, "a warm-up and one round there always are"
