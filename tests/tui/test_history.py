"""What was sent, kept in a file: by several programs, through damage, and without a place to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from entropix_tui.conversation.history import History, history_path


def test_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "data" / "history.jsonl"
    first = History(path)
    for text in ("one", "two\nlines", "two\nlines", "drei ü 🤖"):
        assert first.add(text) is None
    assert History(path).texts == ["one", "two\nlines", "drei ü 🤖"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text(encoding="ascii").count("\n") == 3


def test_without_a_path_it_is_in_memory() -> None:
    history = History()
    assert history.add("one") is None
    assert history.texts == ["one"]


def test_damaged_lines_are_skipped_and_not_made_worse(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(
        b'"one"\n{"no": "text"}\n\xff\xfe\n\n"un\n5\nnull\n"\\ud800"\n' + b"[" * 9999 + b'\n"two'
    )
    history = History(path)
    assert history.texts == ["one"]
    assert history.add("three") is None
    assert History(path).texts == ["one", "three"]
    assert path.read_bytes().endswith(b'\n"two\n"three"\n')


def test_it_is_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history = History(path, limit=10)
    for number in range(35):
        history.add(str(number))
    assert history.texts == [str(number) for number in range(25, 35)]
    assert History(path, limit=10).texts == history.texts
    assert 10 <= len(path.read_text().splitlines()) <= 20
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".part")] == []


def test_a_text_too_long_to_keep_is_remembered_while_the_program_runs(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history = History(path)
    history.add("x" * 200_000)
    assert len(history.texts) == 1
    assert not path.exists()


@pytest.mark.parametrize("place", ["file", "folder"])
def test_where_it_cannot_be_written_there_is_one_notice(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / "file" / "history.jsonl" if place == "file" else tmp_path / "folder"
    history = History(path)
    notice = history.add("one")
    assert notice is not None
    assert str(path) in notice
    assert "\n" not in notice
    assert history.add("two") is None
    assert history.texts == ["one", "two"]


WRITER = """
import sys
from pathlib import Path
from entropix_tui.conversation.history import History
history = History(Path(sys.argv[1]), limit=400)
sys.stdin.readline()
for number in range(150):
    history.add(f"{sys.argv[2]} {number} " + "x" * 3000)
"""


def run_together(code: str, path: Path) -> list[int]:
    """Three programs on one file; their exit statuses."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), name], stdin=subprocess.PIPE, text=True
        )
        for name in "abc"
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.close()
    return [program.wait(60) for program in programs]


@pytest.mark.slow
def test_programs_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert run_together(WRITER, path) == [0, 0, 0]
    texts = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(texts) == 450, "nothing was lost, nothing was torn"
    for name in "abc":
        mine = [int(text.split()[1]) for text in texts if text.startswith(name)]
        assert mine == list(range(150))


CUTTER = """
import json, sys
from pathlib import Path
from entropix_tui.conversation.history import History
path = Path(sys.argv[1])
history = History(path, limit=12)
sys.stdin.readline()
for number in range(200):
    history.add(f"{sys.argv[2]} {number} " + "x" * 3000)
    newest = {}
    for line in path.read_bytes().split(b"\\n")[:-1]:
        name, count, _ = json.loads(line).split()
        assert newest.get(name, int(count) - 1) == int(count) - 1, (name, count)
        newest[name] = int(count)
"""
"""What has gone is the oldest: no program misses a text between others of its own."""


@pytest.mark.slow
def test_nothing_is_lost_while_another_program_cuts_the_file(tmp_path: Path) -> None:
    assert run_together(CUTTER, tmp_path / "history.jsonl") == [0, 0, 0]


def test_programs_side_by_side_cut_it_together(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    one, other = History(path, limit=10), History(path, limit=10)
    for number in range(40):
        (one if number % 2 else other).add(str(number))
    kept = History(path, limit=10).texts
    assert kept == [str(number) for number in range(30, 40)]


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_DATA", "/x")
    assert history_path() == Path("/x/history.jsonl")
    monkeypatch.delenv("ENTROPIX_DATA")
    assert history_path().parent.name == "entropix-mlx"
    assert history_path().is_absolute()
