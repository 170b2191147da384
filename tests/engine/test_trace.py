"""Writing traces: whole lines, whatever happens meanwhile."""

import io
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import END, HEADER, PROMPT, RECORDS, token, write

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.trace.trace import TraceWriter, read_trace
from entropix_models.errors import TraceError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def lines(path: Path) -> list[bytes]:
    """The lines of a whole trace, header first."""
    return write(path, HEADER, *RECORDS).read_bytes().splitlines(keepends=True)


def test_what_is_written_is_read_again(path: Path) -> None:
    scored = PromptRecord(index=3, parent=2, role="user", ids=[5], text="x", records=[token(4)])
    records = [PROMPT, token(1, text="", rank=None, forced="clarify"), *RECORDS[2:4], END]
    trace = read_trace(write(path, HEADER, *records, scored, END))
    assert trace.header == HEADER
    assert trace.records == [*records, scored, END]
    assert trace.problems == []


def test_one_line_a_record_with_keys_in_the_contracts_order(lines: list[bytes]) -> None:
    assert len(lines) == 6
    header, prompt, first, event, _, end = (json.loads(line) for line in lines)
    assert list(header)[:3] == ["type", "model", "revision"]
    assert header["schema"] == 1
    assert list(prompt)[:6] == ["type", "index", "parent", "role", "ids", "text"]
    assert list(first) == [
        *("type", "index", "parent", "id", "text", "bytes", "logprob", "rank", "entropy"),
        *("varentropy", "attn_entropy", "attn_varentropy", "agreement"),
        *("interaction_strength", "quadrant", "region", "strategy", "temperature", "top_k"),
        *("top_p", "min_p", "forced", "candidates", "ms"),
    ]
    assert event == {"type": "event", "kind": "valley", "index": 1, "at": 1}
    assert end["leaf"] == 2
    assert "漢🙂".encode() in lines[1]


def test_each_record_is_in_the_file_at_once(path: Path) -> None:
    with TraceWriter(path) as writer:
        for count, record in enumerate([HEADER, *RECORDS], start=1):
            writer.write(record)
            assert path.read_bytes().count(b"\n") == writer.count == count
            assert path.read_bytes().endswith(b"}\n")


def test_not_a_number_becomes_null(path: Path) -> None:
    write(path, HEADER, token(0, -1, entropy=math.nan, varentropy=math.inf))
    assert b'"entropy":null,"varentropy":null' in path.read_bytes()


def test_a_stream_is_flushed_and_stays_open() -> None:
    raw = io.BytesIO()
    stream = io.BufferedWriter(raw)
    with TraceWriter(stream) as writer:
        writer.write(HEADER)
        assert raw.getvalue().endswith(b"}\n")
    stream.write(b"more")
    stream.flush()
    assert raw.getvalue().endswith(b"}\nmore")


def test_an_old_file_stays_until_there_is_a_header(path: Path) -> None:
    path.write_bytes(b"old" * 9999)
    TraceWriter(path).close()
    assert path.read_bytes() == b"old" * 9999
    trace = read_trace(write(path, HEADER, *RECORDS))
    assert (trace.records, trace.problems) == (RECORDS, [])


