"""Two traces side by side."""

from pathlib import Path

import msgspec
from traces import END, HEADER, PROMPT, token, write

from entropix_mlx.analysis.diff import diff
from entropix_mlx.records.record import Event, PromptRecord
from entropix_mlx.trace.trace import Trace, read_trace


def of(path: Path, *ids: int, prompt: PromptRecord = PROMPT, **header: object) -> Trace:
    drawn = [token(n, id=id, text=f" t{id}", entropy=id / 4) for n, id in enumerate(ids, 1)]
    end = msgspec.structs.replace(END, leaf=len(ids), tokens=len(ids))
    head = msgspec.structs.replace(HEADER, **header)
    return read_trace(write(path, head, prompt, *drawn, end))


def test_the_same(tmp_path: Path) -> None:
    trace = of(tmp_path / "a", 1, 2, 3)
    found = diff(trace, trace)
    assert found.is_none
    assert (found.same, found.circumstances) == (3, {})
    assert set(found.deviations.values()) == {(0.0, 1)}
    assert found.a.total.tokens == 3


def test_where_they_part(tmp_path: Path) -> None:
    a = of(tmp_path / "a", 1, 2, 3, 4)
    b = of(tmp_path / "b", 1, 2, 5, seed=8, sampler=HEADER.sampler | {"temperature": 2.0})
    found = diff(a, b)
    assert found.same == 2
    assert found.before.endswith(" t1 t2")
    assert (getattr(found.a.at, "id", 0), getattr(found.b.at, "id", 0)) == (3, 5)
    assert found.circumstances == {"seed": (7, 8), "sampler.temperature": (0.7, 2.0)}
    assert (found.a.tokens, found.b.tokens) == (4, 3)


def test_one_ends_first(tmp_path: Path) -> None:
    found = diff(of(tmp_path / "a", 1, 2), of(tmp_path / "b", 1, 2, 3))
    assert found.a.at is None
    assert getattr(found.b.at, "id", 0) == 3
    assert not found.is_none


def test_prompts_that_are_others(tmp_path: Path) -> None:
    other = msgspec.structs.replace(PROMPT, ids=[1, 3])
    found = diff(of(tmp_path / "a", 1), of(tmp_path / "b", 1, prompt=other))
    assert found.same == 0
    assert isinstance(found.a.at, PromptRecord)


def test_numbers_that_are_others_before(tmp_path: Path) -> None:
    a = of(tmp_path / "a", 1, 2)
    b = read_trace(
        write(
            tmp_path / "b", HEADER, PROMPT, token(1, id=1, text=" t1", entropy=0.25),
            token(2, id=2, text=" t2", entropy=0.75, logprob=-4.5),
            Event(kind="valley", index=2, at=1), END,
        )
    )  # fmt: skip
    found = diff(a, b)
    assert found.deviations["entropy"] == (0.25, 2)
    assert found.deviations["logprob"] == (4.0, 2)
    assert (found.a.total.valleys, found.b.total.valleys) == (0, 1)


def test_a_branch_of_the_same_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a", HEADER, PROMPT, token(1, id=1), token(2, id=2), END,
        token(3, parent=1, id=9), msgspec.structs.replace(END, leaf=3),
    )  # fmt: skip
    trace = read_trace(path)
    found = diff(trace, trace, 2, 3)
    assert (found.same, found.a.tokens, found.b.tokens) == (1, 2, 2)
    assert (getattr(found.a.at, "id", 0), getattr(found.b.at, "id", 0)) == (2, 9)
