"""Makes this folder's helpers importable, and every screen the same wherever it is drawn."""

import sys
from pathlib import Path

import pytest
from textual import _wait

# Pilot looks whether the process is idle after every key: at least twice 20 ms, half of what these
# tests took. Whatever does not come at once is awaited by its condition (`driving.until`) anyway.
_wait.SLEEP_GRANULARITY /= 2
_wait.SLEEP_IDLE /= 2

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLORFGBG", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