def test_a_new_file_without_a_record_is_removed(path: Path) -> None:
    writer = TraceWriter(path)
    assert path.exists()
    writer.close()
    writer.close()
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/run.jsonl", "there is no such file or folder"),
        (".", "is a directory"),
        ("file/run.jsonl", "not a directory"),
        ("x" * 300, "file name too long"),
    ],
    ids=["folder", "directory", "parent", "name"],
)
def test_a_path_that_cannot_be_written(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TraceError, match=rf"^cannot write the trace [^\n]*: {reason}; choose"):
        TraceWriter(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_is_full() -> None:
    with TraceWriter(Path("/dev/full")) as writer:
        with pytest.raises(TraceError, match=r"ends after 0 records.*no space left on device"):
            writer.write(HEADER)
        writer.write(END)  # silent: it was told once


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: also not the one that the test runner prints to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills(path: Path) -> None:
    with TraceWriter(path) as writer:
        writer.write(HEADER)
        writer.write(PROMPT)
        size = path.stat().st_size
        with file_size_limit(size + 100):  # the next line fits in part only
            with pytest.raises(TraceError, match=r"^[^\n]* ends after 2 records, which are kept: "):
                writer.write(token(1))
            writer.write(token(1))
    assert path.stat().st_size == size
    assert read_trace(path).records == [PROMPT]


def test_a_closed_pipe_passes_through() -> None:
    reader, writer_end = os.pipe()
    os.close(reader)
    raw = os.fdopen(writer_end, "wb", buffering=0)
    with raw, TraceWriter(raw) as writer:
        with pytest.raises(BrokenPipeError):
            writer.write(HEADER)
        writer.write(END)


def test_an_interrupted_line_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def interrupted(file: int, data: bytes) -> int:
        real(file, data[:7])
        raise KeyboardInterrupt

    with TraceWriter(path) as writer:
        writer.write(HEADER)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                writer.write(PROMPT)
        writer.write(END)
    assert [json.loads(line)["type"] for line in path.read_bytes().splitlines()] == [
        "header",
        "end",
    ]


def test_short_writes_are_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:11]))
    assert read_trace(write(path, HEADER, *RECORDS)).records == RECORDS


def test_a_real_interrupt_leaves_whole_lines(path: Path) -> None:
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0)
    alarm = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(20):
            writer = TraceWriter(path)
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                signal.setitimer(signal.ITIMER_REAL, 0.005)
                writer.write(HEADER)
                for index in range(sys.maxsize):
                    writer.write(token(index))
            writer.close()
            data = path.read_bytes()
            assert not data or data.endswith(b"}\n")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, previous)
        signal.signal(signal.SIGALRM, alarm)


def test_half_a_surrogate_pair(path: Path) -> None:
    with TraceWriter(path) as writer:
        writer.write(HEADER)
        with pytest.raises(TraceError, match=r"ends after 1 records: .*surrogate"):
            writer.write(token(0, -1, text="\ud800"))
    assert read_trace(path).records == []


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
"""Everything measured is a float32."""


@given(st.lists(st.tuples(st.text(), NUMBERS)))
def test_any_text_and_number_comes_back(values: list[tuple[str, float]]) -> None:
    records = [
        token(n, text=text, bytes=text.encode().hex(), entropy=number)
        for n, (text, number) in enumerate(values)
    ]
    stream = io.BytesIO()
    writer = TraceWriter(stream)
    for record in records:
        writer.write(record)
    decoder = msgspec.json.Decoder(TokenRecord)
    assert [decoder.decode(line) for line in stream.getvalue().split(b"\n")[:-1]] == records


UNSEEN = "a\x7f\x85\xa0\xad\u061c\u200b\u200d\u2028\u2029\u202e\u2066\ufeff\ue000\U000e0041b"


@pytest.mark.parametrize("text", [UNSEEN, "漢字 é \U0001f642", "\r\n\t\0\x1b"])
def test_what_cannot_be_seen_is_an_escape(path: Path, text: str) -> None:
    """So that no terminal is steered, and a line is one line for every reader."""
    with TraceWriter(path) as writer:
        writer.write(HEADER)
        writer.write(token(0, -1, text=text))
    written = path.read_text(encoding="utf-8")
    assert written.replace("\n", "").isprintable()
    assert written.splitlines() == written.split("\n")[:-1]
    assert [record.text for record in read_trace(path).records] == [text]  # type: ignore[union-attr]
    assert json.loads(written.splitlines()[1])["text"] == text
    assert ("漢字 é \U0001f642" in written) == ("漢" in text), "what can be seen stays as it is"
