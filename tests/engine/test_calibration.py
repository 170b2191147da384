"""Calibration files: whose they are, and what is refused."""

import json
import math
from importlib import resources
from typing import Any

import msgspec
import pytest
from scipy.stats import binomtest
from turns import session, tokens, turn

from entropix_mlx.records.quadrants import KINDS
from entropix_mlx.sampling import calibration
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL, Calibration
from entropix_models.errors import DamagedFileError, EntropixError, UnsupportedError
from entropix_models.language_model import LanguageModel

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
        {"schema": 0},
        {"schema": "2"},
        {"split": None},
        {"split": {"name": "x", "entropy": 1, "usual": [[2, 1], [1, 1]]}},
        {"held_out": {"LELV": {"tokens": 3}}},
    ],
    ids=str,
)
def test_what_lacks_something_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DamagedFileError) as caught:
        calibration.parse(json.dumps(CONTENT | change).encode(), "some-file")
    assert str(caught.value).startswith("some-file: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"entropy": {"low": 2.5, "mid": 2, "high": 3}}, "entropy"),
        ({"entropy": {"low": 1, "mid": 3.5, "high": 3}}, "entropy"),
        ({"entropy": {"low": -1, "mid": 2, "high": 3}}, "entropy"),
        ({"entropy": {"low": 1, "mid": 2, "high": 1e999}}, "entropy"),
        (
            {"varentropy": CONTENT["varentropy"] | {"high": {"low": 9, "mid": 1, "high": 8}}},
            "varentropy.high",
        ),
        ({"ranges": CONTENT["ranges"] | {"agreement": [0.8, 0.3]}}, "ranges.agreement"),
        ({"ranges": CONTENT["ranges"] | {"agreement": [0, 1e999]}}, "ranges"),
        ({"ranges": CONTENT["ranges"] | {"agreement": [None, 1]}}, "ranges"),
        ({"valley_delta": 1e999}, "valley_delta"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_is_named(change: dict[str, Any], field: str) -> None:
    data = json.dumps(CONTENT | change).replace("Infinity", "1e999").encode()
    with pytest.raises(DamagedFileError) as caught:
        calibration.parse(data, "some-file")
    message = str(caught.value)
    assert message.startswith("some-file: ")
    assert message.endswith("; remove it")
    assert field in message.removesuffix("; remove it")
    assert "\n" not in message


def test_the_middle_of_a_varentropy_may_lie_outside_of_its_band() -> None:
    side = {"low": {"low": 3, "mid": 7, "high": 6}}
    data = json.dumps(CONTENT | {"varentropy": CONTENT["varentropy"] | side}).encode()
    assert calibration.parse(data, "some-file").varentropy["low"].mid == 7


def test_one_of_a_newer_program_is_refused() -> None:
    data = json.dumps(CONTENT | {"schema": 3, "entropy": "elsewhere"}).encode()
    with pytest.raises(UnsupportedError, match=r"^some-file: [^\n]*schema 3[^\n]*update"):
        calibration.parse(data, "some-file")


def test_one_of_before_has_the_split_at_the_medians() -> None:
    older = {k: v for k, v in CONTENT.items() if k not in ("split", "held_out")} | {"schema": 1}
    found = calibration.parse(json.dumps(older).encode(), "some-file")
    assert found.thresholds == PROVISIONAL.thresholds
    assert found.split_of("calibrated") == found.median == PROVISIONAL.median
    assert found.median.entropy == found.entropy.mid
    assert PROVISIONAL.split_of("calibrated").name == "provisional"
    assert found.split_of("guide").name == "guide"


class TestTheUsersOwn:
    MINE = msgspec.structs.replace(PROVISIONAL, model="mine", revision="1", quantization="Q4_1")

    def test_it_is_found_and_goes_before_the_programs(self) -> None:
        assert calibration.stored(self.MINE.name) is None
        calibration.save(self.MINE, calibration.own_file(self.MINE.name))
        assert calibration.stored(self.MINE.name) == self.MINE
        for file in shipped_files():
            theirs = calibration.parse(file.read_bytes(), file.name)
            mine = msgspec.structs.replace(theirs, valley_delta=0.125)
            calibration.save(mine, calibration.own_file(mine.name))
            assert calibration.stored(mine.name) == mine

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"{", "not a calibration file"),
            (msgspec.json.encode(PROVISIONAL), "the calibration of provisional@unversioned@dense"),
            (json.dumps(CONTENT | {"ranges": {}}).encode(), "lacks"),
        ],
    )
    def test_a_damaged_one_is_named(self, data: bytes, reason: str) -> None:
        file = calibration.own_file(self.MINE.name)
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        with pytest.raises(DamagedFileError) as caught:
            calibration.stored(self.MINE.name)
        message = str(caught.value)
        assert message.startswith(f"{file}: ")
        assert reason in message
        assert message.endswith("; remove it")
        assert "\n" not in message

    def test_one_that_cannot_be_read_is_named(self) -> None:
        file = calibration.own_file(self.MINE.name)
        file.mkdir(parents=True)
        with pytest.raises(EntropixError, match="could not be read"):
            calibration.stored(self.MINE.name)


@pytest.mark.model
def test_the_sentences_hold_for_what_the_real_model_says(smollm2: LanguageModel) -> None:
    """On answers to prompts that it was not calibrated on, not too seldom to be chance."""
    prompts = ("Why do leaves turn red?", "Describe a harbour at dawn.", "Name uses of a brick.")
    counts: dict[str, list[bool]] = {quadrant: [] for quadrant in KINDS}
    for seed, prompt in enumerate(prompts):
        made = session(smollm2, "temperature", seed=seed)
        split = made.header.quadrant_split
        assert split is not None
        assert split.name == "calibrated"
        for record in tokens(turn(made, prompt, 64)):
            assert record.quadrant is not None
            p = sorted((math.exp(logprob) for _, _, logprob, _ in record.candidates), reverse=True)
            (found,) = [
                found
                for found in KINDS[record.quadrant].sentences
                if found.id == split.sentences[record.quadrant]
            ]
            counts[record.quadrant].append(bool(found.holds(*p[:3])))
    for quadrant, held in counts.items():
        assert len(held) >= 10, quadrant
        seldom = binomtest(sum(held), len(held), 0.9, alternative="less")
        assert seldom.pvalue > 0.01, f"{quadrant}: {sum(held)} of {len(held)}"


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
    assert calibration.stored(calibration.key("no-such-model", "1", "Q4_1")) is None
    for file in shipped_files():
        found = calibration.parse(file.read_bytes(), file.name)
        assert calibration.stored(found.name) == found
        other = calibration.key(found.model, "another", found.quantization)
        assert calibration.stored(other) is None


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
    held_out = 0
    for quadrant, kind in KINDS.items():
        counted = found.held_out[quadrant]
        held_out += counted.tokens
        assert counted.holds >= 0.9 * counted.tokens > 0, quadrant
        assert counted.rate == pytest.approx(counted.holds / counted.tokens, abs=1e-4)
        assert found.split is not None
        assert found.split.sentences[quadrant] in [sentence.id for sentence in kind.sentences]
    assert held_out == found.source["held_out"]
    for counted in found.held_out.values():
        assert counted.share == pytest.approx(counted.tokens / held_out, abs=1e-4)
    assert 0 < found.valley_delta < 5
