"""`entropix-mlx trace export`: the right file in the right place, and what is said about it."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from entropix_mlx.cli.exit_status import run
from entropix_mlx.cli.trace_export import export
from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.trace.trace import TraceWriter

HEADER = RunHeader(
    model="tiny",
    revision=None,
    device="cpu",
    dtype="float32",
    sampler={"preset": "greedy"},
    calibration=None,
    seed=None,
    date=None,
    versions={},
    created="2026-01-02T03:04:05+00:00",
)


def token(index: int, parent: int, text: str) -> TokenRecord:
    none: dict[str, Any] = dict.fromkeys(
        (
            *("logprob", "rank", "entropy", "varentropy", "attn_entropy", "attn_varentropy"),
            *("agreement", "interaction_strength", "quadrant", "region", "strategy"),
        )
    )
    return TokenRecord(
        index=index, parent=parent, id=index, text=text, bytes=text.encode().hex(), **none
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two answers to one question; the conversation stands at the first."""
    path = tmp_path / "run.jsonl"
    with TraceWriter(path) as writer:
        for record in (
            HEADER,
            PromptRecord(index=0, parent=-1, role="user", ids=[1], text="Which?"),
            token(1, 0, "one\x1b[31m"),
            Event(kind="valley", index=1, at=1),
            token(2, 0, "two"),
            End(leaf=1, finish_reason="stop", tokens=1, seconds=1, prefill_seconds=0),
        ):
            writer.write(record)
    return path


Called = tuple[int, str, str]


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Called]:
    """Status, standard output and standard error of the command alone."""

    def call(*arguments: object, command: click.Command = export) -> Called:
        status = run(command, "export", [str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return call


def test_a_page_beside_the_trace(call: Callable[..., Called], file: Path) -> None:
    status, out, err = call(file)
    page = file.with_suffix(".html")
    assert (status, out, err) == (0, "", f"written: {page}\n")
    assert "one‹1B›[31m" in page.read_text(encoding="utf-8")
    assert [path.name for path in sorted(file.parent.iterdir())] == ["run.html", "run.jsonl"]
    page.write_text("mine")
    status, out, err = call(file)
    assert status == 2
    assert f"--out {page} replaces it" in err
    assert page.read_text() == "mine"
    assert call(file, "--out", page)[0] == 0
    assert page.read_text() != "mine"


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".html", "<!doctype html>"),
        (".svg", "<svg "),
        (".csv", "index,nth,"),
        (".json", "[\n{"),
        (".md", "# A conversation with tiny"),
        (".txt", "You:\n"),
    ],
)
def test_the_name_says_what_is_made(
    call: Callable[..., Called], file: Path, ending: str, begins: str
) -> None:
    target = file.with_name(f"out{ending}")
    assert call(file, "-o", target)[0] == 0
    assert target.read_text(encoding="utf-8").startswith(begins)
    status, out, _ = call(file, "--to", ending[1:], "--out", "-")
    assert (status, out) == (0, target.read_text(encoding="utf-8"))
    assert call(file, "--to", ending[1:])[0] == 0
    assert file.with_suffix(ending).exists()


def test_branches(call: Callable[..., Called], file: Path) -> None:
    def texts(*arguments: object) -> list[str]:
        _, out, _ = call(file, "--to", "json", "--out", "-", *arguments)
        return [row["text"] for row in json.loads(out)]

    assert texts() == ["one\x1b[31m"]
    assert texts("--branch", 2) == ["two"]
    status, _, err = call(file, "--branch", 9)
    assert status == 2
    assert "no record 9" in err
    assert "its branches end at 1, 2\n" in err


def test_csv_goes_through_a_pipe_as_it_is(call: Callable[..., Called], file: Path) -> None:
    _, out, _ = call(file, "--to", "csv", "--out", "-")
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert row["text"] == "one\x1b[31m"


def test_a_terminal_is_not_steered(
    call: Callable[..., Called], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = call(file, "--to", "csv", "--out", "-")
    assert "\x1b" not in out
    assert "one‹1B›[31m" in out


def test_damage_is_told_and_the_rest_exported(call: Callable[..., Called], file: Path) -> None:
    with file.open("ab") as trace:
        trace.write(b'{"type":"token\x9b\n{"type":"tok')
    status, out, err = call(file, "--out", "-")
    assert status == 0
    assert out.startswith("<!doctype html>")
    assert err.startswith(f"note: {file}: line 7: unreadable")
    assert "note: " in err.splitlines()[1]
    assert "2 notes on the file" in out


def test_what_cannot_be(call: Callable[..., Called], file: Path) -> None:
    folder = file.parent
    (folder / "empty").touch()
    for arguments, status, words in (
        ((folder / "none.jsonl",), 1, "there is no such file"),
        ((folder / "empty",), 1, "is no trace"),
        ((file, "--out", "x.pdf"), 2, "a name that ends with .html"),
        ((file, "--to", "pdf"), 2, "'pdf' is not one of"),
        ((file, "--to", "csv", "--out", file), 2, "is the trace itself"),
        ((file, "--out", folder / "none" / "a.csv"), 1, "choose another path"),
        ((file, "--to", "svg", "--width", "3"), 2, "20<=x<=1000"),
        ((), 2, "Missing argument 'FILE'"),
    ):
        got, out, err = call(*arguments)
        assert (got, out) == (status, ""), arguments
        assert words in err
        assert err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["empty", "run.jsonl"]


def test_a_device_is_written_to_and_stays(call: Callable[..., Called], file: Path) -> None:
    fifo = file.with_name("pipe.csv")
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    assert call(file, "--out", fifo)[0] == 0
    assert reader.communicate(timeout=30)[0].startswith(b"index,nth,")
    assert fifo.is_fifo()


def test_a_closed_pipe_is_no_failure(file: Path) -> None:
    program = (
        "import sys; from entropix_mlx.cli.exit_status import run;"
        "from entropix_mlx.cli.trace_export import export;"
        "sys.exit(run(export, 'export', sys.argv[1:]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, file, "--out", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout
    child.stdout.close()
    assert child.stderr
    assert child.stderr.read() == b""
    assert child.wait(timeout=30) == 0
    child.stderr.close()


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, entropix_mlx.cli.trace_export;"
        "sys.exit(any(m.split('.')[0] in ('mlx', 'mlx_lm', 'transformers', 'numpy', 'textual')"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
