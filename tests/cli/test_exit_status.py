"""How commands end: full disks, closed pipes, interrupts, errors; and what is left behind."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from entropix_mlx.cli.exit_status import debug_option, run
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.session.journal import Journal
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import read_trace
from entropix_models.errors import EntropixError

Call = Callable[..., Any]
Spawn = Callable[..., "subprocess.Popen[bytes]"]

LOADS_FOR_EVER = """
import signal, sys, threading
from entropix_models import loader
from entropix_mlx.cli.main import main

def load(*_):
    print("loading", file=sys.stderr, flush=True)
    while True:  # a signal just before a wait without an end would never be seen
        threading.Event().wait(0.05)

loader.load = load
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
main()
"""


SWALLOWING = """
import contextlib, signal

with contextlib.suppress(KeyboardInterrupt):
    signal.raise_signal(signal.SIGINT)
"""
SWALLOWS = """
import signal, sys, threading
from entropix_models import loader
from entropix_mlx.cli.main import main

def load(*_):
    sys.path.insert(0, ".")
    import swallowing
    while True:
        threading.Event().wait(0.05)

loader.load = load
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


SWALLOWS_ELSEWHERE = """
import contextlib, signal
from entropix_models import loader
from entropix_mlx.cli.main import main

def load(*arguments):
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return loaded(*arguments)

loaded, loader.load = loader.load, load
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.fixture(scope="session")
def roomy_model(make_model: Callable[..., Path]) -> Path:
    """A model for answers and prompts that take much longer than a test."""
    return make_model(context=1_000_000)


def kinds(trace: Path) -> list[str]:
    """Types of the lines of a whole trace."""
    assert read_trace(trace).problems == []
    return [json.loads(line)["type"] for line in trace.read_bytes().splitlines()]


def finish_reason(trace: Path) -> str:
    reason: str = json.loads(trace.read_bytes().splitlines()[-1])["finish_reason"]
    return reason


def raising(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return debug_option(click.command("it")(callback))


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (EntropixError("no good:\nit\x1b[2J"), 1, "error: no good: it‹1B›[2J"),
        (OSError(28, "No space left", "/x"), 1, "error: /x: no space left"),
        (OSError(28, "No space left"), 1, "error: standard input or output: no space left"),
        (MemoryError(), 1, "error: out of memory: use a smaller model or a shorter prompt"),
        (
            RuntimeError("[malloc] Unable to allocate 99 bytes."),
            1,
            "error: out of memory: use a smaller model or a shorter prompt",
        ),
        (
            ZeroDivisionError("a\nb"),
            1,
            "error: ZeroDivisionError: a b (a bug: --debug shows where)",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 0, None),
    ],
)
def test_an_error_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, line: str | None
) -> None:
    assert run(raising(error), "it", []) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ([] if line is None else [line])


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(EntropixError("no good")), "it", ["--debug"]) == 1
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "Traceback (most recent call last):"
    assert last == "error: no good"


def test_debug_on_either_side_of_the_command(call: Call) -> None:
    for arguments in (("--debug", "samplers", "x"), ("generate", "x", "--seed", "y", "--debug")):
        result = call(*arguments)
        assert result.status == 2
        assert "Traceback" in result.err
        assert result.err.splitlines()[-1].startswith("error: ")


def unwritable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").touch()
    return {
        "no folder": tmp_path / "none" / "run.jsonl",
        "a folder": tmp_path,
        "under a file": tmp_path / "file" / "run.jsonl",
        "too long": tmp_path / ("x" * 300),
    }


@pytest.mark.parametrize("case", ["no folder", "a folder", "under a file", "too long"])
@pytest.mark.parametrize("command", ["generate", "score"])
def test_a_trace_that_cannot_be_written_is_told_before_a_model_is_looked_for(
    call: Call, tmp_path: Path, command: str, case: str
) -> None:
    path = unwritable(tmp_path)[case]
    result = call(command, "hello", "--model", "no-such-model", "--trace", path)
    assert (result.status, result.out) == (1, b"")
    assert result.err.startswith(f"error: cannot write the trace {path}: ")
    assert result.err.count("\n") == 1


def test_a_trace_without_permission(call: Call, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    path = tmp_path / "run.jsonl"
    path.touch(0o000)
    result = call("generate", "hello", "--model", "no-such-model", "--trace", path)
    assert result.status == 1
    assert "permission denied" in result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
class TestDevFull:
    """A disk that was full from the first byte on."""

    @pytest.mark.parametrize("command", ["generate", "score"])
    def test_as_a_trace(self, call: Call, tiny_model: Path, command: str) -> None:
        result = call(command, "hello", "--model", tiny_model, "--trace", "/dev/full")
        assert (result.status, result.out) == (1, b"")
        *_, last = result.err.splitlines()
        assert last.startswith("error: the trace /dev/full")
        assert "no space left on device" in last

    @pytest.mark.parametrize("command", ["generate", "score"])
    @pytest.mark.parametrize("format", ["plain", "color", "jsonl"])
    def test_as_standard_output(
        self, call: Call, tiny_model: Path, tmp_path: Path, command: str, format: str
    ) -> None:
        trace = tmp_path / "run.jsonl"
        arguments = (command, "hello", "--model", tiny_model, "--format", format, "--trace", trace)
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = call(*arguments, stdout=full)
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
        assert result.status == 1
        last = result.err.splitlines()[-1]
        assert last.startswith("error: ")
        assert "no space left on device" in last
        assert kinds(trace)[-1] == "end"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "arguments",
        [("generate", "hello", "--max-tokens", 40), ("score", "hello")],
        ids=["generate", "score"],
    )
    def test_as_standard_error(
        self, call: Call, tiny_model: Path, tmp_path: Path, arguments: tuple[object, ...]
    ) -> None:
        """What cannot be said stops nothing, but is no success."""
        trace = tmp_path / "run.jsonl"
        fixed = ("--model", tiny_model, *(("--seed", 7) if arguments[0] == "generate" else ()))
        expected = call(*arguments, *fixed)
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = call(*arguments, *fixed, "--trace", trace, stderr=full)
        assert (expected.status, result.status) == (0, 1)
        assert result.out == expected.out
        assert kinds(trace)[-1] == "end"
        assert finish_reason(trace) != "error"
        with open("/dev/full", "w", encoding="utf-8") as full:
            verified = call("trace", "verify", trace, "--model", tiny_model, stderr=full)
        assert verified.status == 1  # its "loading weights" is lost
        assert "tokens stand" in verified.text

    def test_as_standard_error_of_what_says_nothing_there(self, call: Call) -> None:
        with open("/dev/full", "w", encoding="utf-8") as full:
            assert call("samplers", stderr=full).status == 0
            assert call("samplers", "x", stderr=full).status == 2

    @pytest.mark.slow
    def test_as_standard_error_of_a_process_beside_a_terminal(
        self, spawn: Spawn, terminal: Any, tiny_model: Path
    ) -> None:
        arguments = ("generate", "hello", "--model", tiny_model, "--max-tokens", 40)
        with open("/dev/full", "wb") as full:
            child = spawn(*arguments, "--format", "plain", stdout=terminal.file, stderr=full)
            assert child.wait(60) == 1
        assert len(terminal.read()) >= 40  # a byte each, escaped

    @pytest.mark.slow
    def test_in_a_process_of_its_own(self, spawn: Spawn) -> None:
        for arguments in (("--help",), ("models", "list"), ("samplers",)):
            with open("/dev/full", "wb") as full:
                child = spawn(*arguments, stdout=full)
                _, err = child.communicate(timeout=60)
            assert child.returncode == 1
            assert err == b"error: standard input or output: no space left on device\n"


@pytest.mark.slow
def test_a_disk_that_fills(spawn: Spawn, roomy_model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    limit = 40_000
    child = spawn(
        *("generate", "hello", "--model", roomy_model, "--max-tokens", 5000, "--trace", trace),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    out, err = child.communicate(timeout=60)
    assert child.returncode == 1
    *notes, last = err.decode().splitlines()
    assert last.startswith(f"error: the trace {trace} ends after ")
    assert "Traceback" not in err.decode()
    assert not [note for note in notes if note.startswith("error")]
    assert trace.stat().st_size <= limit
    read = read_trace(trace)
    assert read.problems == ["no end: the run was cut off, or is still going on"]
    texts = [r.text for r in read.records if isinstance(r, TokenRecord)]
    assert len(texts) > 5
    assert out.decode() == "".join(texts) + "\n"


@pytest.mark.parametrize("format", ["plain", "jsonl"])
@pytest.mark.parametrize("command", ["generate", "score"])
def test_a_closed_pipe_is_no_error(
    call: Call, tiny_model: Path, tmp_path: Path, command: str, format: str
) -> None:
    trace = tmp_path / "run.jsonl"
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ("--model", tiny_model, "--format", format, "--trace", trace)
    with os.fdopen(writer, "w", encoding="utf-8") as closed:
        result = call(command, "hello", *arguments, stdout=closed)
    assert result.status == 0
    assert "error" not in result.err
    assert "tokens/s" not in result.err
    assert kinds(trace)[-1] == "end"
    assert finish_reason(trace) == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["generate", "score"])
def test_standard_error_that_nobody_reads_is_no_error(
    call: Call, tiny_model: Path, tmp_path: Path, command: str
) -> None:
    trace = tmp_path / "run.jsonl"
    reader, writer = os.pipe()
    os.close(reader)
    arguments = (command, "hello", "--model", tiny_model, "--trace", trace)
    with os.fdopen(writer, "w", encoding="utf-8") as closed:
        result = call(*arguments, stderr=closed)
    assert result.status == 0
    assert kinds(trace)[-1] == "end"
    texts = [r.text for r in read_trace(trace).records if isinstance(r, TokenRecord)]
    assert result.text.removesuffix("\n") == "".join(texts) != ""


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_head_takes_what_it_wants(
    spawn: Spawn, roomy_model: Path, tmp_path: Path, both: bool
) -> None:
    trace = tmp_path / "run.jsonl"
    child = spawn(
        *("generate", "hello", "--model", roomy_model, "--max-tokens", 100_000, "--trace", trace),
        **({"stderr": subprocess.STDOUT} if both else {}),
    )
    assert child.stdout
    assert len(child.stdout.read(5)) == 5
    child.stdout.close()
    assert child.wait(60) == 0
    if both:
        return  # it ended while loading or while generating, as it came
    assert child.stderr
    assert not [line for line in child.stderr if line.startswith((b"error", b"Traceback"))]
    assert kinds(trace)[-1] == "end"


def test_standard_streams_that_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(raising(EntropixError("unheard")), "it", []) == 1
    sys.stdout.close()
    sys.stderr.close()


@pytest.mark.slow
class TestInterrupt:
    """Ctrl-C. Processes of their own: a signal that goes astray must not end the tests."""

    def test_in_decode(self, spawn: Spawn, roomy_model: Path, tmp_path: Path) -> None:
        trace = tmp_path / "run.jsonl"
        child = spawn(
            *("generate", "hello", "--model", roomy_model, "--max-tokens", 100_000),
            *("--trace", trace, "--format", "jsonl"),
            bufsize=0,  # communicate() passes over what was read ahead
        )
        assert child.stdout
        lines = [child.stdout.readline() for _ in range(6)]
        child.send_signal(signal.SIGINT)
        rest, err = child.communicate(timeout=30)
        assert child.returncode == 130
        assert b"".join(lines) + rest == trace.read_bytes()
        assert kinds(trace)[-1] == "end"
        assert finish_reason(trace) == "interrupted"
        assert err.decode().splitlines()[-1].endswith("interrupted")
        assert b"Traceback" not in err

    def test_in_prefill(self, spawn: Spawn, roomy_model: Path, tmp_path: Path) -> None:
        trace = tmp_path / "run.jsonl"
        child = spawn(
            *("generate", "-", "--model", roomy_model, "--trace", trace, "--format", "jsonl")
        )
        assert child.stdin
        assert child.stdout
        feed = threading.Thread(target=_feed, args=(child, b"word " * 100_000))
        feed.start()
        lines = [child.stdout.readline() for _ in range(2)]
        assert [json.loads(line)["type"] for line in lines] == ["header", "prompt"]
        child.send_signal(signal.SIGINT)
        rest, err = child.communicate(timeout=30)
        feed.join()
        assert child.returncode == 130
        assert kinds(trace) == ["header", "prompt", "end"]
        assert json.loads(rest)["finish_reason"] == "interrupted"
        assert err.decode().splitlines()[-1].startswith("0 tokens")
        assert b"Traceback" not in err

    def test_while_loading(self, spawn: Spawn, roomy_model: Path, tmp_path: Path) -> None:
        trace = tmp_path / "run.jsonl"
        command = ("generate", "hello", "--model", roomy_model, "--trace", trace)
        child = spawn(*command, code=LOADS_FOR_EVER)
        assert child.stderr
        assert child.stderr.readline() == b"loading\n"
        assert trace.exists()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out) == (130, b"")
        assert err.decode().splitlines()[-1] == "interrupted"
        assert b"Traceback" not in err
        assert not trace.exists()

    def test_in_an_import_that_swallows_it(
        self, spawn: Spawn, roomy_model: Path, tmp_path: Path
    ) -> None:
        trace = tmp_path / "run.jsonl"
        (tmp_path / "swallowing.py").write_text(SWALLOWING)
        command = ("generate", "hello", "--model", roomy_model, "--trace", trace)
        child = spawn(*command, "--max-tokens", 100_000, code=SWALLOWS, cwd=tmp_path)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out) == (130, b"")
        assert err.decode().splitlines()[-1] == "interrupted"
        assert b"Traceback" not in err
        assert not trace.exists()

    def test_one_that_was_swallowed_elsewhere(self, spawn: Spawn, roomy_model: Path) -> None:
        command = ("generate", "hello", "--model", roomy_model, "--max-tokens", 100_000)
        child = spawn(*command, code=SWALLOWS_ELSEWHERE)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out) == (130, b"")
        assert err.decode().splitlines()[-1] == "interrupted"

    def test_in_score(self, spawn: Spawn, roomy_model: Path, tmp_path: Path) -> None:
        trace = tmp_path / "run.jsonl"
        child = spawn("score", "-", "--model", roomy_model, "--trace", trace)
        assert child.stdout
        feed = threading.Thread(target=_feed, args=(child, b"word " * 100_000))
        feed.start()
        child.stdout.read(20)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
        feed.join()
        assert child.returncode == 130
        assert kinds(trace)[-1] == "end"
        assert finish_reason(trace) == "interrupted"
        assert b"Traceback" not in err

    def test_a_second_one_does_not_wait(
        self, call: Call, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(_session: Session) -> None:
            signal.raise_signal(signal.SIGINT)  # the second one, before the first had an effect

        def tell(journal: Journal, record: Any) -> None:
            if isinstance(record, TokenRecord) and record.index == 5:
                signal.raise_signal(signal.SIGINT)
            told(journal, record)

        told = Journal.tell
        monkeypatch.setattr(Session, "stop", stop)
        monkeypatch.setattr(Journal, "tell", tell)
        before = signal.getsignal(signal.SIGINT)
        trace = tmp_path / "run.jsonl"
        arguments = ("--model", tiny_model, "--max-tokens", 100, "--trace", trace)
        result = call("generate", "hello", *arguments)
        assert result.status == 130
        assert result.err.splitlines()[-1] == "interrupted"
        assert kinds(trace) == ["header", "prompt", *["token"] * 4, "end"]
        assert finish_reason(trace) == "interrupted"
        assert signal.getsignal(signal.SIGINT) is before


def _feed(child: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert child.stdin
    try:
        child.stdin.write(data)
        child.stdin.close()
    except BrokenPipeError:
        pass
    finally:
        child.stdin = None


@pytest.mark.slow
def test_a_closed_standard_input_takes_no_file_its_number(
    tiny_model: Path, spawn: Callable[..., Any], tmp_path: Path
) -> None:
    """Number 0 is what MLX takes for a file that could not be opened."""
    code = "import os; os.close(0)\nfrom entropix_mlx.cli.main import main; main()"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "missing")}
    options = ("--model", tiny_model, "--max-tokens", "2", "--seed", "1")
    child = spawn("generate", "Hi", *options, code=code, env=environment)
    _, error = child.communicate()
    assert child.returncode == 0, error
