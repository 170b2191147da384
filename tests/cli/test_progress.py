"""Progress on standard error: a bar on a terminal, lines elsewhere."""

import sys
from typing import Any

import pytest

from entropix_mlx.cli import progress as progress_module
from entropix_mlx.cli.progress import stderr_progress

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_elsewhere_each_stage_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with stderr_progress() as progress:
        for done in range(3):
            progress("one", done, 2)
        progress("two", 0, None)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "one\ntwo\n")


def test_a_dumb_terminal_gets_lines_too(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", terminal.file)
    with stderr_progress() as progress:
        progress("one", 0, 2)
        progress("one", 2, 2)
    assert terminal.read() == b"one\n"


@pytest.mark.parametrize(("patience", "shown"), [(1e9, False), (-1.0, True)])
def test_a_bar_is_for_what_takes_long(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, patience: float, shown: bool
) -> None:
    monkeypatch.setattr(progress_module, "_PATIENCE", patience)
    monkeypatch.setattr(sys, "stderr", terminal.file)
    with stderr_progress() as progress:
        progress("fetching [it]", 1, 2)
        progress("fetching [it]", 2, 2)
        assert sys.stderr is terminal.file  # the bar has gone, and the terminal is free
    seen = terminal.read()
    assert (b"fetching [it]" in seen) is shown
    assert (b" of 2 bytes" in seen) is shown
    assert seen == b"" or seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")


def test_a_stage_of_unknown_length_is_shown_at_once(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.file)
    with stderr_progress() as progress:
        progress("asking", 0, None)
    assert b"asking" in terminal.read()


def test_what_is_no_bytes_has_no_size(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_PATIENCE", -1.0)
    monkeypatch.setattr(sys, "stderr", terminal.file)
    with stderr_progress() as progress:
        progress("reading", 1, 2, unit="tokens")
        progress("reading", 2, 2, unit="tokens")
    assert b"bytes" not in terminal.read()
