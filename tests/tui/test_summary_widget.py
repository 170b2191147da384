"""The run's figures on screen: of the answer and of the conversation, large and small."""

import math
from typing import Any

import numpy as np
import pytest
from harness import Host, drive
from instruments import Clock, prompt, story, token
from textual.pilot import Pilot

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import End, Event
from entropix_tui.widgets.summary import BAR, RunSummary


def filled(**options: Any) -> RunSummary:
    summary = RunSummary(**options)
    first, second = story(30, 1), story(50, 41)
    for record in (prompt(0, 1.0, 2.0), *first, Event(kind="valley", index=30, at=20)):
        summary.take(record)
    summary.take(End(leaf=30, finish_reason="stop", tokens=30, seconds=4, prefill_seconds=1))
    for record in (prompt(40, 1.0), *second):
        summary.take(record)
    summary.facts(seed=7, context=2048)
    return summary


def drawn(summary: RunSummary, size: tuple[int, int]) -> list[str]:
    found: list[str] = []

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        summary.styles.height = "1fr"
        await pilot.pause()
        found.extend(host.rows())

    drive(summary, steps, size)
    return found


def test_the_answer_beside_the_conversation() -> None:
    rows = drawn(filled(), (48, 16))
    table = {row[:15].strip(): row[15:].split() for row in rows}
    first, second = story(30, 1), story(50, 41)
    both = [*first, *second]
    means = [np.mean([r.entropy for r in part]) for part in (second, both)]  # type: ignore[misc]
    assert table["tokens"] == ["50", "80"]
    assert table["tokens/s"] == ["50.0", "20.0"]  # 20 ms a token; 30 in 3 s and 50 in 1 s
    assert table["mean entropy"] == [f"{means[0]:.2f}", "bits", f"{means[1]:.2f}", "bits"]
    perplexities = [
        math.exp(-np.mean([r.logprob for r in part]))  # type: ignore[misc]
        for part in (second, both)
    ]
    assert table["perplexity"] == [f"{p:.2f}" for p in perplexities]
    assert table["attn entropy"] == ["2.50", "bits"] * 2
    assert table["valleys"] == ["0", "1"]
    share = 100 * sum(r.quadrant == "LEHV" for r in second) / 50
    assert share > 0
    assert table["favoured"][0].count("█") == round(BAR * share / 100)
    assert table["favoured"][1:3] == [f"{share:.0f}", "%"]
    assert rows[-5].strip() == "context 83/2048 (4 %)"
    assert rows[-4].strip() == "seed 7"


def test_a_narrow_one_has_the_answer_only() -> None:
    rows = drawn(filled(), (30, 16))
    assert "conversation" not in rows[0]
    assert rows[1].split() == ["tokens", "50"]
    assert max(map(len, rows)) <= 30


@pytest.mark.parametrize("width", [30, 60, 80])
def test_three_lines(width: int) -> None:
    rows = drawn(filled(), (width, 3))
    assert len(rows) == 3
    assert rows[0].startswith(" 50 tok · 50.0 tok/s")
    assert "sure" in rows[1]
    assert "context 83/2048" in rows[2]
    assert max(map(len, rows)) <= width
    assert ("perplexity" in rows[0]) == (width >= 60)


def test_two_lines() -> None:
    rows = drawn(filled(), (80, 2))
    assert rows[0].startswith(" 50 tok")
    assert "scattered" in rows[1]


def test_a_drawer_of_ten_rows_says_all_of_the_answer() -> None:
    rows = drawn(filled(), (39, 10))
    text = "\n".join(rows[:9])
    for word in ("50 tok ", "perplexity", "attn 2.50", "0 valleys", "open", "scattered", "seed 7"):
        assert word in text
    shares = [sum(r.quadrant == q for r in story(50, 41)) / 50 for q in QUADRANTS]
    assert text.count("█") == sum(round(BAR * share) for share in shares)
    assert max(map(len, rows)) <= 39


def test_tokens_in_no_quadrant_have_a_row() -> None:
    summary = RunSummary()
    for record in (token(0, 3.0, quadrant=None), token(1, 3.0, quadrant="HELV")):
        summary.take(record)
    text = "\n".join(drawn(summary, (30, 16)))
    assert "in none" in text
    assert text.count("50 %") == 2


def test_nothing_yet() -> None:
    rows = drawn(RunSummary(), (48, 16))
    assert rows[2].split() == ["tokens/s", "-", "-"]
    assert rows[3].split() == ["mean", "entropy", "-", "bits", "-", "bits"]


def test_another_branch_is_counted_anew() -> None:
    summary = filled()
    path = [prompt(0, 1.0, 2.0), *story(30, 1)]
    summary.rebuild(path, [Event(kind="valley", index=25, at=20)])
    assert (summary.answer.tokens, summary.whole.tokens, summary.used) == (30, 30, 32)
    assert (summary.answer.valleys, summary.whole.valleys) == (1, 1)
    ended = End(leaf=30, finish_reason="stop", tokens=30, seconds=4, prefill_seconds=1)
    summary.rebuild(path, [ended])
    assert summary.answer.rate == 10, "as it was when it came"
    summary.rebuild(())
    assert (summary.whole.tokens, summary.used, summary.seed) == (0, 0, 7)


def test_a_valley_belongs_to_the_answer_it_was_in() -> None:
    summary = RunSummary()
    path = [prompt(0, 1.0), token(1), prompt(2, 1.0), token(3)]
    summary.rebuild(path, [Event(kind="valley", index=1, at=1)])
    assert (summary.answer.valleys, summary.whole.valleys) == (0, 1)


def test_few_repaints() -> None:
    clock = Clock()
    summary = RunSummary(clock=clock)

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        painted = 0
        for record in story(50):
            summary.take(record)
            clock.now += 0.02
            before = host.rows()
            summary.flush()
            await pilot.pause()
            painted += host.rows() != before
        assert 3 <= painted <= 5
        clock.now += 1
        summary.flush()
        await pilot.pause()
        assert host.rows()[1].split() == ["tokens", "50", "50"]

    drive(summary, steps, (48, 16))


@pytest.mark.parametrize("size", [(80, 3), (39, 10), (48, 16)], ids=["80x3", "39x10", "48x16"])
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    summary = filled()

    async def steps(pilot: Pilot[None]) -> None:  # noqa: ARG001
        summary.styles.height = "1fr"

    assert looks(Host(lambda: summary), size, steps)
