"""The command `entropix-tui replay`: what it refuses, and a real pseudo-terminal."""

from pathlib import Path

import pytest
from test_command import ended, run, terminal
from test_replay import written


def test_without_a_terminal_it_names_the_other_command(tmp_path: Path) -> None:
    done = run("replay", str(written(tmp_path / "talk.jsonl")))
    assert done.returncode == 2
    assert done.stderr == (
        "error: standard input is not a terminal: use `entropix-mlx trace show FILE` instead\n"
    )


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (None, 1, ["talk.jsonl", "no such file"]),
        (b"", 1, ["it is empty"]),
        (b"\x1b[31m{}\n", 1, ["first line is no header"]),
        (b'{"type": "header", "schema": 99}\n', 1, ["schema 99", "update"]),
        (b'{"type": "header", "schema": 1}\n', 1, ["damaged header"]),
    ],
)
def test_a_file_that_is_no_trace_is_one_line(
    tmp_path: Path, content: bytes | None, status: int, words: list[str]
) -> None:
    path = tmp_path / "talk.jsonl"
    if content is not None:
        path.write_bytes(content)
    code, output = ended(terminal("replay", str(path)))
    unwrapped = output.replace("\r\n", "")
    assert code == status
    assert unwrapped.startswith("error: ")
    assert "Traceback" not in output
    assert "\x1b" not in output
    assert all(word in unwrapped for word in words)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], ["FILE"]),
        (["a", "b", "c"], ["two to compare"]),
        (["a", "--speed", "3"], ["--speed"]),
        (["a", "--device", "tpu"], ["--device"]),
    ],
)
def test_wrong_usage(args: list[str], words: list[str]) -> None:
    code, output = ended(terminal("replay", *args))
    assert code == 2
    assert all(word in output.replace("\r\n", "") for word in words)


@pytest.mark.slow
def test_on_a_terminal(tmp_path: Path) -> None:
    path = written(tmp_path / "talk.jsonl")
    before = path.read_bytes()
    child = terminal("replay", str(path), ENTROPIX_DATA=str(tmp_path / "data"))
    child.expect("58/58 tokens")
    child.send("\x11")
    assert ended(child)[0] == 0
    assert path.read_bytes() == before
    assert not (tmp_path / "data").exists(), "nothing was kept of it"


def test_help_is_light() -> None:
    done = run("replay", "--help")
    assert done.returncode == 0
    assert "--speed" in done.stdout
