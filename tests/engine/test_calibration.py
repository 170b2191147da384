"""Calibration files: whose they are, and what is refused."""

import json
from importlib import resources
from typing import Any

import msgspec
import pytest

from entropix_mlx.sampling import calibration
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL, Calibration
from entropix_models.errors import DamagedFileError

CONTENT: dict[str, Any] = json.loads(msgspec.json.encode(PROVISIONAL))


def shipped_files() -> list[Any]:
    folder = resources.files("entropix_mlx") / "calibrations"
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted((file for file in files if file.name.endswith(".json")), key=str)


def test_a_file_reads_back() -> None:
    assert calibration.parse(msgspec.json.encode(PROVISIONAL), "x") == PROVISIONAL


@pytest.mark.parametrize(
    "change",
    [
        {"entropy": None},
        {"entropy": {"low": 1, "mid": 2}},
        {"entropy": {"low": 1, "mid": 2, "high": 3, "higher": 4}},
        {"varentropy": {"low": {"low": 1, "mid": 2, "high": 3}}},
        {"ranges": {"entropy": [0, 1]}},
        {"ranges": {name: [0] for name in METRICS}},
        {"valley_delta": "x"},
        {"model": 3},
    ],
    ids=str,
)
def test_what_lacks_something_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DamagedFileError) as caught:
        calibration.parse(json.dumps(CONTENT | change).encode(), "some-file")
    assert str(caught.value).startswith("some-file: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"NaN", b"[" * 10_000])
def test_what_is_no_calibration_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedFileError) as caught:
        calibration.parse(data, "some-file")
    assert "\n" not in str(caught.value)


def test_keys_are_file_names() -> None:
    assert calibration.key("smollm2-135m", "0.1.2", "Q4_1") == "smollm2-135m@0.1.2@Q4-1"
    keys = {
        calibration.key("m", "1", "Q4"),
        calibration.key("m", "1", None),
        calibration.key("m", None, "Q4"),
        calibration.key("../m/x", "1", "Q4"),
    }
    assert len(keys) == 4
    assert not any("/" in key for key in keys)


def test_only_exactly_these_weights_have_it() -> None:
    assert calibration.shipped("no-such-model", "1", "Q4_1") is None
    for file in shipped_files():
        found = calibration.parse(file.read_bytes(), file.name)
        assert calibration.shipped(found.model, found.revision, found.quantization) == found
        assert calibration.shipped(found.model, "another", found.quantization) is None


@pytest.mark.parametrize("file", shipped_files(), ids=lambda file: file.name)
def test_shipped_files_make_sense(file: Any) -> None:
    found: Calibration = calibration.parse(file.read_bytes(), file.name)
    assert file.name == f"{found.name}.json"
    for band in (found.entropy, *found.varentropy.values()):
        assert 0 < band.low < band.high
        assert band.mid > 0
    for low, high in found.ranges.values():
        assert low < high
    assert found.shares.keys() == {"LELV", "HELV", "LEHV", "HEHV", "MID"}
    assert sum(found.shares.values()) == pytest.approx(1, abs=0.01)
    assert all(0.02 <= share <= 0.6 for share in found.shares.values())
    assert found.source
    assert 0 < found.valley_delta < 5
