"""A terminal from which anything may come, and a program in it that is ended by a signal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conversations import asked, said
from scripted import HEADER, STORY
from terminals import ended, left_alone, terminal, wait_for

from entropix_mlx.trace.trace import TraceWriter

pytestmark = pytest.mark.slow

ENDLESS = 100_000
"""Tokens: more than any test waits for."""
QUIT, LEFT = b"\x11", b"\x1b[D"
PUT_BACK = ("?1049l", "?1000l", "?1003l", "?1006l", "?2004l", "?25h")
"""The alternate screen, the mouse (three modes), bracketed paste, the cursor."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_llama: Callable[..., Path]) -> Path:
    """A model whose greedy answer has no end: the logit of what would end it is always 0."""
    from safetensors.numpy import load_file, save_file

    folder = make_llama(
        tmp_path_factory.mktemp("endless") / "llama",
        tie_word_embeddings=False,
        max_position_embeddings=2 * ENDLESS,
    )
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][:3] = 0
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    return folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.jsonl"
    with TraceWriter(path) as writer:
        for record in (HEADER, asked(0), *said(STORY, 1, 0)):
            writer.write(record)
    return path


def opened(command: str, *args: str, folder: Path, tokens: int = ENDLESS) -> Any:
    return terminal(
        *(command, *args, "--model", str(folder), "--device", "cpu", "--sampler", "greedy"),
        *("--max-tokens", str(tokens)),
    )


def send(child: Any, data: bytes) -> None:
    """Type bytes, which need not be valid."""
    os.write(child.child_fd, data)


def records(trace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]


def ended_well(child: Any) -> int:
    """The exit status of a program that left the terminal as it was."""
    status, output = ended(child)
    assert "Traceback" not in output
    assert [mode for mode in PUT_BACK if f"\x1b[{mode}" not in output] == []
    return status


# Bytes.


def test_what_is_no_utf8_is_replaced(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "chat.jsonl"
    said = {
        b"caf\xffee": "caf\ufffdee",
        b"caf\xe9 au lait": "caf\ufffd au lait",
        b"\x1b[200~caf\xff\nee\x1b[201~": "caf\ufffd\nee",
        "as before: café".encode(): "as before: café",
    }
    child = opened("chat", "--trace", str(trace), folder=folder, tokens=3)
    child.expect("● ready")
    for turn, typed in enumerate(said, 1):
        send(child, typed + b"\r")
        wait_for(child, trace, "end", turn)
        child.expect("● ready")
    send(child, QUIT)
    assert ended_well(child) == 0
    prompts = [record["text"] for record in records(trace) if record["type"] == "prompt"]
    assert prompts == list(said.values())


def test_in_the_debugger_too(folder: Path) -> None:
    child = opened("step", "Which?", folder=folder)
    child.expect("halted before token 1")
    send(child, b"\xffs")
    child.expect("halted before token 2")
    send(child, QUIT)
    assert ended_well(child) == 0


def test_in_a_replay_too(recording: Path) -> None:
    child = terminal("replay", str(recording))
    child.expect("■ replay")
    send(child, b"\xff" + LEFT)
    child.expect(f"{len(STORY) - 1}/{len(STORY)} tokens")
    send(child, QUIT)
    assert ended_well(child) == 0


def test_a_textual_that_reads_otherwise_is_refused() -> None:
    code = (
        "from textual.drivers.linux_driver import LinuxDriver\n"
        "LinuxDriver.run_input_thread = lambda self: None\n"
        "import entropix_tui.terminal.driver\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "EntropixError: Textual" in done.stderr


# Signals.


def assert_interrupted(trace: Path) -> None:
    """Its answer has its end."""
    *before, end = records(trace)
    assert (end["type"], end["finish_reason"]) == ("end", "interrupted")
    drawn = [record for record in before if record["type"] == "token"]
    assert end["tokens"] == len(drawn) > 0
    assert end["leaf"] == drawn[-1]["index"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_rest(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "data" / "sessions" / "talk.jsonl"
    child = opened("chat", "--session", "talk", folder=folder, tokens=3)
    child.expect("● ready")
    send(child, b"Which?\r")
    wait_for(child, trace, "end")
    before = records(trace)
    child.kill(number)
    assert ended_well(child) == 128 + number
    assert records(trace) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_an_answer(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "data" / "sessions" / "talk.jsonl"
    child = opened("chat", "--session", "talk", folder=folder)
    child.expect("● ready")
    send(child, b"Which?\r")
    wait_for(child, trace, "token", 20)
    child.kill(number)
    assert ended_well(child) == 128 + number
    assert_interrupted(trace)


@pytest.mark.parametrize(
    ("number", "keys", "tokens"),
    [(signal.SIGTERM, b"s", 1), (signal.SIGHUP, b"c", 20)],
    ids=["halted", "going on"],
)
def test_a_signal_in_the_debugger(
    number: signal.Signals, keys: bytes, tokens: int, folder: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "step.jsonl"
    child = opened("step", "Which?", "--trace", str(trace), folder=folder)
    child.expect("halted before token 1")
    send(child, keys)
    wait_for(child, trace, "token", tokens)
    child.kill(number)
    assert ended_well(child) == 128 + number
    assert_interrupted(trace)


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGTERM, ()), (signal.SIGHUP, ("--play", "--speed", "0.25"))],
    ids=["paused", "playing"],
)
def test_a_signal_in_a_replay(
    number: signal.Signals, options: tuple[str, ...], recording: Path
) -> None:
    child = terminal("replay", *options, str(recording))
    child.expect("■ replay")
    child.kill(number)
    assert ended_well(child) == 128 + number


def test_a_terminal_that_is_closed_during_an_answer(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "data" / "sessions" / "talk.jsonl"
    child = opened("chat", "--session", "talk", folder=folder)
    child.expect("● ready")
    send(child, b"Which?\r")
    wait_for(child, trace, "token", 20)
    child.ptyproc.fileobj.close()
    child.wait()
    assert_interrupted(trace)


def test_what_a_terminal_that_is_gone_cannot_show_is_dropped() -> None:
    code = (
        "import os, select, sys\n"
        "from textual.app import App\n"
        "from entropix_tui.terminal.driver import TerminalDriver\n"
        "class Talkative(App):\n"
        "    def on_mount(self):\n"
        "        self._driver.write('ready')\n"
        "        end = select.poll()\n"
        "        end.register(sys.__stdin__, 0)\n"
        "        end.poll()\n"
        "        for _ in range(1000):\n"
        "            self._driver.write('x' * 100)\n"
        "        self.exit(return_code=7)\n"
        "app = Talkative(driver_class=TerminalDriver)\n"
        "app.run()\n"
        "os._exit(app.return_code)\n"
    )
    assert left_alone([sys.executable, "-c", code], b"ready") == 7
