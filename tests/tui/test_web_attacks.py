"""Attacks on the program in a browser: a sample of what reliability/web.py does."""

import asyncio
import sys
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")

sys.path.append(str(Path(__file__).parents[2] / "reliability"))

import web

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
def test_attacks(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(web.run(12, 3))
    assert "12 attacks: 0 wrong" in capsys.readouterr().out
