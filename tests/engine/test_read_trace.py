"""Reading traces: what is whole is used, what is not is told, nothing crashes."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from growth import ratio
from traces import HEADER, PROMPT, RECORDS, token, write

from entropix_mlx.records.record import MOST, Event, PromptRecord, TokenRecord
from entropix_mlx.trace.trace import DEEPEST, Trace, read_trace
from entropix_models.errors import TraceError


def said(index: int, **changes: Any) -> PromptRecord:
    return msgspec.structs.replace(PROMPT, index=index, parent=-1, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def lines(path: Path) -> list[bytes]:
    """The lines of a whole trace, header first."""
    return write(path, HEADER, *RECORDS).read_bytes().splitlines(keepends=True)


@pytest.fixture
def read_lines(path: Path) -> Callable[[list[bytes]], Trace]:
    def read(lines: list[bytes]) -> Trace:
        path.write_bytes(b"".join(lines))
        return read_trace(path)

    return read


def test_unknown_fields_are_kept(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    lines[0] = lines[0].replace(b"{", b'{"lab":"x",', 1)
    lines[2] = lines[2].replace(b"{", b'{"mood":[1,{"a":2}],', 1)
    trace = read_lines(lines)
    assert trace.problems == []
    assert trace.records == RECORDS
    assert json.loads(trace.lines[1])["mood"] == [1, {"a": 2}]
    assert json.loads(trace.header_line)["lab"] == "x"
    assert [json.loads(line)["type"] for line in trace.lines] == [
        r.__struct_config__.tag for r in trace.records
    ]


def test_unknown_types_are_skipped_with_a_note(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    trace = read_lines([*lines[:2], b'{"type":"weather","index":1}\n', *lines[2:]])
    assert trace.records == RECORDS
    assert trace.problems == ["line 3: unknown record type 'weather'; skipped"]


def test_a_missing_end_is_reported(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    assert read_lines(lines[:1]).problems == ["no end: the run was cut off, or is still going on"]
    second_turn = msgspec.json.encode(token(3)) + b"\n"
    for cut in (lines[:-1], [*lines, second_turn]):
        assert [p.split(":")[0] for p in read_lines(cut).problems] == ["no end"]
    event = msgspec.json.encode(Event(kind="setting", index=2)) + b"\n"
    assert read_lines([*lines, event]).problems == []


def test_a_torn_last_line_is_reported(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    for cut in (1, 10, len(lines[-1]) - 2):
        trace = read_lines([*lines[:-1], lines[-1][:cut]])
        assert trace.records == RECORDS[:-1]
        assert trace.problems[0] == "line 6: torn, the file ends inside it; skipped"
        assert len(trace.problems) == 2
    assert read_lines([*lines[:-1], lines[-1].rstrip(b"\n")]).problems == []


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"nonsense\n", "unreadable"),
        (b"[]\n", "unreadable"),
        (b"\xff\xfe\n", "unreadable"),
        (b'{"type":"token"}\n', "missing required field"),
        (b'{"index":1}\n', "unreadable"),
        (b'{"type":"event","kind":"x","index":1,"detail":' + b"[" * 10_000, "unreadable"),
        (b'{"type":"zoo","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n", "unreadable"),
        (b'{"type":"event","kind":"x","index":NaN}\n', "unreadable"),
        (
            b'{"type":"event","kind":"x","index":' + b"9" * 4000 + b"}\n",
            "<= 1073741823 - at `$.index`",
        ),
        (b'{"type":"event","kind":"x","index":1e999}\n', "unreadable"),
        (msgspec.json.encode(HEADER) + b"\n", "second header"),
        (msgspec.json.encode(token(1)).replace(b"1.25", b"1e400") + b"\n", "out of range"),
        (msgspec.json.encode(token(1)).replace(b'"LELV"', b'"WILD"') + b"\n", "quadrant"),
        (msgspec.json.encode(token(1)).replace(b"1.25", b'"high"') + b"\n", "entropy"),
        (msgspec.json.encode(token(1, id=-4)) + b"\n", ">= 0 - at `$.id`"),
        (msgspec.json.encode(token(1, rank=-1)) + b"\n", ">= 0 - at `$.rank`"),
        (msgspec.json.encode(token(1, rank=MOST)) + b"\n", "<= 1073741823 - at `$.rank`"),
        (msgspec.json.encode(token(1, entropy=1e39)) + b"\n", "at `$.entropy`"),
        (msgspec.json.encode(token(1, ms=-1e39)) + b"\n", "at `$.ms`"),
        (msgspec.json.encode(token(1, measures={"a": 1e39})) + b"\n", "at `$.measures[...]`"),
        (msgspec.json.encode(token(1, candidates=[(MOST, "", 0.0, 0.0)])) + b"\n", "candidates"),
        (msgspec.json.encode(Event(kind="valley", index=1, at=MOST)) + b"\n", "at `$.at`"),
        (msgspec.json.encode(said(1, ids=[MOST])) + b"\n", "at `$.ids[0]`"),
        (msgspec.json.encode(said(1, valleys=[(0, MOST)])) + b"\n", "at `$.valleys[0][1]`"),
        (
            b'{"type":"end","leaf":2,"finish_reason":"stop","tokens":'
            + b"9" * 401
            + b',"seconds":1,"prefill_seconds":0}\n',
            "<= 1073741823 - at `$.tokens`",
        ),
        (
            b'{"type":"event","kind":"x","index":1,"detail":{"a":'
            + b"[" * 16
            + b"]" * 16
            + b"}}\n",
            "its detail goes too deep",
        ),
        (msgspec.json.encode(token(1, bytes="zz")) + b"\n", "not hexadecimal"),
        (msgspec.json.encode(token(0)) + b"\n", "does not grow from 0"),
        (msgspec.json.encode(token(-1, -1)) + b"\n", "does not grow from 0"),
        (msgspec.json.encode(token(-5)) + b"\n", ">= -1 - at `$.index`"),
        (msgspec.json.encode(token(2**60)) + b"\n", "<= 1073741823 - at `$.index`"),
        (msgspec.json.encode(token(1, 1)) + b"\n", "parent does not come before"),
        (msgspec.json.encode(token(1, -2)) + b"\n", ">= -1 - at `$.parent`"),
    ],
    ids=range(33),
)
def test_a_bad_line_costs_itself_only(
    lines: list[bytes],
    read_lines: Callable[[list[bytes]], Trace],
    bad: bytes,
    problem: str,
) -> None:
    bad = bad if bad.endswith(b"\n") else bad + b"\n"
    trace = read_lines([*lines[:2], bad, *lines[2:]])
    assert trace.records == RECORDS
    assert len(trace.problems) == 1
    assert trace.problems[0].startswith("line 3: ")
    assert problem in trace.problems[0]
    assert "\n" not in trace.problems[0]


def test_what_is_at_the_end_of_the_bounds_is_read(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    deep: Any = 0
    for _ in range(DEEPEST - 1):
        deep = [deep]
    last = [
        token(MOST - 1, MOST - 2, id=MOST - 1, rank=MOST - 1, entropy=3.4e38, logprob=-3.4e38),
        Event(kind="x", index=MOST - 1, at=-1, detail={"a": deep}),
    ]
    trace = read_lines([*lines[:-1], *(msgspec.json.encode(r) + b"\n" for r in last), lines[-1]])
    assert trace.problems == []
    assert trace.records == [*RECORDS[:-1], *last, RECORDS[-1]]


def test_settings_of_a_header_that_go_too_deep(path: Path, lines: list[bytes]) -> None:
    for levels, is_read in ((13, True), (16, False)):  # the sampler, `nested`, and a list are three
        nest = b"[" * levels + b"]" * levels
        path.write_bytes(lines[0].replace(b"[1,null]", b"[" + nest + b"]") + b"".join(lines[1:]))
        if is_read:
            assert read_trace(path).records == RECORDS
        else:
            with pytest.raises(TraceError, match="damaged header: its settings go too deep"):
                read_trace(path)


def test_empty_lines_and_line_ends_of_windows_are_nothing(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    trace = read_lines([line.replace(b"\n", b"\r\n\r\n") for line in lines])
    assert (trace.records, trace.problems) == (RECORDS, [])


def test_after_a_damaged_line_the_rest_is_used(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    trace = read_lines([*lines[:2], b"\x00" * 50 + b"\n", *lines[3:]])
    assert trace.records == [PROMPT, *RECORDS[2:]]


def test_many_problems_are_counted(
    lines: list[bytes], read_lines: Callable[[list[bytes]], Trace]
) -> None:
    problems = read_lines([lines[0], *[b"x\n"] * 1000, *lines[1:]]).problems
    assert len(problems) == 51
    assert problems[-1] == "... and 950 problems more"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"Dear diary,\n", "its first line is no header"),
        (b"\x7fELF\x00\x00", "its first line is no header"),
        (b"[1]\n", "its first line is no header"),
        (b"{" * 10_000, "its first line is no header"),
        (b'{"type":"token"}\n', "its first line is no header"),
        (b'{"type":' + b"[" * 100_000, "its first line is no header"),
        (b" " * 2**21, "it is empty"),
        (b'{"type":"header"}\n', "damaged header"),
        (b'{"type":"header","schema":2}\n', "has schema 2, newer than this program's 1"),
        (b'{"type":"header","schema":' + b"9" * 3000 + b"}\n", "newer than"),
        (b'{"type":"header","schema":"1"}\n', "damaged header"),
    ],
    ids=range(13),
)
def test_no_trace(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(TraceError, match=rf"^[^\n]*run\.jsonl[^\n]*{reason}[^\n]*$"):
        read_trace(path)


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        ("1", "Expected `object"),
        ('{"name":"x","entropy":1e400,"usual":[[1,1]]}', "out of range"),
        ('{"name":"x","entropy":-1,"usual":[[1,1]]}', ">= 0"),
        ('{"name":"x","entropy":1,"usual":[[1,1],[0.5,1]]}', "must not fall"),
        ('{"name":"x","entropy":1}', "what is usual"),
        ('{"name":"x","entropy":1,"usual":[' + "[1,1]," * 64 + "[1,1]]}", "length <= 64"),
        ('{"name":"x","sentences":{"LELV":"any text"}}', "matching regex"),
        ('{"name":"x","corners":{"MID":[1,1]}}', "Invalid enum"),
    ],
)
def test_a_split_that_cannot_be_one(path: Path, split: str, reason: str) -> None:
    header = msgspec.json.encode(HEADER).replace(b'"schema"', b'"quadrant_split":%s,"schema"')
    path.write_bytes(header.replace(b'"quadrant_split":null,', b"") % split.encode() + b"\n")
    with pytest.raises(TraceError, match=rf"^[^\n]*damaged header[^\n]*{reason}[^\n]*$"):
        read_trace(path)


def test_a_header_without_a_split_is_one_of_before(path: Path) -> None:
    header = msgspec.json.encode(HEADER).replace(b'"quadrant_split":null,', b"")
    path.write_bytes(header + b"\n" + msgspec.json.encode(token(0)) + b"\n")
    trace = read_trace(path)
    assert trace.header == HEADER
    assert trace.header.quadrant_split is None


def test_a_newer_schema_is_refused_whatever_else_it_changed(path: Path, lines: list[bytes]) -> None:
    header = {**json.loads(lines[0]), "schema": 2, "model": {"name": "x"}}
    path.write_text(json.dumps(header) + "\n")
    with pytest.raises(TraceError, match=r"schema 2, newer .*: update entropix-mlx"):
        read_trace(path)
    path.write_bytes(lines[0].replace(b'"schema":1', b'"schema":0'))
    with pytest.raises(TraceError, match="no schema below 1"):
        read_trace(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot read the trace .*: there is no such file"):
        read_trace(tmp_path / "missing")
    with pytest.raises(TraceError, match=r"cannot read the trace .*: is a directory"):
        read_trace(tmp_path)


def test_bytes_flipped_and_cut_at_random_never_crash(path: Path, lines: list[bytes]) -> None:
    rng = random.Random(3)
    whole = b"".join(lines)
    read = 0
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            trace = read_trace(path)
        except TraceError as error:
            if "\n" in str(error):
                raise
            continue
        read += 1
        indices = [r.index for r in trace.records if isinstance(r, PromptRecord | TokenRecord)]
        assert indices == sorted(set(indices))
        assert len(trace.lines) == len(trace.records)
        assert not any("\n" in problem for problem in trace.problems)
    assert read > 500


@pytest.mark.serial
@pytest.mark.slow
def test_a_long_trace_is_read_faster_than_its_json_alone(path: Path) -> None:
    lines = [msgspec.json.encode(r) for r in [HEADER, *(token(n) for n in range(20_000))]]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert len(read_trace(path).records) == 20_000
    assert ratio(lambda: read_trace(path), lambda: [json.loads(line) for line in lines]) < 0.7


def test_the_end_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", HEADER, *(token(index) for index in range(200)))
    whole, end = read_trace(path), read_trace(path, last=8000)
    assert end.header == whole.header
    assert 5 < len(end.records) < 50
    assert end.records == whole.records[-len(end.records) :]
    assert read_trace(path, last=10**9).records == whole.records
