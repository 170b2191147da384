"""A page in headless Chromium, driven by a script that the page is made to trust."""

import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--enable-logging=stderr"),
)
PATIENCE = 120


def binary() -> str:
    """Skips the test where there is no browser."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    return found


def trusting(source: str, driver: str) -> str:
    """The page with `driver` after its own program, allowed by its digest like that."""
    head, _, rest = source.rpartition("<script>")
    program = rest.partition("</script>")[0]

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert digest(program) in head
    head = head.replace(digest(program), digest(program + driver))
    return f"{head}<script>{program}{driver}{rest[len(program) :]}"


def dom(file: Path, *flags: str) -> str:
    """The page as markup once its script has run. Fails on anything that the console says."""
    with tempfile.TemporaryDirectory() as profile:
        command = [binary(), *QUIET, f"--user-data-dir={profile}", *flags, "--dump-dom"]
        done = subprocess.run(
            [*command, file.as_uri()], capture_output=True, timeout=PATIENCE, check=True
        )
    said = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
    assert said == []
    return done.stdout.decode()


def told(source: str, driver: str, file: Path, *flags: str) -> Any:
    """What a driver says: it calls `tell(value)` once, at the latest when the page has loaded."""
    tell = (
        "\nconst tell = (value) => { document.documentElement.dataset.told = "
        "btoa(unescape(encodeURIComponent(JSON.stringify(value)))); };\n"
    )
    file.write_text(trusting(source, tell + driver), encoding="utf-8")
    after = dom(file, *flags).partition('data-told="')[2].partition('"')[0]
    assert after, "the driver said nothing"
    return json.loads(base64.b64decode(after))
