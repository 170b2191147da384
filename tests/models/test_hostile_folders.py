"""Model folders and GGUF files by strangers: a sample of what reliability/models.py does."""

import subprocess
import sys
from pathlib import Path

import pytest

SWEEP = Path(__file__).parents[2] / "reliability" / "models.py"


@pytest.mark.slow
def test_hostile_folders() -> None:
    """In a process of its own: it forks, which one that has computed with MLX can't."""
    command = [sys.executable, str(SWEEP), "--folders", "20", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (0, 2), done.stdout + done.stderr
    assert "answered" in done.stdout
    assert "refused (1)" in done.stdout
